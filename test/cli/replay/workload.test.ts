import { describe, expect, test } from 'vitest';
import { effectByName } from '../../../src/cli/replay/effects.js';
import { seededRandom, zipfRanks } from '../../../src/cli/replay/random.js';
import { groupByTask } from '../../../src/cli/replay/trace.js';
import { generateWorkload, workloadWrites } from '../../../src/cli/replay/workload.js';
import { hashKey } from '../../../src/index.js';

const { calls } = generateWorkload({ seed: 1, tasks: 40 });
const effectOf = effectByName({ writes: workloadWrites, readOnly: [] });
const reads = calls.filter(({ tool }) => effectOf(tool) === 'read');

describe('the generated workload', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(generateWorkload({ seed: 1, tasks: 40 }).calls).toEqual(calls);
    expect(generateWorkload({ seed: 2, tasks: 40 }).calls).not.toEqual(calls);
  });

  test('has groups of eight rollouts a prompt, each ending with its answer', () => {
    const tasks = groupByTask(calls);
    expect(tasks).toHaveLength(40);
    for (const { rollouts } of tasks) {
      expect(rollouts).toHaveLength(8);
      for (const rollout of rollouts) expect(rollout.at(-1)?.tool).toBe('submit_answer');
    }
  });

  test('equal calls have equal results, errors included', () => {
    const results = new Map<string, unknown>();
    for (const { tool, args, result, failed } of reads) {
      const key = hashKey(tool, args);
      expect({ result, failed }).toEqual(results.get(key) ?? { result, failed });
      results.set(key, { result, failed });
    }
    expect(results.size).toBeLessThan(reads.length / 2);
  });

  test('has some writes and some failures, and failures are the exception', () => {
    const failures = calls.filter(({ failed }) => failed).length / calls.length;
    expect(failures).toBeGreaterThan(0.001);
    expect(failures).toBeLessThan(0.08);
    expect(reads.length / calls.length).toBeGreaterThan(0.6);
    expect(reads.length).toBeLessThan(calls.length);
  });

  test('asks for ids beyond 2^53', () => {
    const ids = calls.filter(({ tool }) => tool === 'query_database').map(({ args }) => args);
    expect(ids[0]).toMatchObject({ id: expect.any(BigInt) as unknown });
  });

  test('has latencies with a long tail', () => {
    const sorted = calls
      .filter(({ tool }) => tool === 'web_search')
      .map(({ durationMs }) => durationMs ?? 0)
      .sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)]!;
    const p99 = sorted[Math.floor(sorted.length * 0.99)]!;
    expect(median).toBeGreaterThan(500);
    expect(median).toBeLessThan(800);
    expect(p99 / median).toBeGreaterThan(2.5);
  });
});

test('ranks follow the law of Zipf', () => {
  const random = seededRandom(3);
  const draw = zipfRanks(50, 1);
  const counts = new Array<number>(50).fill(0);
  for (let n = 0; n < 100_000; n += 1) counts[draw(random)]! += 1;
  expect(counts[0]! / counts[9]! / 10).toBeCloseTo(1, 0);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100_000);
  expect(Math.min(...counts)).toBeGreaterThan(0);
});

test('streams of one seed differ from each other', () => {
  const starts = [
    seededRandom(1),
    seededRandom(2),
    seededRandom(1, 1),
    seededRandom(1, 2),
    seededRandom(1, 1, 1),
  ];
  expect(new Set(starts.map((random) => random())).size).toBe(starts.length);
});
