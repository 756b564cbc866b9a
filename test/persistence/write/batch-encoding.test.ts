import { afterEach, expect, it, vi } from 'vitest';
import { encodeByMethod, writeByMethod } from '../../../src/persistence/write/batch-encoding.js';
import { WriteBuffer } from '../../../src/persistence/write/write-buffer.js';
import { turnsDuring } from '../../helper/turns.js';

const count = 30_000;

function fullBatch(): WriteBuffer {
  const batch = new WriteBuffer();
  for (let number = 0; number < count; number += 1) {
    const key = number.toString(16).padStart(32, '0');
    const stamp = { time: 1 + number, writer: 'a'.repeat(16) };
    batch.put({ kind: 'tombstone', key, method: number % 3 === 0 ? 'cube' : 'square', stamp });
  }
  return batch;
}

afterEach(() => {
  vi.restoreAllMocks();
});

it('lets others run while a large batch is put in order, and writes all of it', async () => {
  const batch = fullBatch();
  const whole = Array.from(encodeByMethod(batch), ([method, entries]) => [method, [...entries()].length]);
  // Every look at the time takes a millisecond.
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 1;
    return now;
  });
  const written: unknown[] = [];
  const write = async (method: string, entries: Iterable<unknown>) => {
    written.push([method, [...entries].length]);
  };
  expect(await turnsDuring(() => writeByMethod(batch, write))).toBeGreaterThan(2);
  expect(written).toEqual(whole);
  expect(written).toEqual([
    ['cube', count / 3],
    ['square', (count / 3) * 2],
  ]);
});
