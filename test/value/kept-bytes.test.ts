import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/value-codec.js';
import { copyingKeeper, referenceKeeper } from '../../src/value/value-keeper.js';

const codec = createValueCodec();
const keepers = { copying: copyingKeeper(codec), reference: referenceKeeper(codec) };

/** Bytes of memory that each of 20,000 kept values takes by the process's own account. */
async function weigh(
  keep: (index: number) => { kept: unknown; bytes: number },
): Promise<{ real: number; counted: number }> {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const used = async () => {
    await nextTurn();
    // Twice, since memory outside the heap is only released after the first.
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();

    return heapUsed + external;
  };
  const count = 20_000;
  const held: unknown[] = new Array(count).fill(0);
  for (let index = 0; index < 200; index += 1) keep(index);
  const before = await used();
  let counted = 0;
  for (let index = 0; index < count; index += 1) {
    const { kept, bytes } = keep(index);
    held[index] = kept;
    counted += bytes;
  }
  const real = (await used()) - before;
  return { real: held.length === count ? real / count : 0, counted: counted / count };
}

/** A string with memory of its own, other for each index. */
function textOf(index: number, length: number): string {
  return Buffer.from(`${index} `.repeat(length).slice(0, length)).toString();
}

const oneKilobyte: readonly (readonly [name: string, make: (index: number) => unknown])[] = [
  ['a string', (index) => textOf(index, 1_000)],
  ['a string of two-byte characters', (index) => `${textOf(index, 500)}日`],
  ['a slice of a large string', (index) => textOf(index, 20_000).slice(5, 1_005)],
  ['an object with a text', (index) => ({ id: index, text: textOf(index, 1_000) })],
  [
    'records',
    (index) => Array.from({ length: 12 }, (_, row) => ({ id: index, score: row / 7, name: textOf(row, 40) })),
  ],
  ['a Buffer', (index) => Buffer.alloc(1_000, index)],
];

describe.each(Object.entries(keepers))('the bytes that a %s keeper counts', (mode, keeper) => {
  // A reference keeper holds the caller's own string, whatever that is a slice of.
  const values = oneKilobyte.filter(([name]) => mode === 'copying' || !name.startsWith('a slice'));

  it.each(values)('are within a fifth of the memory that %s of 1 KB takes', async (_name, make) => {
    const { real, counted } = await weigh((index) => keeper.keep(make(index)));

    expect(counted / real).toBeGreaterThan(0.8);
    expect(counted / real).toBeLessThan(1.2);
  });
});
