import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { countedBy } from '../../src/dashboard/figures.js';
import { History } from '../../src/dashboard/history.js';
import { DashboardWatch } from '../../src/dashboard/watch.js';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';

afterEach(() => void vi.useRealTimers());

describe('the history of a dashboard', () => {
  it('goes back to its beginning in a bounded number of moments, oldest first', async () => {
    const cache = new CacheManager();
    const core = coreOf(cache)!;
    for (const method of Array.from({ length: 30 }, (_, at) => `tool ${at}`)) cache.setSync(method, 1, 1);
    const history = new History();
    for (let moment = 0; moment < 5000; moment += 1) {
      await cache.getOrSet('search', moment % 10, () => 1);
      if (moment % 500 === 0) history.add(moment, countedBy(core));
      else
        history.add(moment, {
          stats: core.state('search').counters.summary(core.state('search').gates.summary()),
          methods: [],
        });
    }
    const times = history.points.map(({ time }) => time);
    expect(times.length).toBeGreaterThan(140);
    expect(times.length).toBeLessThanOrEqual(301);
    expect(times[0]).toBe(0);
    expect(times.at(-1)).toBeGreaterThan(4950);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(history.points.every(({ methods }) => methods.length <= 12)).toBe(true);
    expect(history.points[0]!.methods[0]).toMatchObject({ name: 'search', stats: { misses: 1 } });
    expect(JSON.stringify(history.points[0]).length).toBeLessThan(3000);
  });

  it('begins when the dashboard is made, and ends with it', async () => {
    vi.useFakeTimers();
    const cache = new CacheManager();
    const core = coreOf(cache)!;
    const watch = new DashboardWatch(core, async () => countedBy(core));
    await cache.getOrSet('search', 1, () => 1);
    await vi.advanceTimersByTimeAsync(5_100);
    await cache.getOrSet('search', 1, () => 1);
    await vi.advanceTimersByTimeAsync(5_100);
    expect(watch.past.map(({ stats }) => [stats.hits, stats.misses])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    watch.stop();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(watch.past).toHaveLength(2);
    expect(core.tiers.reads.listeners.size).toBe(0);
  });

  it('does without what can not be counted', async () => {
    vi.useFakeTimers();
    const core = coreOf(new CacheManager())!;
    let isBroken = true;
    const watch = new DashboardWatch(core, async () => {
      if (isBroken) throw new Error('the folder is gone');
      return countedBy(core);
    });
    await vi.advanceTimersByTimeAsync(5_100);
    isBroken = false;
    await vi.advanceTimersByTimeAsync(5_100);
    expect(watch.past).toHaveLength(1);
    await expect(watch.read()).resolves.toMatchObject({ usage: [] });
    watch.stop();
  });
});

describe('looks into tiers', () => {
  it('are timed behind memory, and tried in it, without a use', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-dashboard-'));
    const cache = await CacheManager.open({ persist: true, persistDir, maxSize: 2 });
    const core = coreOf(cache)!;
    const watch = new DashboardWatch(core, async () => countedBy(core));
    try {
      for (const id of [1, 2, 3, 1]) await cache.getOrSet('search', id, () => ({ id }));
      await cache.flush();
      const before = cache.stats();
      const { lookups, usage } = await watch.read();
      const tiers = new Map(lookups.map((each) => [each.tier, each]));
      expect(tiers.get('disk')).toMatchObject({ looks: 4 });
      expect(tiers.get('memory')!.looks).toBeGreaterThan(0);
      for (const { p50, p99 } of lookups) {
        expect(p50).toBeGreaterThan(0);
        expect(p99).toBeGreaterThanOrEqual(p50);
      }
      expect(usage).toMatchObject([{ tier: 'disk', method: 'search', entries: 3, files: 1 }]);
      expect(cache.stats()).toEqual(before);
    } finally {
      watch.stop();
      await cache.close();
      rmSync(persistDir, { recursive: true });
    }
  });
});
