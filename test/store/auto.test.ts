/** `w-tinylfu` and `auto`: which window they take, on traffic of several kinds. */

import { describe, expect, it, test, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { autoRules } from '../../src/store/auto.js';
import { createStore } from '../../src/store/registry.js';
import type { StoreEntry } from '../../src/store/store.js';
import { AdaptiveWindowOrder, windowRules } from '../../src/store/w-tinylfu.js';
import { storeContract } from '../../src/testing/index.js';
import { loop, rollouts, skewed } from '../helper/access-traces.js';
import { shardedStores } from '../helper/sharded-stores.js';
import { hitsOf } from '../helper/slow-store.js';

for (const store of ['w-tinylfu', 'auto', shardedStores['w-tinylfu'], shardedStores.auto])
  for (const { name, run } of storeContract(store)) test(name, run);

/** Hits as shares of all lookups, in percent. */
function rates(names: readonly string[], maxSize: number, trace: readonly string[]): number[] {
  return names.map((name) => (100 * hitsOf(name, maxSize, trace)) / trace.length);
}

describe('auto and w-tinylfu', () => {
  it.each([
    ['a few tasks at once', { atOnce: 4, calls: 12, tasks: 200 }, 60],
    ['eight', { atOnce: 8, calls: 20, tasks: 120 }, 240],
    ['many', { atOnce: 32, calls: 10, tasks: 300 }, 500],
  ])(
    'are near LRU on rollouts of %s, whose calls repeat in four trials and never again',
    (_, options, maxSize) => {
      const trace = rollouts(options);
      const [lru, auto, tinyLfu, sieve] = rates(['lru', 'auto', 'w-tinylfu', 'sieve'], maxSize, trace) as [
        number,
        number,
        number,
        number,
      ];
      expect(lru).toBeGreaterThan(35);
      expect(auto).toBeGreaterThan(lru - 1);
      expect(tinyLfu).toBeGreaterThan(lru - 3);
      // What they are measured against is not easy to come by.
      expect(sieve).toBeLessThan(lru - 15);
    },
  );

  it('keep a part of a loop that is larger than the cache, of which LRU keeps nothing', () => {
    const [lru, auto, tinyLfu] = rates(['lru', 'auto', 'w-tinylfu'], 500, loop(700, 8)) as [
      number,
      number,
      number,
    ];
    expect(lru).toBe(0);
    // At best 499 of 700, but for the first round.
    expect(auto).toBeGreaterThan(50);
    expect(tinyLfu).toBeGreaterThan(50);
  });

  it('keep what is popular', () => {
    const [lru, auto, tinyLfu] = rates(['lru', 'auto', 'w-tinylfu'], 300, skewed()) as [
      number,
      number,
      number,
    ];
    expect(auto).toBeGreaterThan(lru + 2);
    expect(tinyLfu).toBeGreaterThan(lru + 2);
  });

  it('follow traffic that changes, there and back, in caches of which they simulate a part', () => {
    const tasks = rollouts({ atOnce: 40, calls: 40, tasks: 400 });
    const trace = [
      ...tasks,
      ...loop(3000, 12),
      ...rollouts({ atOnce: 40, calls: 40, tasks: 400 }).map((key) => `${key}'`),
    ];
    for (const rules of [autoRules, windowRules]) {
      const order = new AdaptiveWindowOrder<StoreEntry>(2000, rules);
      const windows: number[] = [];
      for (const [at, key] of trace.entries()) {
        if (order.use(key) === undefined) {
          if (order.size >= 2000) order.evict(undefined);
          order.insert({ key, bytes: 1, expiresAt: null, loadMs: 0 });
        }
        if ([tasks.length, tasks.length + 36_000, trace.length].includes(at + 1))
          windows.push(order.rule.share);
      }
      expect(windows).toEqual([1, expect.toSatisfy((share: number) => share < 1), 1]);
      expect(order.standing.changes).toBeLessThan(12);
    }
  });
});

describe('the window', () => {
  const maxSize = 400;
  const order = () => new AdaptiveWindowOrder<StoreEntry>(maxSize, autoRules);
  const visit = (to: AdaptiveWindowOrder<StoreEntry>, keys: readonly string[]) => {
    for (const key of keys) {
      if (to.use(key) !== undefined) continue;
      if (to.size >= maxSize) to.evict(undefined);
      to.insert({ key, bytes: 1, expiresAt: null, loadMs: 0 });
    }
    return to.rule.share;
  };
  const named = (name: string, length: number) => Array.from({ length }, (_, index) => `${name} ${index}`);

  it('becomes narrow in a drought of a full cache, so that a scan leaves what there is', () => {
    const one = order();
    const kept = named('kept', maxSize);
    expect(visit(one, [...kept, ...kept, ...named('first', 30)])).toBe(1);
    expect(visit(one, named('scan', maxSize))).toBe(0.01);
    expect(kept.filter((key) => one.use(key) !== undefined).length).toBeGreaterThan(maxSize / 2);
  });

  it('keeps what there was before the drought that it becomes full in', () => {
    const one = order();
    const kept = named('kept', maxSize / 2);
    visit(one, [...kept, ...kept, ...named('scan', maxSize)]);
    expect(one.rule.share).toBe(0.01);
    expect(kept.filter((key) => one.use(key) !== undefined).length).toBeGreaterThan(0.47 * maxSize);
  });

  it('lets the newest of a drought go, once what it had pushed out comes again', () => {
    const one = order();
    const kept = named('kept', maxSize);
    // No drought before it is full.
    visit(one, [...kept, ...kept, ...kept, ...named('scan', maxSize)]);
    for (let round = 0; round < 3; round += 1) visit(one, kept);
    expect(kept.filter((key) => one.use(key) !== undefined).length).toBeGreaterThan(0.92 * maxSize);
  });

  it('is left for a drought ever later where droughts turn out to be none', () => {
    // The first trial of each task is a drought, longer than what is taken for one.
    const trace = rollouts({ seed: 3, atOnce: 2, calls: 40, tasks: 80 });
    const [lru, auto] = rates(['lru', 'auto'], 120, trace) as [number, number];
    expect(auto).toBeGreaterThan(lru - 1);
  });

  it('changes again and again with the traffic, within a few rounds of it', () => {
    const one = order();
    const recent = Array.from({ length: 20 }, (_, task) => named(`task ${task}`, 200)).flatMap((calls) => [
      ...[...calls, ...calls, ...calls],
    ]);
    // No drought: a popular key comes between.
    const again = loop(600, 12).flatMap((key) => [key, 'popular']);
    visit(one, [...named('kept', maxSize), ...named('scan', maxSize)]);
    expect(visit(one, recent)).toBe(1);
    expect(visit(one, again)).toBeLessThan(1);
    expect(
      visit(
        one,
        recent.map((key) => `${key}'`),
      ),
    ).toBe(1);
  });
});

describe('auto', () => {
  it('says as what it evicts, and why', () => {
    const store = createStore<StoreEntry>('auto', {
      ...{ maxSize: 100, maxBytes: 1e9, random: Math.random, onRemove: () => {} },
    }) as ReturnType<typeof createStore> & { readonly policy: string };
    expect(store.policy).toBe('lru: nothing had to leave yet');
    for (const key of loop(150, 5))
      if (!store.get(key)) store.set({ key, bytes: 1, expiresAt: null, loadMs: 0 });
    expect(store.policy).toMatch(
      /^w-tinylfu with a window of 1 %: of the last \d+ lookups of sampled keys, lru 0 %, w-tinylfu with a window of 1 % \d\d %, what was used twice with a window of 5 % \d+ %, what was used twice with a window of 50 % \d+ % would be answered$/,
    );
  });

  it('says so in the report of a cache, whose size may be in bytes', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const cache = new CacheManager({ eviction: 'auto', maxBytes: 60_000 });
    for (const key of loop(200, 5)) await cache.getOrSet('read', { key }, () => key);
    expect(cache.stats().hits).toBeGreaterThan(100);
    expect(cache.report().replace(/\s+/g, ' ')).toContain(
      'Evicts as w-tinylfu with a window of 1 %: of the last',
    );
    expect(new CacheManager().report()).not.toContain('Evicts as');
    await cache.close();
    vi.restoreAllMocks();
  });

  it('begins anew after it was cleared', () => {
    const order = new AdaptiveWindowOrder<StoreEntry>(50, autoRules);
    const visit = (key: string) => {
      if (order.use(key) !== undefined) return;
      if (order.size >= 50) order.evict(undefined);
      order.insert({ key, bytes: 1, expiresAt: null, loadMs: 0 });
    };
    for (const key of loop(80, 4)) visit(key);
    expect(order.standing.lookups).toBeGreaterThan(0);
    expect([...order.clear()].length).toBe(50);
    expect(order.size).toBe(0);
    for (const key of loop(40, 2)) visit(key);
    expect([...order.inOrder()].length).toBe(40);
  });
});
