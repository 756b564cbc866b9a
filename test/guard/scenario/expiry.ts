/** Scenarios of the guards that decide on when values expire: breakdown and avalanche. */

import { expect } from 'vitest';
import type { CacheOptions } from '../../../src/index.js';
import type { FakeClock } from '../../../src/testing/fake-clock.js';
import { gate } from '../../helper/gate.js';
import { MapTier } from '../../helper/map-tier.js';
import { seededRandom } from '../seeded-random.js';
import { down, makeCache, scenario } from './scenario.js';

/** A tool that takes so long on the fake clock. */
function slowTool(clock: FakeClock, ms: number, answer: unknown = 'answer') {
  return () => {
    const done = gate<unknown>();
    clock.schedule(() => done.open(answer), ms);
    return done.promise;
  };
}

export const staleWhileRevalidate = scenario({
  does: 'spares callers the wait for a value that has just expired, within its window',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { staleWhileRevalidate: 500 } : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 1000, staleIfError: '1h', ...own });
    await cache.set('tool', 1, 'old');
    const waits: number[] = [];
    for (const age of [1000, 1499, 1500]) {
      const key = `expired at ${age}`;
      await cache.set('tool', key, 'old');
      clock.advance(age);
      const before = clock.elapsed();
      const asking = cache.getOrSet('tool', key, slowTool(clock, 100)).then(() => {
        waits.push(clock.elapsed() - before);
      });
      await clock.advanceAsync(100);
      await asking;
    }
    return waits;
  },
  guarded: [0, 0, 100],
  bare: [100, 100, 100],
});

export const failingRenewals = scenario({
  does: 'leaves a value alone for longer after each failed renewal, and keeps it',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { staleWhileRevalidate: '1h' as const } : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 1000, random: () => 0.999, ...own });
    await cache.set('tool', 1, 'old');
    clock.advance(1000);
    let [loads, errors] = [0, 0];
    const failing = () => {
      loads += 1;
      return down();
    };
    for (let second = 0; second < 300; second += 1) {
      await cache.getOrSet('tool', 1, failing).catch(() => {
        errors += 1;
      });
      await clock.advanceAsync(1000);
    }
    return { loads, errors };
  },
  guarded({ loads, errors }) {
    // 1 + 2 + 4 + … + 32 s, then once a minute.
    expect(errors).toBe(0);
    expect(loads).toBeGreaterThan(6);
    expect(loads).toBeLessThan(13);
  },
  bare: { loads: 300, errors: 300 },
});

export const refreshAhead = scenario({
  does: 'renews a hot key before it expires, so that hardly anybody waits, and does not load all the time',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { refreshAhead: { beta: 2 } } : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 1000, random: seededRandom(7), ...own });
    // One read every 10 ms for 10 s; the load takes 50 ms.
    for (let read = 0; read < 1000; read += 1) {
      void cache.getOrSet('tool', 1, slowTool(clock, 50));
      await clock.advanceAsync(10);
    }
    const { misses, coalesced, loads } = cache.stats();
    return { waits: misses + coalesced, loads };
  },
  guarded({ waits, loads }) {
    expect(waits).toBeLessThan(15);
    expect(loads).toBeLessThan(17);
  },
  bare({ waits, loads }) {
    expect(waits).toBeGreaterThan(40);
    expect(loads).toBeLessThan(12);
  },
});

