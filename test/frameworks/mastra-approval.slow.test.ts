/** `cache.tools` in agents of Mastra that wait for a person, many at once: the same transcripts, and nobody's answer for another. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { Rollout } from '../../src/rollout/index.js';
import type { ToolRules } from '../../src/tools/tool-rules.js';
import { librariesOf } from '../helper/libraries.js';
import type { MakeAskingAgent, Runs } from './mastra-approval.js';
import type { Script } from './scenario.js';

await librariesOf(new URL('.', import.meta.url));
const { asking0, asking1, askingWorkflow } = await import('./mastra-approval.js');

const rules: ToolRules = { look: { ttl: '1h' }, ask: { ttl: '1h' }, book: 'write' };

const effects = Object.freeze({
  look: { reads: ['fares'] },
  ask: { reads: ['seats'] },
  book: { writes: ['trip'] },
} as const);

const script: Script = [
  [['look', { at: 'fares' }]],
  [['ask', { what: 'which seat' }]],
  [['book', { to: 'Rome' }]],
  [['look', { at: 'fares' }]],
  'done',
];

const rollouts = 16;
const people = Array.from({ length: rollouts }, (_, at) => ({
  look: true,
  // Some decline.
  book: at % 4 !== 0,
  ask: { answer: `${at}A` },
}));
const declined = people.filter(({ book }) => !book).length;

beforeEach(() => {
  for (const name of ['error', 'warn', 'info', 'log'] as const)
    vi.spyOn(console, name).mockImplementation(() => undefined);
});
afterEach(() => void vi.restoreAllMocks());

describe.each<[string, MakeAskingAgent]>([
  ['0', asking0],
  ['1', asking1],
])('agents of Mastra %s that ask a person', (_, make) => {
  it('have the same transcripts with the cache, and each its own answers', async () => {
    const plain: Runs = {};
    const without = make(plain, (tools) => tools);
    const expected = await Promise.all(people.map((answers) => without(script, answers)));
    const all = JSON.stringify(expected);
    for (const told of ['tool-call-approval', 'tool-call-suspended', 'which seat?', '"answered":"7A"'])
      expect(all).toContain(told);
    expect(plain).toEqual({ look: 2 * rollouts, ask: 2 * rollouts, book: rollouts - declined });

    const runs: Runs = {};
    const cache = new CacheManager();
    const agent = make(runs, (tools) => cache.tools(tools, rules));
    expect(await Promise.all(people.map((answers) => agent(script, answers)))).toEqual(expected);
    // What was approved is found; what a person answers is his alone, and what was declined never runs.
    expect(runs).toEqual({ look: 1, ask: 2 * rollouts, book: rollouts - declined });
    expect(cache.stats('ask')).toMatchObject({ hits: 0, entries: 0 });
    // Through rollouts, which share what is the same for them, as well.
    const ofRollouts: Runs = {};
    const through = people.map((answers, id) => {
      const rollout = new Rollout(cache, { effects, task: 'trip', id });
      return make(ofRollouts, (tools) => rollout.tools(tools))(script, answers);
    });
    expect(await Promise.all(through)).toEqual(expected);
    expect(ofRollouts).toEqual({ look: 1, ask: 2 * rollouts, book: rollouts - declined });
    // Approval is asked on a hit as well.
    const refused = { ...people[0]!, look: false };
    expect(await agent(script, refused)).toEqual(await without(script, refused));
    expect(runs['look']).toBe(1);
  });
});

it('a workflow of Mastra 1 goes on with what its own person answers', async () => {
  const runs: Runs = {};
  const cache = new CacheManager();
  const ask = askingWorkflow(runs, (tools) => cache.tools(tools, { '*': {} }));
  const answers = ['4A', '5B', '6C'];
  expect(await Promise.all(answers.map((answer) => ask(answer)))).toEqual(
    answers.map((answered) => ['suspended', 'success', { answered }]),
  );
  expect(runs).toEqual({ find: 1, ask: 6 });
  const through = answers.map((answer, id) => {
    const rollout = new Rollout(cache, {
      effects: { find: 'pure', ask: { writes: ['seat'] } },
      task: 't',
      id,
    });
    return askingWorkflow(runs, (tools) => rollout.tools(tools))(answer);
  });
  expect(await Promise.all(through)).toEqual(
    answers.map((answered) => ['suspended', 'success', { answered }]),
  );
  expect(runs).toEqual({ find: 2, ask: 12 });
});
