/** What an entry is worth, that it says "nothing found" and how it slides outlive memory: by eviction and by a restart. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MapTier } from '../helper/map-tier.js';

let persistDir: string;
let clock: FakeClock;
const open: CacheManager[] = [];

beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-facts-'));
  clock = new FakeClock();
});

afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close();
  rmSync(persistDir, { recursive: true, force: true });
});

async function start(options: CacheOptions): Promise<CacheManager> {
  const disk = { persist: true, persistDir, consolidateInterval: null, flushOnExit: false } as const;
  const cache = await CacheManager.open({ clock, ...disk, ...options });
  open.push(cache);
  return cache;
}

/** The same folder in a new process, as far as one process can show it. */
async function restart(cache: CacheManager, options: CacheOptions): Promise<CacheManager> {
  await cache.close();
  return start(options);
}

describe('"nothing found" on disk', () => {
  const options = { ttl: '1h', negativeTtl: 1000 } as const;

  it('counts as a negative hit after a restart and is asked for anew after its negativeTtl', async () => {
    const first = await start(options);
    await first.getOrSet('row', 'a', () => null);
    await first.getOrSet('row', 'b', () => 'there');
    const cache = await restart(first, options);
    clock.advance(999);
    expect(await cache.lookup('row', 'a')).toMatchObject({ tier: 'disk', metadata: { isNegative: true } });
    expect(await cache.getOrSet('row', 'a', () => 'created')).toBeNull();
    expect(await cache.lookup('row', 'b')).toMatchObject({ tier: 'disk' });
    expect(cache.stats()).toMatchObject({ hits: 3, negativeHits: 2, loads: 0 });
    clock.advance(1);
    expect(await cache.getOrSet('row', 'a', () => 'created')).toBe('created');
    expect(await cache.lookup('row', 'a')).not.toHaveProperty('metadata.isNegative');
  });

  it('gives way to a later set, also after the next restart', async () => {
    const first = await start(options);
    await first.getOrSet('row', 'a', () => null);
    const second = await restart(first, options);
    await second.set('row', 'a', 'set');
    const third = await restart(second, options);
    clock.advance(1000);
    expect(await third.get('row', 'a')).toBe('set');
    expect(third.stats().negativeHits).toBe(0);
  });
});

describe('what an entry is worth, on disk', () => {
  /** How many of 5 dear entries are in memory after a restart and 100 cheap loads, all of which took equally long. */
  async function survivors(eviction: 'gdsf' | 'lru', dear: number): Promise<number> {
    const methods = { dear: { cost: () => dear }, cheap: { cost: () => 1 } };
    const options = { eviction, maxSize: 10, methods } as const;
    const load = () => void clock.advance(10);
    const first = await start(options);
    for (let key = 0; key < 5; key += 1) await first.getOrSet('dear', key, load);
    for (let key = 0; key < 5; key += 1) await first.getOrSet('cheap', key, load);
    const cache = await restart(first, options);
    for (let key = 0; key < 5; key += 1) {
      expect(await cache.lookup('dear', key)).toMatchObject({
        tier: 'disk',
        metadata: { cost: dear, loadMs: 10 },
      });
      await cache.get('cheap', key);
    }
    for (let key = 100; key < 200; key += 1) await cache.getOrSet('cheap', key, load);
    const { entries } = cache.stats('dear');
    await cache.clear();
    await cache.close();
    return entries;
  }

  it('decides under gdsf after a restart as before it; lru has dropped the dear ones', async () => {
    expect(await survivors('gdsf', 1000)).toBe(5);
    expect(await survivors('gdsf', 0.001)).toBe(0);
    expect(await survivors('lru', 1000)).toBe(0);
  });

  it('is what the load took where no `cost` is given', async () => {
    const first = await start({});
    await first.getOrSet('dear', 1, () => void clock.advance(1000));
    const cache = await restart(first, { eviction: 'gdsf', maxSize: 5 });
    await cache.get('dear', 1);
    for (let key = 0; key < 50; key += 1) await cache.getOrSet('cheap', key, () => void clock.advance(1));
    expect(cache.stats('dear').entries).toBe(1);
    expect(await cache.lookup('dear', 1)).not.toHaveProperty('metadata.cost');
  });
});

