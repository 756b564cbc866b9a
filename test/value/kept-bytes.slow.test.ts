import { describe, expect, it } from 'vitest';
import { createValueCodec } from '../../src/value/codec.js';
import { copyingKeeper, referenceKeeper } from '../../src/value/keeper.js';
import { inForm, isLong } from '../helper/form.js';
import { measured, usedBytes } from '../helper/used-memory.js';

const codec = createValueCodec();
const keepers = { copying: copyingKeeper(codec), reference: referenceKeeper(codec) };

/** Bytes of memory that each of many kept values takes by the process's own account. */
async function weigh(
  keep: (index: number) => { stored: unknown; bytes: number },
  count = inForm({ short: 5_000, long: 20_000 }),
): Promise<{ real: number; counted: number }> {
  const held: unknown[] = new Array(count).fill(0);
  for (let index = 0; index < 200; index += 1) keep(index);
  const before = (await usedBytes()).all;
  let counted = 0;
  for (let index = 0; index < count; index += 1) {
    const { stored, bytes } = keep(index);
    held[index] = stored;
    counted += bytes;
  }
  const real = (await usedBytes()).all - before;
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

describe.each(Object.entries(keepers))('the bytes that a %s keeper counts', (_mode, keeper) => {
  it.each(oneKilobyte)(
    'are within a fifth of the memory that %s of 1 KB takes',
    measured,
    async (_name, make) => {
      const { real, counted } = await weigh((index) => keeper.encode(make(index)));

      expect(counted / real).toBeGreaterThan(0.8);
      expect(counted / real).toBeLessThan(1.2);
    },
  );
});

/** Text of `length` characters, other for each index and number, in memory of its own. */
function ownText(index: number, number: number, length: number): string {
  return textOf(index * 1000 + number, length);
}

function objectOf(keys: number, keyOf: (number: number) => string): object {
  return Object.fromEntries(Array.from({ length: keys }, (_, number) => [keyOf(number), number]));
}

/** The size is how many are weighed: small things need more of them to stand out. */
type Kind = readonly [name: string, make: (index: number) => unknown, size?: number | undefined];

const kinds: readonly Kind[] = [
  ['short strings', (index) => ownText(index, 0, 20), 20_000],
  ['two-byte strings', (index) => `${ownText(index, 0, 50)}日`, 20_000],
  ['slices of large strings', (index) => textOf(index, 20_000).slice(5, 100)],
  ['lists of fractions', (index) => Array.from({ length: 20 }, (_, at) => index + at / 7)],
  ['lists of texts', (index) => Array.from({ length: 20 }, (_, at) => ownText(index, at, 20))],
  [
    'records with shared keys',
    (index) => Array.from({ length: 10 }, (_, at) => ({ id: at, score: index / 7 })),
  ],
  ...[1, 5, 20, 90, 150].map(
    (keys): Kind => [
      `objects with ${keys} keys of their own`,
      (index: number) => objectOf(keys, (at) => `k${index}_${at}`),
      keys < 50 ? undefined : 500,
    ],
  ),
  [
    'parsed objects with keys of their own',
    (index) => JSON.parse(JSON.stringify(objectOf(20, (at) => `p${index}_${at}`))),
  ],
  [
    'nested objects with keys of their own',
    (index) => ({ a: { [`a${index}`]: { [`b${index}`]: 1 } }, z: index }),
  ],
  [
    'objects that share keys in other orders',
    (index) => objectOf(10, (at) => `k${(index * (at + 1)) % 10_007}`),
  ],
  [
    'dates in objects with keys of their own',
    (index) => ({ [`d${index}`]: new Date(index), [`e${index}`]: 1 }),
  ],
  [
    'objects without a prototype',
    (index) =>
      Object.assign(
        Object.create(null),
        objectOf(10, (at) => `k${index}_${at}`),
      ),
  ],
  ['Maps', (index) => new Map(Array.from({ length: 20 }, (_, at) => [ownText(index, at, 20), at]))],
  ['Sets', (index) => new Set(Array.from({ length: 20 }, (_, at) => ownText(index, at, 20)))],
  ['lists of Dates', (index) => Array.from({ length: 10 }, (_, at) => new Date(index + at))],
  ['Buffers', (index) => Buffer.alloc(500, index)],
  ['Errors', (index) => Object.assign(new Error(ownText(index, 0, 50)), { code: index })],
  ['BigInts', (index) => BigInt(index) ** 20n + 1n, 20_000],
];

describe.each(Object.entries(keepers))('what a %s keeper counts', (mode, keeper) => {
  // The short form gives each kind to one of them.
  const own = kinds.filter((_, at) => isLong || at % 2 === (mode === 'copying' ? 0 : 1));
  it.each(own.map(([name, make, size = 3_000]) => [name, make, size] as const))(
    'is at least half of the memory that %s take',
    measured,
    async (_name, make, size) => {
      const { real, counted } = await weigh((index) => keeper.encode(make(index)), size);

      expect(counted / real).toBeGreaterThan(0.5);
      expect(counted / real).toBeLessThan(3);
    },
  );
});
