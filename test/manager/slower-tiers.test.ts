/** What slower tiers tell, hold and fail with during a call: no old answer is stored, and the tool call goes on. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { MemoryTier } from '../../src/store/memory-tier.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryRemote } from '../../src/testing/memory-remote.js';
import type { LoadWatch, LoadWatchListener } from '../../src/tier.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

/** Tells of other processes' changes when the test says so. */
class WatchedTier extends MapTier {
  readonly open$ = new Set<LoadWatchListener>();

  watch(_: unknown, onChange: LoadWatchListener): LoadWatch {
    this.open$.add(onChange);
    return { isInvalidated: () => false, end: () => void this.open$.delete(onChange) };
  }

  tell(change: 'key' | 'tag'): void {
    for (const listener of this.open$) listener(change);
  }
}

describe('a load during which a tag is invalidated elsewhere', () => {
  it.each<[string, (cache: CacheManager) => unknown]>([
    ['deleted', (cache) => cache.delete('tool', 1)],
    ['cleared', (cache) => cache.clear('tool')],
    ['cleared with all', (cache) => cache.clear()],
  ])('is not stored when its key is %s afterwards', async (_, change) => {
    const tier = new WatchedTier();
    const cache = new CacheManager({}, [tier]);
    const tool = gate<string>();
    const call = cache.getOrSet('tool', 1, () => tool.promise);
    await settle();
    tier.tell('tag');
    await change(cache);
    tool.open('old');
    expect(await call).toBe('old');
    expect(await cache.get('tool', 1)).toBeUndefined();
    expect(tier.open$.size).toBe(0);
  });

  it('fails without its error being remembered when its key is deleted afterwards', async () => {
    const tier = new WatchedTier();
    const cache = new CacheManager({ cacheErrors: () => '1h' }, [tier]);
    const tool = gate<string>();
    const call = cache.getOrSet('tool', 1, () => tool.promise);
    await settle();
    tier.tell('tag');
    await cache.delete('tool', 1);
    tool.fail(new Error('down'));
    await expect(call).rejects.toThrow('down');
    expect(await cache.getOrSet('tool', 1, () => 'up')).toBe('up');
  });

  it('is stored when nothing else happens', async () => {
    const tier = new WatchedTier();
    const cache = new CacheManager({}, [tier]);
    const tool = gate<string>();
    const call = cache.getOrSet('tool', 1, () => tool.promise);
    await settle();
    tier.tell('tag');
    tool.open('new');
    await call;
    expect(await cache.get('tool', 1)).toBe('new');
  });
});

describe('a result that is stamped by a shared clock ahead of this machine', () => {
  const opened = async (use: (cache: CacheManager) => Promise<void>) => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-ahead-'));
    const start = Date.UTC(2026, 10, 1);
    const remote = new MemoryRemote({ clock: new FakeClock(start + 10_000) });
    const cache = await CacheManager.open({
      ...{ remote, clock: new FakeClock(start), maxSize: 1, persist: true, persistDir },
    });
    try {
      await cache.getOrSet('tool', 1, () => 'old');
      await use(cache);
    } finally {
      await cache.close();
      rmSync(persistDir, { recursive: true });
    }
  };

  it('is gone when it is deleted', () =>
    opened(async (cache) => {
      await cache.delete('tool', 1);
      expect(await cache.get('tool', 1)).toBeUndefined();
    }));

  it('gives way to what is set, on disk too', () =>
    opened(async (cache) => {
      await cache.set('tool', 1, 'new');
      await cache.set('tool', 2, 'takes its place in memory');
      expect(await cache.get('tool', 1)).toBe('new');
    }));
});

it('`expire` brings nothing back that is deleted at any turn of it', async () => {
  for (let turns = 0; turns < 40; turns += 1) {
    const cache = new CacheManager({ maxSize: 1, staleWhileRevalidate: '1h' }, [new MapTier()]);
    await cache.set('tool', 1, 'old');
    await cache.set('tool', 2, 'takes its place in memory');
    const expired = cache.expire('tool', 1);
    for (let turn = 0; turn < turns; turn += 1) await null;
    const deleted = cache.delete('tool', 1);
    await Promise.all([expired, deleted]);
    const found = await cache.lookup('tool', 1);
    expect([turns, found.outcome]).toEqual([turns, 'miss']);
    expect(await cache.getOrSet('tool', 1, () => 'new')).toBe('new');
  }
});

