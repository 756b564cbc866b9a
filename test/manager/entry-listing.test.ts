import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type StoreFactory } from '../../src/index.js';
import { createStore } from '../../src/store/registry.js';
import { turnsDuring } from '../helper/turns.js';

let persistDir: string;

beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-listing-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(persistDir, { recursive: true, force: true });
});

describe('going through all entries', () => {
  it.each(['memory', 'disk'] as const)('says so when the cache is closed meanwhile, in %s', async (tier) => {
    const disk = { persist: true, persistDir, consolidateInterval: null, maxSize: 1 };
    const cache = await CacheManager.open(tier === 'disk' ? disk : {});
    for (let n = 0; n < 20; n += 1) await cache.set('search', n, n);
    await cache.flush();
    const listed: unknown[] = [];
    const going = (async () => {
      for await (const { value } of cache) {
        listed.push(value);
        if (listed.length === 3) await cache.close();
      }
    })();
    await expect(going).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    expect(listed).toHaveLength(3);
    await expect(cache.entries().next()).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });

  it('ends without a word where the caller ends it', async () => {
    const cache = new CacheManager();
    for (let n = 0; n < 3; n += 1) cache.setSync('search', n, n);
    for await (const _ of cache) break;
    expect(cache.methods()).toEqual(['search']);
  });

  it('keeps nothing of methods that nobody uses, whose values can not be read', async () => {
    const count = 40;
    const path = join(persistDir, 'given.cache');
    const entries = Array.from({ length: count }, (_, number) => {
      const metadata = { created_at: 0, method: `foreign ${number}` };
      return [number.toString(16).padStart(32, '0'), { result: 'unreadable', metadata }];
    });
    const body = pack(Object.fromEntries(entries));
    // Each result is an ext value of our type instead, whose bytes are none of ours.
    const text = Buffer.concat([Buffer.of(0xa0 | 10), Buffer.from('unreadable')]);
    const unreadable = Buffer.concat([Buffer.of(0xc7, 8, 84), Buffer.alloc(8, 0xc1)]);
    for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at)) unreadable.copy(body, at);
    writeFileSync(path, gzipSync(body));
    await using cache = await CacheManager.open({ loadCache: path });
    const failed: unknown[] = [];
    cache.on('error', ({ error, method }) => failed.push(`${error.code} ${method}`));
    for await (const _ of cache) expect.unreachable();
    expect(new Set(failed).size).toBe(count);
    expect(failed).toContain('ERR_UNREADABLE_VALUE foreign 7');
    expect(cache.stats().cacheErrors).toBe(count);
    expect(cache.methods()).toEqual([]);
    cache.method('foreign 7');
    for await (const _ of cache) expect.unreachable();
    expect(cache.stats('foreign 7').cacheErrors).toBe(1);
  });

  it('looks at the entries in memory one by one, not at all of them for the first', async () => {
    let looks = 0;
    const eviction: StoreFactory = (options) => {
      const store = createStore('lru', options);
      const { entries } = store;
      store.entries = function* () {
        for (const entry of entries.call(store)) {
          looks += 1;
          yield entry;
        }
      };
      return store;
    };
    await using cache = new CacheManager({ eviction });
    for (let n = 0; n < 100; n += 1) cache.setSync('search', n, n);
    const listed = cache.entries();
    expect((await listed.next()).value).toMatchObject({ method: 'search' });
    expect(looks).toBeLessThan(2);
    await listed.return(undefined);
  });

  it.each(['memory', 'a plain file'])('lets others run, though %s has nothing to wait for', async (place) => {
    const count = 1_000;
    const path = join(persistDir, 'given.cache');
    const entries = Array.from({ length: count }, (_, number) => [
      number.toString(16).padStart(32, '0'),
      { result: number, metadata: { created_at: 0, method: `foreign ${number}` } },
    ]);
    writeFileSync(path, gzipSync(pack(Object.fromEntries(entries))));
    await using cache = await CacheManager.open(place === 'memory' ? {} : { loadCache: path });
    if (place === 'memory') for (let n = 0; n < count; n += 1) cache.setSync('search', n, n);
    let listed = 0;
    const list = async (method?: string) => {
      for await (const _ of cache.entries(method)) listed += 1;
    };
    // Every look at the time takes a millisecond.
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 1;
      return now;
    });
    expect(await turnsDuring(list)).toBeGreaterThan(count / 20);
    expect(listed).toBe(count);
    // Also where nothing is handed out.
    if (place !== 'memory') expect(await turnsDuring(() => list('of nobody'))).toBeGreaterThan(count / 20);
  });
});