export const jitter = scenario({
  does: 'spreads the expiry of 10,000 keys that were set in one instant, and only shortens',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { jitter: 0.1 } : {};
    const random = seededRandom(11);
    const { cache, clock } = makeCache(toolstash, {
      ...{ ttl: '1h', maxSize: 10_000, values: 'reference', random },
      ...own,
    });
    const start = clock.now();
    const inTenth = new Map<number, number>();
    let [first, last] = [Infinity, 0];
    for (let key = 0; key < 10_000; key += 1) cache.setSync('tool', key, key);
    for await (const { metadata } of cache) {
      const life = metadata.expiresAt! - start;
      const tenth = Math.floor(life / 100);
      inTenth.set(tenth, (inTenth.get(tenth) ?? 0) + 1);
      [first, last] = [Math.min(first, life), Math.max(last, life)];
    }
    return { fullest: Math.max(...inTenth.values()), first, last };
  },
  guarded({ fullest, first, last }) {
    // 6 minutes are 3,600 tenths of a second: about 3 keys in each (seed 11).
    expect(fullest).toBeLessThan(20);
    expect(first).toBeGreaterThanOrEqual(0.9 * 3_600_000);
    expect(last).toBeLessThanOrEqual(3_600_000);
  },
  bare: { fullest: 10_000, first: 3_600_000, last: 3_600_000 },
});

export const ttlClasses = scenario({
  does: 'lets what changes often expire sooner than the rest, and not all together',
  async drive(toolstash, isGuarded) {
    const methods = { session: { ttl: '15m' }, config: { ttl: '30m' }, metadata: { ttl: '1h' } } as const;
    const { cache, clock } = makeCache(toolstash, { ttl: '30m', ...(isGuarded && { methods }) });
    let [loads, busiestMinute, oldestSession] = [0, 0, 0];
    for (let minute = 0; minute < 59; minute += 1) {
      const before = loads;
      for (const method of ['session', 'config', 'metadata']) {
        for (let key = 0; key < 50; key += 1) {
          const loadedAt = await cache.getOrSet(method, key, () => {
            loads += 1;
            return minute;
          });
          if (method === 'session') oldestSession = Math.max(oldestSession, minute - loadedAt);
        }
      }
      if (minute > 0) busiestMinute = Math.max(busiestMinute, loads - before);
      clock.advance(60_000);
    }
    return { busiestMinute, oldestSession };
  },
  guarded: { busiestMinute: 100, oldestSession: 14 },
  bare: { busiestMinute: 150, oldestSession: 29 },
});

export const memoryTtl = scenario({
  does: 'lets memory ask the slower tiers again soon, which keep a value for its whole ttl',
  async drive(toolstash, isGuarded) {
    const tier = new MapTier();
    const own = isGuarded ? { memoryTtl: 1000 } : {};
    const { cache, clock } = makeCache(toolstash, { ttl: 10_000, ...own }, [tier]);
    await cache.set('tool', 1, 'old');
    await cache.set('tool', 2, 'kept');
    // As another process does, of which memory hears nothing.
    const other = new toolstash.CacheManager({ clock, ttl: 20_000 }, [tier]);
    clock.advance(500);
    await other.set('tool', 1, 'new');
    clock.advance(499);
    const answers = [await cache.get('tool', 1)];
    clock.advance(1);
    answers.push(await cache.get('tool', 1));
    clock.advance(8999);
    return [...answers, await cache.get('tool', 1), await cache.get('tool', 2)];
  },
  guarded: ['old', 'new', 'new', 'kept'],
  bare: ['old', 'old', 'old', 'kept'],
});

export const sliding = scenario({
  does: 'keeps what is read alive up to its maxAge, and nothing that is not read',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? ({ sliding: true, maxAge: 5000 } as const) : {};
    /** How long a value is there that is read this often. */
    const life = async (everyMs: number, options: CacheOptions) => {
      const { cache, clock } = makeCache(toolstash, { ttl: 1000, ...options });
      await cache.set('session', 1, 'data');
      for (let age = everyMs; age < 20_000; age += everyMs) {
        clock.advance(everyMs);
        if ((await cache.get('session', 1)) === undefined) return age;
      }
      return Infinity;
    };
    return [await life(900, own), await life(999, own), await life(1000, own)];
  },
  // Found gone at the first read after 5 s.
  guarded: [5400, 5994, 1000],
  bare: [1800, 1998, 1000],
});
