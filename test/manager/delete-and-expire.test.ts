import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate } from '../helper/gate.js';

let persistDir: string;
let clock: FakeClock;
beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-expire-'));
  clock = new FakeClock();
});
afterEach(() => rmSync(persistDir, { recursive: true, force: true }));

const disk = (options: CacheOptions = {}) =>
  CacheManager.open({ clock, persist: true, persistDir, consolidateInterval: null, ...options });

describe('deleteKey', () => {
  it('deletes by key what was set, in memory and on disk, and supersedes a load under way', async () => {
    const first = await disk();
    const key = first.key('search', { q: 1 }, { scope: 's' });
    await first.set('search', { q: 1 }, 'old', { scope: 's' });
    expect(await first.deleteKey('search', key)).toBe(true);
    expect(await first.deleteKey('search', key)).toBe(false);
    const [{ promise, open }, called] = [gate<string>(), gate()];
    const loader = () => {
      called.open();
      return promise;
    };
    const load = first.getOrSet('search', { q: 1 }, loader, { scope: 's' });
    await called.promise;
    await first.method('search').deleteKey(key);
    open('late');
    expect(await load).toBe('late');
    await first.close();
    await using second = await disk();
    expect(await second.get('search', { q: 1 }, { scope: 's' })).toBeUndefined();
  });

  it('supersedes a load under way in memory alone too, where no stamp on disk protects the deletion', async () => {
    const cache = new CacheManager({ clock });
    const { promise, open } = gate<string>();
    const load = cache.getOrSet('search', 1, () => promise);
    await cache.deleteKey('search', cache.key('search', 1));
    open('late');
    expect(await load).toBe('late');
    expect(await cache.get('search', 1)).toBeUndefined();
  });

  it('refuses what is no key', async () => {
    await expect(new CacheManager().deleteKey('search', 'abc')).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: "Expected a key of 32 hex digits, as `cache.key(method, params)` gives it, got `'abc'`",
    });
  });
});

describe('expire', () => {
  it.each([
    ['memory', {}],
    ['disk', { maxSize: 1 }],
  ])('makes a value stale that stays to fall back on, in %s', async (_tier, options) => {
    const stale = { ...options, staleIfError: '1h' } as const;
    const cache = await disk(stale);
    await cache.set('search', 1, 'old');
    await cache.set('search', 2, 'other');
    expect(await cache.expire('search', 1)).toBe(true);
    expect(await cache.get('search', 1)).toBeUndefined();
    const failing = () => Promise.reject(new Error('down'));
    expect(await cache.getOrSet('search', 1, failing)).toBe('old');
    expect(await cache.get('search', 2)).toBe('other');
    await cache.close();
    await using again = await disk(stale);
    expect(await again.get('search', 1)).toBeUndefined();
    expect(await again.getOrSet('search', 1, failing)).toBe('old');
    clock.advance(3_600_000);
    await expect(again.getOrSet('search', 1, failing)).rejects.toThrow('down');
    expect(await again.getOrSet('search', 1, () => 'new')).toBe('new');
    expect(await again.get('search', 1)).toBe('new');
  });

  it('by key, and within staleWhileRevalidate answers once more while it is renewed', async () => {
    const cache = new CacheManager({ clock, ttl: '1h', staleWhileRevalidate: '1h' });
    await cache.set('search', 1, 'old');
    expect(await cache.expireKey('search', cache.key('search', 1))).toBe(true);
    expect(await cache.getOrSet('search', 1, () => 'new')).toBe('old');
    expect(await cache.getOrSet('search', 1, () => 'newer')).toBe('new');
  });

  it('lets nothing live longer, and tells that there is nothing', async () => {
    const cache = new CacheManager({ clock, ttl: 1000, staleIfError: 1000 });
    await cache.set('search', 1, 'old');
    clock.advance(1500);
    expect(await cache.expire('search', 1)).toBe(true);
    clock.advance(500);
    const failing = () => Promise.reject(new Error('down'));
    await expect(cache.getOrSet('search', 1, failing)).rejects.toThrow('down');
    expect(await cache.expire('search', 2)).toBe(false);
  });

  it('is newer than a load that is under way in another process of the folder', async () => {
    const options = { mode: 'multi', syncInterval: '1h', staleIfError: '1h' } as const;
    await using one = await disk(options);
    await using other = await disk(options);
    await one.set('search', 1, 'old');
    await one.flush();
    clock.advance(1_000);
    const { promise, open } = gate<string>();
    const load = other.refresh('search', 1, () => promise);
    clock.advance(1_000);
    expect(await one.expire('search', 1)).toBe(true);
    await one.flush();
    open('read before');
    await load;
    await other.flush();
    for (const cache of [one, other]) await cache.load();
    expect([await one.get('search', 1), await other.get('search', 1)]).toEqual([undefined, undefined]);
  });

  it('supersedes a load under way', async () => {
    const cache = new CacheManager({ clock });
    const { promise, open } = gate<string>();
    const load = cache.getOrSet('search', 1, () => promise);
    await cache.expire('search', 1);
    open('late');
    expect(await load).toBe('late');
    expect(await cache.get('search', 1)).toBeUndefined();
  });
});
