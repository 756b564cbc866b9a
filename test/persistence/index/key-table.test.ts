import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeyTable } from '../../../src/persistence/index/key-table.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

const words = (number: number) => Uint32Array.of(number, number * 7, number * 31, number & 3);

describe('a key table', () => {
  it('numbers keys as they come, and finds each', () => {
    const table = new KeyTable();
    const numbers = Array.from({ length: 20_000 }, (_, number) => number);
    expect(numbers.map((number) => table.add(words(number), 0))).toEqual(numbers);
    expect(numbers.map((number) => table.add(words(number), 0))).toEqual(numbers);
    expect(numbers.map((number) => table.find(words(number), 0))).toEqual(numbers);
    expect(table.size).toBe(20_000);
    expect(table.find(words(20_000), 0)).toBe(-1);
  });

  it('moves a small part of the keys when it grows, since others wait meanwhile', () => {
    let largest = 0;
    class Recording extends Uint32Array {
      constructor(length: number) {
        super(length);
        largest = Math.max(largest, length);
      }
    }
    const key = new Uint32Array(4);
    vi.stubGlobal('Uint32Array', Recording);
    const table = new KeyTable();
    for (let number = 0; number < 100_000; number += 1) {
      key[0] = number;
      table.add(key, 0);
    }
    expect(table.size).toBe(100_000);
    expect(largest).toBeLessThan(100_000 / 4);
  });
});
