/** `toolstash replay --effects`: what rollouts would answer of a trace, and guesses at effects. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';
import { ToolEffects } from '../../../src/rollout/index.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-effects-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const trajectory = [
  { tool: 'get', args: { id: 'x' }, result: 'open' },
  { tool: 'cancel', args: { id: 'x' }, result: 'ok' },
  { tool: 'get', args: { id: 'x' }, result: 'cancelled' },
  { tool: 'sum', args: { a: 1 }, result: 2 },
];
const failing = { tool: 'get', args: { id: 'none' }, result: 'no such id', error: true };
/** The third needs no world: all that it does was done before. */
const calls = [[...trajectory, failing], [...trajectory, failing], trajectory].flatMap((own, at) =>
  own.map((call) => ({ rollout: String(at), ...call })),
);

async function replay(tools: object, { flags = [] as string[], trace: given = calls as object[] } = {}) {
  const [trace, effects] = [join(folder, 'trace.jsonl'), join(folder, 'effects.json')];
  writeFileSync(trace, given.map((call) => JSON.stringify({ task: 't', ...call })).join('\n'));
  writeFileSync(effects, JSON.stringify({ tools }));
  let text = '';
  const out = { write: (written: string) => (text += written) } as unknown as NodeJS.WriteStream;
  const code = await runProgram(['replay', trace, '--effects', effects, ...flags], {
    stdout: out,
    stderr: out,
  });
  return { code, text };
}

const declared = { get: { reads: ['order:{id}'] }, cancel: { writes: ['order:{id}'] }, sum: 'pure' };

it('answers what declared effects allow, with environments and without, and guesses', async () => {
  const { code, text } = await replay(declared, { flags: ['--json'] });
  expect(code).toBe(0);
  expect(JSON.parse(text)).toMatchObject({
    ...{ calls: 14, rollouts: 3, answered: 6, wrong: 0, skipped: 0, wrongAnswers: [] },
    withEnvironments: { answered: 8, wrong: 0, skipped: 2, made: 2, wrongAnswers: [] },
    byTool: {
      get: { effect: 'reads', calls: 8, answered: 4, withEnvironments: { answered: 4, skipped: 0 } },
      cancel: { effect: 'writes', answered: 0, skipped: 0, withEnvironments: { answered: 2, skipped: 2 } },
      sum: { answered: 2, withEnvironments: { answered: 2 } },
    },
    guesses: { get: { effect: 'reads …' }, cancel: { effect: 'write' }, sum: { effect: 'pure' } },
  });
  const global = (await replay(declared, { flags: ['--scope', 'global'] })).text;
  expect(global).toContain(
    'read-only:          6 answered without their tool (42.9 %), 0 of them wrong, 0 of them writes',
  );
  expect(global).toContain(
    'with environments:  8 answered without their tool (57.1 %), 0 of them wrong, 2 of them writes; 1 of 3 rollouts need none',
  );
  expect(global).toMatch(/^cancel\s+writes\s+3\s+0\s+0\s+0\s+2\s+0\s+2$/m);
});

it('makes a world once, after any number of writes, and runs what comes then', async () => {
  const puts = ['a', 'b'].map((id) => ({ tool: 'put', args: { id }, result: `put ${id}` }));
  const read = (id: string) => ({ tool: 'get', args: { id }, result: `is ${id}` });
  const rollouts = [
    [...puts, read('a')],
    // Both are told; the read of `b` needs a world; the third write was made by nobody.
    [...puts, read('b'), { tool: 'put', args: { id: 'c' }, result: 'put c' }, read('a')],
  ];
  const trace = rollouts.flatMap((own, at) => own.map((call) => ({ rollout: String(at), ...call })));
  const tools = { get: { reads: ['{id}'] }, put: { writes: ['{id}'] } };
  const { code, text } = await replay(tools, { trace, flags: ['--json'] });
  expect(code).toBe(0);
  expect(JSON.parse(text)).toMatchObject({
    answered: 1,
    withEnvironments: { answered: 3, skipped: 2, wrong: 0, made: 2 },
  });
});

it('tells of declarations that would have answered wrongly', async () => {
  const { code, text } = await replay({ ...declared, get: 'pure' });
  expect(code).toBe(1);
  expect(text).toMatch(/^get\s+pure\s+8\s+5\s+3\s+0\s+5\s+3\s+0$/m);
  expect(text).toContain('wrong, read-only: line 3, get {"id":"x"}');
  expect(text).toContain('Guesses from this trace alone');
});

it('tells of writes that are told otherwise with environments alone', async () => {
  const refused = { rollout: 'r', tool: 'cancel', args: { id: 'x' }, result: 'refused' };
  const { code, text } = await replay(declared, { trace: [...calls, refused] });
  expect(code).toBe(1);
  expect(text).toContain('wrong, with environments: line 15, cancel {"id":"x"}');
  expect(text).not.toContain('wrong, read-only');
});

it('counts writes as skipped where their declaration denies that they are', async () => {
  const { text } = await replay({ ...declared, cancel: 'pure' }, { flags: ['--json'] });
  expect(JSON.parse(text)).toMatchObject({ skipped: 2, byTool: { cancel: { effect: 'pure', skipped: 2 } } });
});

it('guesses at nothing of a tool seen once, and takes for writes what is called so', async () => {
  const names =
    'apply_patch modify_order exchange_items return-items mkdir rm mv cp bash typeText browser.click git_commit';
  const trace = names
    .split(' ')
    .flatMap((tool) => [1, 2].map(() => ({ tool, args: { id: 7 }, result: 'ok' })));
  const once = ['settings', 'format'].map((tool) => ({ tool, args: {}, result: 'ok' }));
  const { text } = await replay(declared, {
    trace: [...trace, ...once].map((call) => ({ rollout: '0', ...call })),
    flags: ['--json'],
  });
  const { guesses } = JSON.parse(text) as { guesses: Record<string, { effect: string }> };
  const effects = names.split(' ').map((tool) => guesses[tool]?.effect);
  expect(effects).toEqual(effects.map(() => 'write'));
  expect(guesses).toMatchObject({ settings: { effect: 'undeclared' }, format: { effect: 'undeclared' } });
});

it('takes the declarations of the guide', () => {
  const effects = ToolEffects.fromFile(join(import.meta.dirname, '../../../examples/effects/airline.json'));
  expect(effects.for('cancel_reservation').effect).toMatchObject({ kind: 'tracked', isDeclared: true });
});

it('refuses a file that is none', async () => {
  expect(await replay({ get: 'read' })).toMatchObject({
    code: 2,
    text: expect.stringContaining('Wrong effects in'),
  });
});
