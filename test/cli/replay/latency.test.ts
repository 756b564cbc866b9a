import { describe, expect, test } from 'vitest';
import { latenciesOf, parseLatency } from '../../../src/cli/replay/latency.js';
import type { ToolCall } from '../../../src/cli/replay/trace.js';

function calls(durations: readonly (number | null)[]): ToolCall[] {
  return durations.map((durationMs, index) => ({
    task: 't',
    rollout: 'r',
    tool: 'get',
    args: {},
    result: 1,
    failed: false,
    durationMs,
    line: index + 1,
  }));
}

const many = calls(Array.from({ length: 20_000 }, () => null));

function drawn(text: string, seed = 1): number[] {
  return [...latenciesOf(many, parseLatency(text), seed).ms.values()];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test('recorded latencies are used, and only the missing ones are drawn', () => {
  const { ms, recorded, drawnFrom } = latenciesOf(calls([5, null, 0]), parseLatency('recorded'), 1);
  const [first, second, third] = [...ms.values()];
  expect([first, third]).toEqual([5, 0]);
  expect(second).toBeGreaterThan(0);
  expect({ recorded, drawnFrom }).toEqual({ recorded: 2, drawnFrom: 'lognormal:300,0.8' });
});

test('a distribution replaces the recorded ones', () => {
  const { ms, recorded } = latenciesOf(calls([5, 6]), parseLatency('fixed:40'), 1);
  expect([...ms.values()]).toEqual([40, 40]);
  expect(recorded).toBe(0);
});

describe('draws have the shape that was asked for', () => {
  test('lognormal', () => {
    const sorted = drawn('lognormal:200,0.5').sort((a, b) => a - b);
    expect(sorted[10_000]! / 200).toBeCloseTo(1, 1);
    expect(Math.log(sorted[16_827]! / 200)).toBeCloseTo(0.5, 1);
  });

  test('uniform', () => {
    const values = drawn('uniform:100,300');
    expect(Math.min(...values)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...values)).toBeLessThan(300);
    expect(mean(values) / 200).toBeCloseTo(1, 1);
  });

  test('exponential', () => {
    expect(mean(drawn('exponential:50')) / 50).toBeCloseTo(1, 1);
  });
});

test('one seed draws the same, another draws otherwise', () => {
  expect(drawn('exponential:50', 7)).toEqual(drawn('exponential:50', 7));
  expect(drawn('exponential:50', 7)).not.toEqual(drawn('exponential:50', 8));
});

test.each([
  ...[
    '',
    'recordet',
    'lognormal',
    'lognormal:5',
    'lognormal:0,1',
    'lognormal:5,-1',
    'lognormal:1,2,3',
    'uniform:5,1',
  ],
  ...['exponential:0', 'fixed:', 'fixed:-1', 'fixed:1e999', 'fixed:x', '__proto__:1', 'toString:1'],
])('%j is refused, and the forms there are are named', (text) => {
  expect(() => parseLatency(text)).toThrow(
    'Expected --latency to be recorded | lognormal:<median ms>,<sigma> | ',
  );
});
