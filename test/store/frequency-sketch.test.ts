import { expect, test } from 'vitest';
import { FrequencySketch } from '../../src/store/frequency-sketch.js';
import { quickHashOf } from '../../src/store/key-map.js';

const hashes = (count: number) => Array.from({ length: count }, (_, at) => quickHashOf(`key ${at}`));

/** Uses a key so often, which comes in at first and leaves at last. */
function useAndLeave(sketch: FrequencySketch, hash: number, uses: number, entries: number): void {
  let tally = sketch.enter(hash, entries);
  for (let use = 1; use < uses; use += 1) tally = sketch.use(tally, entries);
  sketch.leave(hash, tally);
}

test('counts the uses of what is held up to 15', () => {
  const sketch = new FrequencySketch();
  let tally = sketch.enter(1, 1000);
  for (let use = 1; use <= 40; use += 1) {
    expect(sketch.usesIn(tally)).toBe(Math.min(use, 15));
    tally = sketch.use(tally, 1000);
  }
});

test('remembers the uses of what has left, never too few before it halves', () => {
  const sketch = new FrequencySketch();
  const keys = hashes(200);
  for (const [at, hash] of keys.entries()) useAndLeave(sketch, hash, 1 + (at % 4), 1000);
  const over = keys.filter((hash, at) => {
    expect(sketch.of(hash)).toBeGreaterThanOrEqual(1 + (at % 4));
    return sketch.of(hash) > 1 + (at % 4);
  });
  expect(over.length).toBeLessThan(10);
  expect(
    hashes(400)
      .slice(200)
      .filter((hash) => sketch.of(hash) > 0).length,
  ).toBeLessThan(10);
  useAndLeave(sketch, keys[0]!, 3, 1000);
  expect(sketch.of(keys[0]!)).toBe(4);
});

test('halves all counts after ten uses an entry, of what is held and of what has left', () => {
  const sketch = new FrequencySketch();
  const [popular, other, third] = hashes(3) as [number, number, number];
  useAndLeave(sketch, popular, 6, 1);
  let tally = sketch.enter(other, 1);
  for (let use = 0; use < 2; use += 1) tally = sketch.use(tally, 1);
  expect([sketch.of(popular), sketch.usesIn(tally)]).toEqual([6, 3]);
  sketch.enter(third, 1);
  expect([sketch.of(popular), sketch.usesIn(tally)]).toEqual([3, 1]);
  tally = sketch.use(tally, 1);
  expect(sketch.usesIn(tally)).toBe(2);
  for (let key = 1000; key < 1100; key += 1) sketch.enter(key, 1);
  expect([sketch.of(popular), sketch.usesIn(tally)]).toEqual([0, 0]);
});

test('keeps its counts when it grows', () => {
  const sketch = new FrequencySketch();
  const keys = hashes(100);
  for (const hash of keys) useAndLeave(sketch, hash, 3, 100_000);
  useAndLeave(sketch, keys[0]!, 1, 1_000_000);
  for (const hash of keys.slice(1)) expect(sketch.of(hash)).toBe(3);
  expect(sketch.of(keys[0]!)).toBe(4);
});
