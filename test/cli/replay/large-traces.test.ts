/** Traces of unusual shape: very wide, very uneven, with times beyond all measure. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitGlobs } from '../../../src/cli/replay/effects.js';
import { fittingTimeScale } from '../../../src/cli/replay/engine.js';
import { latenciesOf, longestMs, parseLatency } from '../../../src/cli/replay/latency.js';
import { stepsOf, type Task, type ToolCall } from '../../../src/cli/replay/trace.js';
import { parseCall } from '../../../src/cli/replay/trace-reader.js';

const call = (line: number): ToolCall => ({
  ...{ task: 't', rollout: 'r', tool: 'get', args: line, result: 1, failed: false, durationMs: null },
  line,
});

test('a step holds the calls that the rollouts make at the same place, in the order of the rollouts', () => {
  const lengths = fc.array(fc.nat({ max: 6 }), { maxLength: 6 });
  fc.assert(
    fc.property(lengths, (counts) => {
      let line = 0;
      const rollouts = counts.map((count) => Array.from({ length: count }, () => call(line++)));
      const most = Math.max(0, ...counts);
      const expected = Array.from({ length: most }, (_, step) =>
        rollouts.flatMap((each) => each[step] ?? []),
      );
      expect(stepsOf({ name: 't', rollouts })).toEqual(expected);
    }),
  );
});

test('a step may hold more calls than a function takes arguments', () => {
  const rollouts = Array.from({ length: 200_000 }, (_, line) => [call(line)]);
  const task: Task = { name: 't', rollouts };
  const latencyOf = ({ line }: ToolCall) => (line === 7 ? 100 : 1);
  expect(fittingTimeScale({ tasks: [task], latencyOf, concurrency: 8, targetMs: 10 })).toBe(0.1);
});

test('one long rollout beside many short ones costs no more than its calls', () => {
  let reads = 0;
  const counted = (length: number) =>
    new Proxy(
      Array.from({ length }, (_, line) => call(line)),
      {
        get(rollout, key, receiver) {
          if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
          return Reflect.get(rollout, key, receiver) as unknown;
        },
      },
    );
  const rollouts = [counted(2000), ...Array.from({ length: 2000 }, () => counted(1))];
  expect(stepsOf({ name: 't', rollouts })).toHaveLength(2000);
  expect(reads).toBe(4000);
});

test('latencies stay within what can be added up', () => {
  const calls = Array.from({ length: 100 }, (_, line) => call(line));
  const { ms } = latenciesOf(calls, parseLatency('lognormal:300,500'), 1);
  expect(Math.max(...ms.values())).toBe(longestMs);
  const text = (durationMs: number) => JSON.stringify({ ...call(1), durationMs });
  expect(parseCall(text(longestMs), 1, 'FILE').durationMs).toBe(longestMs);
  expect(() => parseCall(text(1e308), 1, 'FILE')).toThrow(
    /^FILE:1: expected `durationMs` to be a number of milliseconds from 0 to 1000000000000, got 1e\+308$/,
  );
});

test('a glob that is too long to be one is refused', () => {
  expect(() => splitGlobs(`a,${'b'.repeat(65_537)}`)).toThrow(
    'Expected globs of at most 65536 characters, got one of 65537: put commas between them',
  );
  expect(splitGlobs('b'.repeat(65_536))).toHaveLength(1);
});
