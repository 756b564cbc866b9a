import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CacheManager, hashKey } from '../../../src/index.js';
import { maxElements } from '../../../src/value/msgpack/limits.js';

const key = 'ab'.repeat(16);
const keyOf = (params: unknown) => hashKey('far', params);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-plain-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function give(body: Uint8Array): Promise<string> {
  const path = join(folder, 'given.cache');
  await writeFile(path, gzipSync(body));
  return path;
}

describe('plain files', () => {
  test.each([2 ** 52 / 1000 - 1, 2 ** 52 / 1000, 1e300])(
    'of %s as their time leave room for stamps that are newer',
    async (created_at) => {
      const given = await give(pack({ [key]: { result: 1, metadata: { created_at, method: 'far' } } }));
      const options = { persist: true, persistDir: join(folder, 'own'), maxSize: 1, flushOnExit: false };
      {
        await using cache = await CacheManager.open({ ...options, loadCache: given });
        for (let n = 0; n < 1_500; n += 1) cache.setSync('square', n, n * n);
        await cache.flush();
        expect(cache.stats().cacheErrors).toBe(0);
      }
      await using cache = await CacheManager.open(options);
      expect(await cache.get('square', 0)).toBe(0);
      expect(await cache.get('square', 1_499)).toBe(1_499 ** 2);
    },
  );

  const text = (value: string) => Buffer.from([0xa0 | value.length, ...Buffer.from(value)]);
  const head = (byte: number, count: number) =>
    Buffer.of(byte, count >>> 24, count >>> 16, count >>> 8, count);
  const entry = (...rest: Uint8Array[]) =>
    Buffer.concat([Buffer.of(0x81, 0xd9, 0x20), Buffer.from(key), Buffer.of(0x82), text('result'), ...rest]);
  const many = 2_000_000;

  test('of millions of pairs that are no entries let others have their turn meanwhile', async () => {
    const pairs = Buffer.alloc(2 * many, '\xa0\xc0', 'latin1');
    const given = await give(Buffer.concat([head(0xdf, many), pairs]));
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    count();
    await using cache = await CacheManager.open({ loadCache: given });
    isDone = true;
    expect(turns).toBeGreaterThan(1_000);
    expect(await cache.get('far', 1)).toBeUndefined();
  });

  test.each([
    ['lists', 0x90],
    ['maps', 0x80],
    ['nils', 0xc0],
  ])('with a value of 60 million %s are refused before those are walked', async (_what, item) => {
    const count = 60_000_000;
    const given = await give(
      entry(head(0xdd, count), Buffer.alloc(count, item), text('metadata'), Buffer.of(0x80)),
    );
    const cache = new CacheManager({ loadCache: given });
    const errors: string[] = [];
    cache.on('error', ({ error }) => void errors.push(error.message));
    await cache.open();
    expect(errors).toEqual([expect.stringContaining('values in one entry')]);
    await cache.close();
  });

  test('with a value of more elements than are decoded miss it, count that, and answer the rest', async () => {
    const others = pack({ [keyOf(2)]: { result: 'fine', metadata: { created_at: 1, method: 'far' } } });
    const metadata = pack({ created_at: 1, method: 'far' });
    const list = Buffer.concat([head(0xdd, maxElements + 1), Buffer.alloc(maxElements + 1, 0xc0)]);
    const hostile = entry(list, text('metadata'), metadata);
    hostile.write(keyOf(1), 3);
    await using cache = await CacheManager.open({ loadCache: await give(Buffer.concat([hostile, others])) });
    expect(await cache.get('far', 1)).toBeUndefined();
    expect(cache.stats().cacheErrors).toBe(1);
    expect(await cache.get('far', 2)).toBe('fine');
  });

  test.each([
    ['tags', Buffer.concat([text('tags'), head(0xdd, many), Buffer.alloc(many, 0xa0)])],
    ['fields', undefined],
  ])('with millions of %s are refused before those are read', async (what, tags) => {
    const fields = Buffer.concat([head(0xdf, many), Buffer.alloc(2 * many, '\xa0\xc0', 'latin1')]);
    const metadata = tags === undefined ? fields : Buffer.concat([Buffer.of(0x81), tags]);
    const given = await give(entry(Buffer.of(1), text('metadata'), metadata));
    const cache = new CacheManager({ loadCache: given });
    const errors: string[] = [];
    cache.on('error', ({ error }) => void errors.push(error.message));
    await cache.open();
    expect(errors).toEqual([expect.stringContaining(`over 100000 ${what} (${given}`)]);
    await cache.close();
  });
});
