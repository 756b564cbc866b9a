import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { turnsDuring } from '../helper/turns.js';

const count = 1_000;
const numbers = Array.from({ length: count }, (_, number) => number);

/** From now on, every look at the time takes a millisecond. */
function slowDown(): void {
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 1;
    return now;
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('many at once', () => {
  it('lets others run', async () => {
    await using cache = new CacheManager();
    slowDown();
    const turns: number[] = [];
    const run = async (task: () => Promise<unknown>) => turns.push(await turnsDuring(task));
    await run(async () => {
      const stored = await cache.setMany(
        'square',
        numbers.map((n) => [n, n * n]),
      );
      expect(stored).toEqual(numbers.map(() => true));
    });
    await run(async () => {
      expect(await cache.getMany('square', numbers)).toEqual(numbers.map((n) => n * n));
    });
    await run(async () => {
      expect(await cache.deleteMany('square', numbers)).toEqual(numbers.map(() => true));
    });
    for (const each of turns) expect(each).toBeGreaterThan(count / 20);
    expect(cache.stats('square').entries).toBe(0);
  });

  it('goes on with the others where one fails', async () => {
    await using cache = new CacheManager();
    slowDown();
    await cache.setMany(
      'square',
      numbers.map((n) => [n, n * n]),
    );
    const unhashable = { call: () => undefined };
    const failing = cache.deleteMany('square', [unhashable, ...numbers]);
    await expect(failing).rejects.toMatchObject({ code: 'ERR_UNHASHABLE_PARAMS' });
    expect(cache.stats('square').entries).toBe(0);
  });

  it('rejects where the cache is closed meanwhile, and leaves no rejection behind', async () => {
    const cache = new CacheManager();
    slowDown();
    const storing = cache.setMany(
      'square',
      numbers.map((n) => [n, n * n]),
    );
    await cache.close();
    await expect(storing).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

describe('clearing many', () => {
  it('is done for all who ask at once, and lets others run while memory lets go of them', async () => {
    await using cache = new CacheManager({ maxSize: 10_000 });
    for (let n = 0; n < 8_000; n += 1) cache.setSync(n % 4 === 0 ? 'cube' : 'square', n, n);
    const { bytes } = cache.stats('cube');
    const left: string[] = [];
    cache.on('remove', ({ method, reason }) => left.push(`${method} ${reason}`));
    slowDown();
    const clearing = turnsDuring(() => cache.clear('square'));
    expect(left.length).toBeLessThan(6_000);
    expect(cache.getSync('square', 1)).toBeUndefined();
    expect(cache.stats('square')).toMatchObject({ entries: 0, bytes: 0, deletes: 6_000 });
    expect(cache.stats()).toMatchObject({ entries: 2_000, bytes });
    cache.setSync('square', 1, 'new');
    expect(await clearing).toBeGreaterThan(0);
    expect(cache.getSync('square', 1)).toBe('new');
    expect(cache.stats('square')).toMatchObject({ entries: 1, deletes: 6_000, replaced: 0 });
    expect(left).toEqual(Array.from({ length: 6_000 }, () => 'square clear'));
    expect(cache.stats().cacheErrors).toBe(0);
  });
});

describe('what another process has changed', () => {
  it('leaves memory while others run, before the load is done', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-changed-'));
    const options = { persist: true, persistDir, mode: 'multi', syncInterval: '1h' } as const;
    await using one = await CacheManager.open(options);
    await using other = await CacheManager.open(options);
    for (let n = 0; n < 500; n += 1) other.setSync('square', n, 'old');
    for (let n = 0; n < 400; n += 1) one.setSync('square', n, 'new');
    await one.flush();
    slowDown();
    expect(await turnsDuring(() => other.load())).toBeGreaterThan(20);
    vi.restoreAllMocks();
    expect(other.stats('square').entries).toBe(100);
    expect(await other.get('square', 399)).toBe('new');
    expect(await other.get('square', 400)).toBe('old');
    // Read anew, nothing is told key by key.
    for (let n = 400; n < 500; n += 1) one.setSync('square', n, 'newest');
    await one.flush();
    slowDown();
    expect(await turnsDuring(() => other.load({ mode: 'full' }))).toBeGreaterThan(10);
    vi.restoreAllMocks();
    expect(await other.get('square', 400)).toBe('newest');
    expect(await other.get('square', 399)).toBe('new');
    rmSync(persistDir, { recursive: true });
  });
});
