/** Lookups of many calls: what memory does not have, each slower tier is asked for once. */

import { describe, expect, it } from 'vitest';
import { coreOf } from '../../src/manager/cache-context.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { LookupOutcome } from '../../src/tier.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

/** Looks many keys up as one, and says which. */
class BatchTier extends MapTier {
  readonly batches: (readonly string[])[] = [];
  readonly damaged = new Set<string>();

  async lookupMany(keys: readonly string[]): Promise<readonly LookupOutcome[]> {
    this.batches.push(keys);
    const found = keys.map((key) =>
      this.damaged.has(key) ? { failure: new Error(`${key} is damaged`) } : this.records.get(key),
    );
    await this.beforeAnswer();
    return found;
  }
}

const numbers = Array.from({ length: 100 }, (_, n) => n);

/** A cache that holds none of what its tier has. */
async function withTier<T extends MapTier>(tier: T): Promise<{ tier: T; cache: CacheManager }> {
  const writer = new CacheManager({}, [tier]);
  for (const n of numbers) await writer.set('tool', n, `value ${n}`);
  return { tier, cache: new CacheManager({}, [tier]) };
}

describe('`getMany`', () => {
  it('asks a tier once for all that memory does not have, and counts each', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    await cache.get('tool', 3);
    const asked = [...numbers, 'none', 7, 'none'];
    const values = await cache.getMany('tool', asked);
    const right = numbers.map((n) => `value ${n}`);
    expect(values).toEqual([...right, undefined, 'value 7', undefined]);
    expect(tier.batches.map(({ length }) => length)).toEqual([1, 100]);
    expect(cache.stats()).toMatchObject({ hits: 1 + 101, misses: 2, cacheErrors: 0 });
    expect(await cache.getMany('tool', numbers)).toEqual(right);
    expect(tier.batches).toHaveLength(2);
  });

  it('takes a key that a tier can not read for an error of its own', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    tier.damaged.add(cache.method('tool').key(1));
    expect(await cache.getMany('tool', [0, 1, 2])).toEqual(['value 0', undefined, 'value 2']);
    expect(cache.stats()).toMatchObject({ hits: 2, misses: 0, cacheErrors: 1 });
  });

  it('takes a tier that answers nonsense for an error, and keys of it can be asked for again', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    const misses: unknown[] = [];
    cache.on('error', ({ error }) => void misses.push(error.cause));
    for (const nonsense of [undefined, [], null, [null, null, null]]) {
      tier.lookupMany = async () => nonsense as never;
      expect(await cache.getMany('tool', [0, 1])).toEqual([undefined, undefined]);
      expect(await cache.getOrSet('tool', 'other', () => 'loaded', { ttl: 0 })).toBe('loaded');
    }
    expect(misses.map(String)).toContain('CacheError: Expected 2 outcomes of `lookupMany`, got 0');
  });

  it('lets go of every key where a search throws', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    const listen = coreOf(cache)!.tiers.reads.listeners;
    const fail = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    listen.add(fail);
    const joined = [cache.getMany('tool', [0, 1]), cache.get('tool', 1)];
    expect((await Promise.allSettled(joined)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    listen.delete(fail);
    expect(await cache.getMany('tool', [0, 1])).toEqual(['value 0', 'value 1']);
    expect(await cache.get('tool', 1)).toBe('value 1');
    expect(tier.batches.length).toBeGreaterThan(2);
  });

  it('takes a tier that fails for an error of each key', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    tier.beforeAnswer = async () => {
      throw new Error('away');
    };
    expect(await cache.getMany('tool', [0, 1])).toEqual([undefined, undefined]);
    expect(cache.stats()).toMatchObject({ hits: 0, cacheErrors: 2 });
  });

  it('answers with nothing older than what was written, deleted or cleared meanwhile', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    const answer = gate();
    tier.beforeAnswer = () => answer.promise;
    const asked = cache.getMany('tool', [0, 1, 2]);
    await settle();
    await cache.set('tool', 0, 'new');
    await cache.delete('tool', 1);
    answer.open();
    expect(await asked).toEqual(['new', undefined, 'value 2']);
    const again = gate();
    tier.beforeAnswer = () => again.promise;
    const late = cache.getMany('tool', [5, 6]);
    await settle();
    await cache.clear('tool');
    again.open();
    expect(await late).toEqual([undefined, undefined]);
  });

  it('joins reads under way, and lets others join its own', async () => {
    const { tier, cache } = await withTier(new BatchTier());
    const answer = gate();
    tier.beforeAnswer = () => answer.promise;
    const one = cache.getOrSet('tool', 1, () => 'loaded');
    await settle();
    const many = cache.getMany('tool', [0, 1, 2]);
    await settle();
    const other = cache.get('tool', 2);
    await settle();
    const keyOf = (n: number) => cache.method('tool').key(n);
    expect(tier.batches).toEqual([[keyOf(1)], [keyOf(0), keyOf(2)]]);
    answer.open();
    expect(await many).toEqual(['value 0', 'value 1', 'value 2']);
    expect([await one, await other]).toEqual(['value 1', 'value 2']);
  });

  it('takes the newest of several tiers, key by key', async () => {
    const clock = new FakeClock();
    const [fast, slow] = [new BatchTier(), new BatchTier()];
    const options = { clock, ttl: '1m', staleWhileRevalidate: '1h' } as const;
    const old = new CacheManager(options, [fast, slow]);
    for (const n of [0, 1]) await old.set('tool', n, 'old');
    clock.advance(120_000);
    await new CacheManager(options, [slow]).set('tool', 0, 'new');
    const cache = new CacheManager(options, [fast, slow]);
    expect(await cache.getMany('tool', [0, 1, 2])).toEqual(['new', 'old', undefined]);
    expect(slow.batches.map(({ length }) => length)).toEqual([3]);
    expect(cache.stats()).toMatchObject({ hits: 1, staleHits: 1, misses: 1 });
  });

  it('brings no stale value back that was deleted while another of the batch was decoded', async () => {
    class Hook {}
    let onDecode = () => {};
    const codec = {
      tag: 'hook',
      test: (value: unknown) => value instanceof Hook,
      encode: () => null,
      decode: () => {
        onDecode();
        return new Hook();
      },
    };
    const clock = new FakeClock();
    const [fast, slow] = [new BatchTier(), new BatchTier()];
    const options = { clock, ttl: '1m', staleWhileRevalidate: '1h', codecs: [codec] } as const;
    const old = new CacheManager(options, [fast]);
    for (const n of [0, 1, 2]) await old.set('tool', n, 'old', { tags: [`t${n}`] });
    clock.advance(120_000);
    await new CacheManager(options, [slow]).set('tool', 'hook', new Hook());
    const cache = new CacheManager(options, [fast, slow]);
    onDecode = () => {
      void cache.delete('tool', 0);
      void cache.invalidateTags(['t1']);
      onDecode = () => {};
    };
    const [deleted, invalidated, left] = await cache.getMany('tool', [0, 1, 2, 'hook']);
    expect([deleted, invalidated, left]).toEqual([undefined, undefined, 'old']);
    for (const n of [0, 1]) expect(cache.peek('tool', n)).toBeUndefined();
  });

  it('passes over what its tier has learnt to be replaced while it read the others', async () => {
    const { tier, cache } = await withTier(new MapTier());
    const answer = gate();
    tier.beforeAnswer = () => answer.promise;
    const asked = cache.getMany('tool', [0, 1]);
    await settle();
    // As a folder does that reads what another process has deleted.
    const gone = cache.key('tool', 0);
    tier.isReplaced = ({ key }) => key === gone;
    answer.open();
    expect(await asked).toEqual([undefined, 'value 1']);
    expect(cache.peek('tool', 0)).toBeUndefined();
  });

  it('asks for each key where a tier has no lookup of many', async () => {
    const { tier, cache } = await withTier(new MapTier());
    expect(await cache.getMany('tool', [0, 1, 'none'])).toEqual(['value 0', 'value 1', undefined]);
    expect(tier.lookups).toBe(3);
  });

  it('looks all up, and then throws for a call that has no key', async () => {
    const { cache } = await withTier(new BatchTier());
    await expect(cache.getMany('tool', [0, () => 0, 2])).rejects.toThrow(/function/);
    expect(cache.stats()).toMatchObject({ hits: 2 });
  });

  it('hands out large values, each a copy of its own', async () => {
    const tier = new BatchTier();
    const large = Array.from({ length: 40_000 }, (_, n) => n);
    await new CacheManager({}, [tier]).set('tool', 'large', large);
    const cache = new CacheManager({}, [tier]);
    for (let round = 0; round < 2; round += 1) {
      const [one, none, other] = await cache.getMany<number[]>('tool', ['large', 'none', 'large']);
      expect(none).toBeUndefined();
      expect(one).toEqual(large);
      expect(other).toEqual(large);
      expect(one).not.toBe(other);
    }
    expect(cache.stats()).toMatchObject({ hits: 4, misses: 2 });
  });
});
