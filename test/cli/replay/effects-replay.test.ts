/** `toolstash replay --effects`: what rollouts would answer of a trace, and guesses at effects. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-effects-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const calls = ['1', '2'].flatMap((rollout) => [
  { rollout, tool: 'get', args: { id: 'x' }, result: 'open' },
  { rollout, tool: 'cancel', args: { id: 'x' }, result: 'ok' },
  { rollout, tool: 'get', args: { id: 'x' }, result: 'cancelled' },
  { rollout, tool: 'get', args: { id: 'none' }, result: 'no such id', error: true },
  { rollout, tool: 'sum', args: { a: 1 }, result: 2 },
]);

async function replay(tools: object, ...flags: string[]) {
  const [trace, effects] = [join(folder, 'trace.jsonl'), join(folder, 'effects.json')];
  writeFileSync(trace, calls.map((call) => JSON.stringify({ task: 't', ...call })).join('\n'));
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

it('answers what declared effects allow, and guesses', async () => {
  const { code, text } = await replay(declared, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(text)).toMatchObject({
    ...{ calls: 10, rollouts: 2, answered: 3, wrong: 0, wrongAnswers: [] },
    byTool: {
      get: { effect: 'reads', calls: 6, answered: 2 },
      cancel: { effect: 'writes', answered: 0 },
      sum: { answered: 1 },
    },
    guesses: { get: { effect: 'reads …' }, cancel: { effect: 'write' }, sum: { effect: 'pure' } },
  });
  expect((await replay(declared, '--scope', 'global')).text).toMatch(
    /3 answered without their tool \(30\.0 %\), 0 of them wrong/,
  );
});

it('tells of declarations that would have answered wrongly', async () => {
  const { code, text } = await replay({ ...declared, get: 'pure' });
  expect(code).toBe(1);
  expect(text).toMatch(/^get\s+pure\s+6\s+3\s+2$/m);
  expect(text).toContain('wrong: line 3, get {"id":"x"}');
  expect(text).toContain('Guesses from this trace alone');
});

it('refuses a file that is none', async () => {
  expect(await replay({ get: 'read' })).toMatchObject({
    code: 2,
    text: expect.stringContaining('Wrong effects in'),
  });
});
