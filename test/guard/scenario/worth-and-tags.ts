/** Scenarios of what decides which entries stay: tags, and what an entry is worth. */

import type { CacheOptions } from '../../../src/index.js';
import { gate, settle } from '../../helper/gate.js';
import { makeCache, scenario } from './scenario.js';

export const tags = scenario({
  does: 'make void what carries them, loads under way included, and nothing that came after',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { tags: (value: unknown) => [String(value).split(' ')[1]!] } : {};
    const { cache } = makeCache(toolstash, own);
    await cache.set('page', 1, 'old a');
    await cache.set('page', 2, 'old b');
    const done = gate<string>();
    const loading = cache.getOrSet('page', 3, () => done.promise);
    await settle();
    await cache.invalidateTags(['a']);
    done.open('old a');
    await loading;
    await cache.set('page', 4, 'new a');
    return Promise.all([1, 2, 3, 4].map((id) => cache.get('page', id)));
  },
  guarded: [undefined, 'old b', undefined, 'new a'],
  bare: ['old a', 'old b', 'old a', 'new a'],
});

export const tagMarkers = scenario({
  does: 'let nothing old come back once there are more of them than are kept in mind',
  async drive(toolstash, isGuarded) {
    const own = isGuarded ? { tags: (value: unknown) => [String(value)] } : {};
    const { cache } = makeCache(toolstash, own);
    await cache.set('tool', 1, 'x');
    await cache.set('untagged', 1, 'y', { tags: [] });
    await cache.invalidateTags(['x']);
    // Each as a stamp of its own, so that the oldest marker, of `x`, is the one to go.
    for (let tag = 0; tag < 100; tag += 1) {
      await cache.invalidateTags(Array.from({ length: 1001 }, (_, each) => `${tag} ${each}`));
    }
    await cache.set('tool', 2, 'z');
    return [await cache.get('tool', 1), await cache.get('untagged', 1), await cache.get('tool', 2)];
  },
  guarded: [undefined, 'y', 'z'],
  bare: ['x', 'y', 'z'],
});

export const gdsf = scenario({
  does: 'keeps what is dear, small and in use, and lets go of what once was',
  async drive(toolstash, isGuarded) {
    const eviction = isGuarded ? 'gdsf' : 'lru';
    const fill = async (options: CacheOptions, rounds: number, bytesOfDear = 0) => {
      const { cache, clock } = makeCache(toolstash, { eviction, ...options });
      const load = (ms: number, bytes: number) => () => {
        clock.advance(ms);
        return 'x'.repeat(bytes);
      };
      for (let key = 0; key < 5; key += 1) await cache.getOrSet('dear', key, load(100, bytesOfDear));
      for (let key = 0; key < rounds; key += 1) await cache.getOrSet('cheap', key, load(1, 0));
      return cache.stats('dear').entries;
    };
    return {
      dear: await fill({ maxSize: 10 }, 50),
      dearByCost: await fill({ maxSize: 10, methods: { cheap: { cost: () => 1e6 } } }, 50),
      dearButLarge: await fill({ maxBytes: 50_000 }, 200, 9000),
      dearLongAgo: await fill({ maxSize: 10 }, 1000),
    };
  },
  guarded: { dear: 5, dearByCost: 0, dearButLarge: 0, dearLongAgo: 0 },
  bare: { dear: 0, dearByCost: 0, dearButLarge: 0, dearLongAgo: 0 },
});