it('a stale value that can not be read costs no call its answer where there is a further tier', async () => {
  const clock = new FakeClock();
  const tiers = [new MapTier(), new MapTier()];
  const cache = new CacheManager({ clock, ttl: 1000, staleIfError: '1h', maxSize: 1 }, tiers);
  const errors: unknown[] = [];
  cache.on('error', ({ error }) => errors.push(error));
  await cache.set('tool', 1, 'old');
  await cache.set('tool', 2, 'takes its place in memory');
  const key = cache.key('tool', 1);
  tiers[0]!.records.set(key, { ...tiers[0]!.records.get(key)!, encoded: Uint8Array.of(0xc1) });
  tiers[1]!.records.delete(key);
  await clock.advanceAsync(2000);
  expect(await cache.getOrSet('tool', 1, () => 'new')).toBe('new');
  expect(errors).toHaveLength(1);
});

describe('a load that waits for another, since its key was deleted before its tool was called', () => {
  const overtaken = async (options: object, other: (cache: CacheManager) => Promise<unknown>) => {
    const clock = new FakeClock();
    const tier = new MapTier();
    const read = gate();
    tier.beforeAnswer = () => read.promise;
    const cache = new CacheManager({ clock, ...options }, [tier]);
    const first = cache.getOrSet('tool', 1, () => 'own');
    await settle();
    await cache.delete('tool', 1);
    const second = other(cache);
    const ended = second.catch((error: unknown) => error);
    await settle();
    read.open();
    await settle();
    return { clock, cache, first, ended };
  };

  it('calls its own tool when that is ended by a bound of its own', async () => {
    const hang = () => new Promise<never>(() => undefined);
    const { clock, first, ended } = await overtaken({}, (cache) =>
      cache.getOrSet('tool', 1, hang, { hardTimeout: 50 }),
    );
    await clock.advanceAsync(60);
    expect(await ended).toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
    expect(await first).toBe('own');
  });

  it('calls its own tool when what that came to can not be decoded', async () => {
    class Point {
      constructor(readonly x: number) {}
    }
    const point = {
      ...{
        tag: 'point',
        test: (value: unknown): value is Point => value instanceof Point,
        encode: ({ x }: Point) => x,
      },
      decode: (): Point => {
        throw new Error('no point');
      },
    };
    const tool = gate<Point>();
    const { cache, first, ended } = await overtaken({ codecs: [point] }, (each) =>
      each.getOrSet('tool', 1, () => tool.promise),
    );
    tool.open(new Point(1));
    expect(await ended).toEqual(new Point(1));
    expect(await first).toBe('own');
    expect(cache.stats().cacheErrors).toBeGreaterThan(0);
  });
});

it('calls that an open circuit refuses leave no watch behind', async () => {
  const tier = new WatchedTier();
  const cache = new CacheManager({ circuitBreaker: { failures: 1, openFor: '1h' } }, [tier]);
  const tool = vi.fn(() => Promise.reject(new Error('down')));
  await expect(cache.getOrSet('tool', 0, tool)).rejects.toThrow('down');
  for (let at = 1; at <= 100; at += 1)
    await expect(cache.getOrSet('tool', at, tool)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
  expect(tool).toHaveBeenCalledTimes(1);
  expect(tier.open$.size).toBe(0);
});

describe('a tier that throws where none may', () => {
  const methods = ['write', 'delete', 'clear', 'invalidateTag', 'isReplaced', 'watch'] as const;

  it.each([...methods.map((method) => [method]), methods])(
    'costs no call its answer: %s',
    async (...broken) => {
      const tier = new WatchedTier();
      for (const method of broken)
        vi.spyOn(tier, method).mockImplementation(() => {
          throw new Error('broken');
        });
      const cache = new CacheManager({ tags: ['all'] }, [tier]);
      expect(await cache.getOrSet('tool', 1, () => 'mine')).toBe('mine');
      await cache.set('tool', 2, 'set');
      await cache.delete('tool', 1);
      await cache.invalidateTags(['all']);
      await cache.clear();
      expect(await cache.getOrSet('tool', 1, () => 'anew')).toBe('anew');
      expect(cache.stats().cacheErrors).toBeGreaterThan(0);
    },
  );
});

it('a store that fails keeps no change of others from the disk', async () => {
  const remote = new MemoryRemote();
  const tier = new MapTier();
  const cache = new CacheManager({ remote }, [tier]);
  const other = new CacheManager({ remote });
  await cache.set('tool', 1, 'old');
  await settle();
  expect(tier.records.size).toBe(1);
  const peek = vi.spyOn(MemoryTier.prototype, 'peek').mockImplementation(() => {
    throw new Error('broken');
  });
  try {
    await other.delete('tool', 1);
    await settle();
  } finally {
    peek.mockRestore();
  }
  expect(tier.records.size).toBe(0);
});