describe('sliding expiry on disk', () => {
  const sliding = { ttl: 1000, sliding: true, maxAge: 5000 } as const;

  it('goes on after a restart, up to the maxAge of the first write', async () => {
    const first = await start(sliding);
    await first.set('session', 1, 'data');
    const start0 = clock.now();
    const cache = await restart(first, sliding);
    clock.advance(900);
    expect(await cache.lookup('session', 1)).toMatchObject({
      tier: 'disk',
      metadata: { expiresAt: clock.now() + 1000, accessCount: 1, lastAccess: clock.now() },
    });
    for (let read = 0; read < 4; read += 1) {
      clock.advance(900);
      expect(await cache.lookup('session', 1)).toMatchObject({ tier: 'memory' });
    }
    expect(await cache.lookup('session', 1)).toMatchObject({ metadata: { expiresAt: start0 + 5000 } });
    clock.advance(499);
    expect(await cache.get('session', 1)).toBe('data');
    clock.advance(1);
    expect(await cache.get('session', 1)).toBeUndefined();
  });

  it('starts from the last write where memory has evicted what had slid', async () => {
    const cache = await start({ ...sliding, maxSize: 1 });
    await cache.set('session', 1, 'data');
    clock.advance(900);
    expect(await cache.get('session', 1)).toBe('data');
    await cache.set('session', 2, 'other');
    clock.advance(99);
    expect(await cache.lookup('session', 1)).toMatchObject({
      tier: 'disk',
      metadata: { expiresAt: clock.now() + 1000 },
    });
    await cache.set('session', 2, 'other');
    clock.advance(1);
    // In memory it would have lived on, but no file has heard of its hits.
    expect(await cache.get('session', 1)).toBeUndefined();
  });

  it('takes neither a listing nor `has` for a use', async () => {
    const first = await start(sliding);
    await first.set('session', 1, 'data');
    const expiresAt = clock.now() + 1000;
    const cache = await restart(first, sliding);
    clock.advance(600);
    for await (const { metadata, tier } of cache)
      expect([metadata.expiresAt, tier]).toEqual([expiresAt, 'disk']);
    expect(await cache.has('session', 1)).toBe(true);
    clock.advance(399);
    expect(cache.peek('session', 1)).toBe('data');
    clock.advance(1);
    expect(await cache.has('session', 1)).toBe(false);
  });

  it('keeps apart how long a value is fresh and how long it may stand in for a failed load', async () => {
    const options = { ...sliding, maxAge: 1500, staleIfError: 2000 };
    const first = await start(options);
    await first.set('session', 1, 'data');
    const cache = await restart(first, options);
    const fail = () => cache.getOrSet('session', 1, () => Promise.reject(new Error('down')));
    clock.advance(900);
    expect(await fail()).toBe('data');
    clock.advance(599);
    expect(await fail()).toBe('data');
    expect(cache.stats()).toMatchObject({ hits: 2, staleHits: 0 });
    clock.advance(1);
    expect(await fail()).toBe('data');
    expect(cache.stats()).toMatchObject({ hits: 2, staleHits: 1 });
    clock.advance(2000);
    await expect(fail()).rejects.toThrow('down');
  });

  it('lives exactly as long as an obvious model says, whatever is read, evicted and restarted', async () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 700 }),
      action: fc.constantFrom('read', 'read', 'look', 'evict', 'restart', 'write'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const options = { clock, ...sliding, maxAge: 2500, maxSize: 1 };
        const tier = new MapTier();
        let cache = new CacheManager(options, [tier]);
        let model: { written: number; used: number } | undefined;
        for (const { wait, action } of steps) {
          clock.advance(wait);
          const now = clock.now();
          if (action === 'write') {
            await cache.set('session', 1, 'data');
            model = { written: now, used: now };
          } else if (action === 'evict' || action === 'restart') {
            if (action === 'restart') cache = new CacheManager(options, [tier]);
            else await cache.set('session', 2, 'other');
            if (model !== undefined) model.used = model.written;
          } else {
            const isAlive = model !== undefined && now < Math.min(model.used + 1000, model.written + 2500);
            if (action === 'look') expect(await cache.has('session', 1)).toBe(isAlive);
            else expect(await cache.get('session', 1)).toBe(isAlive ? 'data' : undefined);
            if (!isAlive) model = undefined;
            else if (action === 'read') model!.used = now;
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

it('tells in `stats().disk` what the disk tier has done', async () => {
  const cache = await start({});
  await cache.set('search', 'otters', 2);
  await cache.flush();
  expect(cache.stats().disk).toMatchObject({
    writtenEntries: 1,
    droppedEntries: 0,
    quarantinedFiles: 0,
    errors: 0,
  });
  expect(cache.stats('search').disk).toBeUndefined();
  expect(new CacheManager().stats().disk).toBeUndefined();
});
