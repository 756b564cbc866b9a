import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTrace } from '../../../src/cli/replay/trace-reader.js';
import { UsageError } from '../../../src/cli/usage-error.js';

const call = { task: 't', rollout: 't-0', tool: 'search', args: { q: 1 }, result: 'r' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-trace-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function traceFile(content: string | Uint8Array): Promise<string> {
  const path = join(folder, 'trace.jsonl');
  await writeFile(path, content);
  return path;
}

async function complaint(content: string | Uint8Array): Promise<string> {
  const path = await traceFile(content);
  const error: unknown = await readTrace(path).catch((reason: unknown) => reason);
  if (!(error instanceof UsageError)) throw new Error(`expected a UsageError, got ${String(error)}`);
  return error.message.replace(path, 'FILE');
}

describe('reading a trace', () => {
  test('a line becomes a call with its line number; empty lines and the last line break do not count as calls', async () => {
    const path = await traceFile(
      `\n${JSON.stringify(call)}\r\n\n${JSON.stringify({ ...call, error: true, durationMs: 12.5, extra: 1 })}`,
    );
    const { calls } = await readTrace(path);
    expect(calls).toEqual([
      { ...call, failed: false, durationMs: null, line: 2 },
      { ...call, failed: true, durationMs: 12.5, line: 4 },
    ]);
  });

  test('integers beyond 2^53 keep their digits, in args and results alike', async () => {
    const line = JSON.stringify(call)
      .replace('1', '9007199254740993')
      .replace('"r"', '[-123456789012345678901]');
    const [read] = (await readTrace(await traceFile(line))).calls;
    expect(read?.args).toEqual({ q: 9007199254740993n });
    expect(read?.result).toEqual([-123456789012345678901n]);
  });

  test('an own __proto__ key stays an own key, on both roads through the parser', async () => {
    for (const id of ['1', '9007199254740993']) {
      const line = JSON.stringify(call).replace('{"q":1}', `{"__proto__":{"admin":true},"id":${id}}`);
      const [read] = (await readTrace(await traceFile(line))).calls;
      expect(Object.keys(read?.args ?? {})).toEqual(['__proto__', 'id']);
      expect(Object.getPrototypeOf(read?.args)).toBe(Object.prototype);
    }
  });

  test('a raw U+2028 inside a string does not end the line', async () => {
    const path = await traceFile(`${JSON.stringify({ ...call, result: 'a\u2028b' })}\n`);
    expect((await readTrace(path)).calls[0]?.result).toBe('a\u2028b');
  });

  test('a byte order mark at the start is no part of the first line', async () => {
    const path = await traceFile(`\u{feff}${JSON.stringify(call)}\n`);
    expect((await readTrace(path)).calls).toHaveLength(1);
  });

  test('lines longer than a read and characters cut by one come out whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 5 }),
        async (sizes) => {
          const results = sizes.map((size) => 'é€😀'.repeat(size));
          const path = await traceFile(
            results.map((result) => JSON.stringify({ ...call, result })).join('\n'),
          );
          expect((await readTrace(path)).calls.map(({ result }) => result)).toEqual(results);
        },
      ),
      { numRuns: 10 },
    );
  });

  test('whole numbers will do as names of tasks and rollouts', async () => {
    const [read] = (await readTrace(await traceFile(JSON.stringify({ ...call, task: 7, rollout: 0 })))).calls;
    expect(read).toMatchObject({ task: '7', rollout: '0' });
  });
});

describe('a malformed trace is refused with file, line number and reason', () => {
  const good = JSON.stringify(call);
  const cases: readonly (readonly [name: string, line: string, reason: RegExp])[] = [
    ['broken JSON', '{"task": ', /^FILE:2: not valid JSON: /],
    ['broken JSON with a long number', '{"task": 12345678901234567890', /^FILE:2: not valid JSON: /],
    ['no object', '[1]', /^FILE:2: expected a JSON object, got an array$/],
    [
      'no tool',
      good.replace('"tool"', '"tol"'),
      /^FILE:2: `tool` is missing: a call has `task`, `rollout`, `tool`, `args` and `result`$/,
    ],
    ['an export', '{"method":"search","params":1,"result":2}', /: an export tells what .* a call has `task`/],
    [
      'no args',
      good.replace('"args"', '"arg"'),
      /^FILE:2: `args` is missing: a call has `task`, `rollout`, `tool`, `args` and `result`$/,
    ],
    [
      'no result',
      good.replace('"result"', '"output"'),
      /^FILE:2: `result` is missing: a call has `task`, `rollout`, `tool`, `args` and `result`$/,
    ],
    ['an empty tool', good.replace('"search"', '""'), /^FILE:2: expected `tool` .*got an empty string$/],
    ['a tool with a lone surrogate', good.replace('search', '\\ud800'), /^FILE:2: expected `tool` /],
    ['a task that is no name', good.replace('"t"', 'null'), /^FILE:2: expected `task` .*got null$/],
    ['an error that is no boolean', good.replace('}', '},"error":"yes"'), /^FILE:2: expected `error` /],
    [
      'a negative duration',
      good.replace('}', '},"durationMs":-1'),
      /^FILE:2: expected `durationMs` .*got -1$/,
    ],
    ['an infinite duration', good.replace('}', '},"durationMs":1e999'), /^FILE:2: expected `durationMs` /],
    [
      'nesting without end',
      good.replace('1', `${'['.repeat(100_000)}12345678901234567890${']'.repeat(100_000)}`),
      /^FILE:2: nested too deeply to be read$/,
    ],
  ];
  test.each(cases)('%s', async (_name, line, reason) => {
    expect(await complaint(`${good}\n${line}\n${good}\n`)).toMatch(reason);
  });

  test('bytes that are not UTF-8', async () => {
    expect(await complaint(new Uint8Array([...Buffer.from(`${good}\n`), 0x22, 0xff, 0x22]))).toBe(
      'FILE:2: not valid UTF-8',
    );
  });

  test('a file without calls', async () => {
    expect(await complaint('\n\n')).toMatch(/has no tool calls/);
  });
});
