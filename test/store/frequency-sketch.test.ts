import { expect, test } from 'vitest';
import { FrequencySketch } from '../../src/store/frequency-sketch.js';
import { hashOf } from '../../src/store/key-map.js';

const hashes = (count: number) => Array.from({ length: count }, (_, at) => hashOf(`key ${at}`));

test('counts up to 15, never too few before it halves', () => {
  const sketch = new FrequencySketch();
  const keys = hashes(200);
  for (const [at, hash] of keys.entries())
    for (let use = 0; use <= at % 4; use += 1) sketch.count(hash, 1000);
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
  for (let use = 0; use < 40; use += 1) sketch.count(keys[0]!, 1000);
  expect(sketch.of(keys[0]!)).toBe(15);
});

test('halves all counts after ten uses an entry', () => {
  const sketch = new FrequencySketch();
  const [popular, other] = hashes(2) as [number, number];
  for (let use = 0; use < 8; use += 1) sketch.count(popular, 1);
  expect(sketch.of(popular)).toBe(8);
  sketch.count(other, 1);
  sketch.count(other, 1);
  expect([sketch.of(popular), sketch.of(other)]).toEqual([4, 1]);
});

test('keeps its counts when it grows', () => {
  const sketch = new FrequencySketch();
  const keys = hashes(100);
  for (const hash of keys) for (let use = 0; use < 3; use += 1) sketch.count(hash, 100_000);
  sketch.count(keys[0]!, 1_000_000);
  for (const hash of keys.slice(1)) expect(sketch.of(hash)).toBe(3);
  expect(sketch.of(keys[0]!)).toBe(4);
});
