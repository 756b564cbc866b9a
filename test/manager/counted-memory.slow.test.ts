/** What a cache counts for the parts of an entry besides its value, against the heap. */

import { describe, expect, it, vi } from 'vitest';
import { ErrorSnapshot } from '../../src/guard/error-snapshot.js';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { measured, usedBytes } from '../helper/used-memory.js';

/** A text cut from one 50 times as long. */
function slice(index: number, length: number): string {
  return Buffer.alloc(50 * length, `${index} `)
    .toString('latin1')
    .slice(5, 5 + length);
}

const many = 2000;

const kinds: readonly (readonly [
  name: string,
  options: CacheOptions,
  set: (cache: CacheManager, index: number) => unknown,
])[] = [
  ['entries', {}, (cache, index) => cache.method('tool').setSync(index, index)],
  [
    'tags of one-byte text cut from larger ones',
    {},
    (cache, index) => cache.method('tool').setSync(index, 1, { tags: [slice(index, 100), slice(index, 50)] }),
  ],
  [
    'tags of two-byte text',
    {},
    (cache, index) => cache.method('tool').setSync(index, 1, { tags: [`${'日'.repeat(200)}${index}`] }),
  ],
  [
    'long params, which are only hashed',
    {},
    (cache, index) => cache.method('tool').setSync({ text: slice(index, 1000) }, 1),
  ],
  [
    'params that are kept',
    { keepParams: true },
    (cache, index) => cache.method('tool').setSync({ text: slice(index, 1000) }, 1),
  ],
];

describe('the bytes of a cache', measured, () => {
  it.each(kinds)('are at least half of what %s take', async (_name, options, set) => {
    const make = () => new CacheManager({ maxSize: 2 * many, maxBytes: 2 ** 30, ...options });
    const warm = make();
    for (let index = 0; index < 200; index++) set(warm, index);
    const cache = make();
    const before = (await usedBytes()).all;
    for (let index = 0; index < many; index++) set(cache, index);
    const real = (await usedBytes()).all - before;
    const { bytes, entries } = cache.stats();
    expect(entries).toBe(many);
    expect(bytes / real).toBeGreaterThan(0.5);
    expect(bytes / real).toBeLessThan(3);
  });

  it('are besides at least half of what arguments seen lately take, and at most a sixteenth of `maxBytes`', async () => {
    const maxBytes = 32_000_000;
    const params = (index: number) => ({
      text: slice(index, 100),
      filters: { page: index, sort: ['date', 'desc'] },
    });
    const ask = (cache: CacheManager, index: number) => {
      // Twice, since what never comes again is not taken in.
      for (let use = 0; use < 2; use++) cache.method('tool').getSync(params(index));
    };
    const warm = new CacheManager({ maxSize: 10_000, maxBytes });
    for (let index = 0; index < 200; index++) ask(warm, index);
    const cache = new CacheManager({ maxSize: 10_000, maxBytes });
    const before = (await usedBytes()).all;
    for (let index = 0; index < many; index++) ask(cache, index);
    const real = (await usedBytes()).all - before;
    const { indexBytes } = cache.stats();
    expect(indexBytes / real).toBeGreaterThan(0.5);
    expect(indexBytes / real).toBeLessThan(3);
    for (let index = 0; index < 10_000; index++) ask(cache, index);
    expect(cache.stats().indexBytes).toBeLessThanOrEqual(maxBytes / 16);
    expect(cache.stats().indexBytes).toBeGreaterThan(maxBytes / 20);
    await cache.close();
    expect(cache.stats().indexBytes).toBe(0);
  });

  it('hold no more than some KB for each method name, nor what the name was cut from', async () => {
    const cache = new CacheManager({ maxSize: 10 });
    for (let index = 0; index < 200; index++) await cache.getOrSet(`warm ${index}`, 1, () => 1);
    const before = (await usedBytes()).all;
    // Not put together with anything: what is so has memory of its own already.
    for (let index = 0; index < 500; index++) await cache.getOrSet(slice(1000 + index, 200), 1, () => 1);
    expect(((await usedBytes()).all - before) / 500).toBeLessThan(5000);
    expect(cache.methods()).toHaveLength(700);
  });

  it('are told of by a warning where there are very many method names', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
    const cache = new CacheManager();
    for (let index = 0; index < 9_999; index++) await cache.get(`search "${index}"`, 1);
    expect(warned).not.toHaveBeenCalled();
    for (let index = 9_998; index < 12_000; index++) await cache.get(`search "${index}"`, 1);
    expect(warned).toHaveBeenCalledOnce();
    expect(warned).toHaveBeenCalledWith(
      expect.stringMatching(/^10000 method names are in use, the latest is `'search "9999"'`/),
      expect.objectContaining({ code: 'TOOLSTASH_MANY_METHODS' }),
    );
    warned.mockRestore();
  });

  it('hold no more than the tag for each marker of an invalidated tag', async () => {
    const cache = new CacheManager();
    for (let index = 0; index < 200; index++) await cache.invalidateTags([`warm ${index}`]);
    const before = (await usedBytes()).all;
    for (let index = 0; index < many; index++) await cache.invalidateTags([slice(index, 200)]);
    expect(((await usedBytes()).all - before) / many).toBeLessThan(700);
  });
});

const errors: readonly (readonly [name: string, make: (index: number) => Error])[] = [
  ['plain errors', (index) => new Error(slice(index, 100))],
  [
    'errors with details',
    (index) => Object.assign(new Error('failed'), { details: { [`key${index}`]: slice(index, 300) } }),
  ],
  [
    'errors with a response',
    (index) => Object.assign(new Error('failed'), { response: new Response(slice(index, 500)), index }),
  ],
  [
    'errors with a closure',
    (index) => {
      const big = slice(index, 1000);
      return Object.assign(new Error('failed'), { retry: () => big });
    },
  ],
  [
    'errors with Maps',
    (index) => Object.assign(new Error('failed'), { seen: new Map([[slice(index, 100), { index }]]) }),
  ],
  ['errors with causes', (index) => new Error('failed', { cause: new TypeError(slice(index, 300)) })],
];

describe('the bytes of remembered errors', measured, () => {
  it.each(errors)('are at least half of what %s take', async (_name, make) => {
    for (let index = 0; index < 200; index++) ErrorSnapshot.toStore(make(index));
    const held: unknown[] = new Array(many).fill(0);
    const before = (await usedBytes()).all;
    let counted = 0;
    for (let index = 0; index < many; index++) {
      const stored = ErrorSnapshot.toStore(make(index))!;
      held[index] = stored;
      counted += stored.bytes;
    }
    const real = (await usedBytes()).all - before;
    expect(held).toHaveLength(many);
    expect(counted / real).toBeGreaterThan(0.5);
    expect(counted / real).toBeLessThan(4);
  });
});
