import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions, type Remote, type RemoteTier } from '../../src/index.js';
import { FakeClock, MemoryRemote } from '../../src/testing/index.js';
import { gate as makeGate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

const opened: CacheManager[] = [];
const folders: string[] = [];

function machine(remote: Remote, options: CacheOptions = {}): CacheManager {
  const cache = new CacheManager({ remote, ...options });
  opened.push(cache);
  return cache;
}

function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'toolstash-remote-')));
  return folders.at(-1)!;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true });
});

/** A remote tier of which parts can be changed. */
function altered(remote: Remote, alter: (tier: RemoteTier) => Partial<RemoteTier>): Remote {
  return {
    connect(wiring) {
      const tier = remote.connect(wiring);
      return Object.assign(tier, alter(tier));
    },
  };
}

describe('a cache that shares a remote tier', () => {
  it('refuses what is none', () => {
    expect(() => new CacheManager({ remote: 'redis://localhost' as never })).toThrow(
      /`remote`.*`connect\(\)`/,
    );
    for (const remote of ['redis://:secret@host', { url: 'redis://:secret@host' }]) {
      const made = () => new CacheManager({ remote: remote as never });
      expect(made).toThrow(
        /as `redis\({ url }\)` of `toolstash\/redis` makes one, got an? (?:string|object)/,
      );
      expect(made).not.toThrow(/secret/);
    }
    const client = { connect: async () => client, sendCommand: async () => 'OK' };
    expect(() => new CacheManager({ remote: client as never })).toThrow(
      /`remote`.*got a client: give it to `redis\({ client }\)`/,
    );
    expect(() => new CacheManager({ coherence: 'none' as never })).toThrow(
      /`coherence`.*'bounded' or 'available'/,
    );
  });

  it('finds what another machine has loaded, and keeps it in memory', async () => {
    const remote = new MemoryRemote();
    const [one, other] = [machine(remote), machine(remote)];
    await one.getOrSet('search', 1, () => 'found');
    expect(await other.getOrSet('search', 1, () => 'again')).toBe('found');
    expect(other.peek('search', 1)).toBe('found');
    expect(other.stats()).toMatchObject({ loads: 0, hits: 1, misses: 0 });
    expect(await other.lookup('search', 1)).toMatchObject({ outcome: 'hit', tier: 'memory' });
  });

  it('loads a cold key once for all machines and callers', async () => {
    const remote = new MemoryRemote();
    const caches = Array.from({ length: 8 }, () => machine(remote));
    let loads = 0;
    const gate = makeGate();
    const load = async () => {
      loads += 1;
      await gate.promise;
      return 'once';
    };
    const calls = caches.flatMap((cache) =>
      Array.from({ length: 64 }, () => cache.getOrSet('search', 1, load)),
    );
    await settle();
    gate.open();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['once']));
    expect(loads).toBe(1);
  });

  it('lets another machine load when a load fails', async () => {
    const remote = new MemoryRemote();
    const [one, other] = [machine(remote), machine(remote)];
    const gate = makeGate();
    const failing = one.getOrSet('search', 1, async () => {
      await gate.promise;
      throw new Error('no answer');
    });
    await settle();
    const waiting = other.getOrSet('search', 1, () => 'answer');
    await settle();
    gate.open();
    await expect(failing).rejects.toThrow('no answer');
    expect(await waiting).toBe('answer');
  });

  it('renews a stale value once for all machines', async () => {
    const clock = new FakeClock(Date.now());
    const remote = new MemoryRemote({ clock });
    const options = { clock, ttl: 20, staleWhileRevalidate: '1h' } as const;
    const caches = Array.from({ length: 8 }, () => machine(remote, options));
    let loads = 0;
    const load = async () => {
      loads += 1;
      return loads;
    };
    for (const cache of caches) await cache.getOrSet('search', 1, load);
    clock.advance(40);
    const renewed = caches.map((cache) => cache.getOrSet('search', 1, load));
    expect(new Set(await Promise.all(renewed))).toEqual(new Set([1]));
    await expect.poll(() => Promise.all(caches.map((cache) => cache.get('search', 1)))).toContain(2);
    await settle();
    expect(loads).toBe(2);
  });

  it('refresh loads whatever the others load', async () => {
    const remote = new MemoryRemote();
    const [one, other] = [machine(remote), machine(remote)];
    await one.set('search', 1, 'old');
    expect(await other.get('search', 1)).toBe('old');
    await one.refresh('search', 1, () => 'new');
    expect(await other.get('search', 1)).toBe('new');
  });

  it.each(['memory', 'disk'] as const)('lets go of what another machine changes, in %s', async (place) => {
    const remote = new MemoryRemote();
    const disk = place === 'disk' ? { maxSize: 1, persist: true, persistDir: folder() } : {};
    const [one, other] = [machine(remote), machine(remote, disk)];
    for (const change of [
      () => one.delete('search', 1),
      () => one.clear('search'),
      () => one.clear(),
      () => one.invalidateTags(['t']),
      () => one.set('search', 1, 'newer'),
    ]) {
      await one.set('search', 1, 'old', { tags: ['t'] });
      expect(await other.get('search', 1)).toBe('old');
      // Leaves only what is on disk.
      await other.set('other', 1, '');
      await other.flush();
      await change();
      expect(await other.get('search', 1)).not.toBe('old');
      await one.delete('search', 1);
    }
    expect(other.stats().cacheErrors).toBe(0);
  });

  it('sets what it has just cleared, however far behind the remote its clock is', async () => {
    const clock = new FakeClock(Date.now() + 10_000);
    const remote = new MemoryRemote({ clock });
    const [one, other] = [machine(remote), machine(remote)];
    for (const change of [
      () => one.delete('search', 1),
      () => one.clear('search'),
      () => one.clear(),
      () => one.invalidateTags(['t']),
    ]) {
      await change();
      await one.set('search', 1, 'new', { tags: ['t'] });
      expect(await one.get('search', 1)).toBe('new');
      expect(await other.get('search', 1)).toBe('new');
    }
  });

  it.each(['set', 'delete', 'clear', 'invalidateTags'] as const)(
    'does not store what was loaded before another machine called %s',
    async (change) => {
      const remote = new MemoryRemote();
      const [one, other] = [machine(remote, { persist: true, persistDir: folder() }), machine(remote)];
      const gate = makeGate();
      const begun = makeGate();
      const late = one.getOrSet(
        'search',
        1,
        async () => {
          begun.open();
          await gate.promise;
          return 'late';
        },
        { tags: ['t'] },
      );
      await begun.promise;
      if (change === 'set') await other.set('search', 1, 'set');
      else if (change === 'delete') await other.delete('search', 1);
      else if (change === 'clear') await other.clear('search');
      else await other.invalidateTags(['t']);
      gate.open();
      expect(await late).toBe('late');
      for (const cache of [one, other])
        expect(await cache.get('search', 1)).toBe(change === 'set' ? 'set' : undefined);
    },
  );

  it.each([
    [[], 1],
    [['own'], 1],
    [['own', 'changed'], 0],
    [() => ['own'], 0],
  ] as const)('tags %s: a load is joined %i times after a change', async (tags, joined) => {
    const remote = new MemoryRemote();
    const [one, other] = [machine(remote), machine(remote)];
    const gate = makeGate();
    const load = () => gate.promise.then(() => 'loaded');
    const options = { tags: typeof tags === 'function' ? tags : [...tags] };
    const first = one.getOrSet('search', 1, load, options);
    await settle();
    await other.invalidateTags(['changed']);
    const second = one.getOrSet('search', 1, load, options);
    await settle();
    gate.open();
    expect(await Promise.all([first, second])).toEqual(['loaded', 'loaded']);
    expect(one.stats().coalesced).toBe(joined);
    expect(await other.get('search', 1)).toBe('loaded');
  });

  it('shares what an overtaken load comes to after it has waited in vain for a later one', async () => {
    const remote = new MemoryRemote();
    const [one, other] = [machine(remote), machine(remote)];
    const first = one.getOrSet('search', 1, () => 'first');
    await one.delete('search', 1);
    const second = one.getOrSet('search', 1, () => new Promise(() => undefined), { hardTimeout: 20 });
    await expect(second).rejects.toThrow();
    expect(await first).toBe('first');
    expect(await other.get('search', 1)).toBe('first');
  });

  it('lets go of a value that the remote tier refuses late', async () => {
    const remote = new MemoryRemote();
    // Told of nothing, it stores what it loads, and hears only afterwards that it was refused.
    const deaf = altered(remote, () => ({ hear: () => undefined, watch: undefined }) as never);
    const [one, other] = [machine(deaf, { persist: true, persistDir: folder() }), machine(remote)];
    const gate = makeGate();
    const begun = makeGate();
    const late = one.getOrSet('search', 1, async () => {
      begun.open();
      await gate.promise;
      return 'late';
    });
    await begun.promise;
    await other.set('search', 1, 'set');
    gate.open();
    expect(await late).toBe('late');
    await settle();
    expect(one.peek('search', 1)).toBeUndefined();
    expect(await one.get('search', 1)).toBe('set');
  });

  it('goes on without it when it fails, counted as an error, and the load as a miss', async () => {
    const failing = altered(new MemoryRemote(), () => ({
      lookup: () => Promise.reject(new Error('gone')),
      takeLease: () => ({ next: () => Promise.reject(new Error('gone')), end: () => undefined }),
    }));
    const cache = machine(failing);
    expect(await cache.getOrSet('search', 1, () => 'loaded')).toBe('loaded');
    expect(cache.stats()).toMatchObject({ cacheErrors: 2, misses: 1, loads: 1 });
    expect(await cache.refresh('search', 1, () => 'renewed')).toBe('renewed');
    expect(cache.stats().cacheErrors).toBe(3);
  });

  it.each([
    ['bounded', undefined, 'loaded anew'],
    ['available', 'available', 'held'],
  ] as const)('is %s where nobody knows what has changed', async (_, coherence, answer) => {
    let isCurrent = true;
    const remote = altered(new MemoryRemote(), (tier) => {
      const lookup = tier.lookup.bind(tier);
      return {
        isCurrent: () => isCurrent,
        lookup: (key, method) => (isCurrent ? lookup(key, method) : Promise.reject(new Error('gone'))),
      };
    });
    for (const disk of [{}, { maxSize: 1, persist: true, persistDir: folder() }]) {
      isCurrent = true;
      const cache = machine(remote, { ...disk, methods: { search: { ...(coherence && { coherence }) } } });
      await cache.set('search', 1, 'held');
      if ('persist' in disk) await cache.set('other', 1, '');
      isCurrent = false;
      expect(await cache.getOrSet('search', 1, () => 'loaded anew')).toBe(answer);
    }
  });

  it('checks a value on disk that it may have missed the change of', async () => {
    const shared = new MemoryRemote();
    const persistDir = folder();
    const first = machine(shared, { persist: true, persistDir });
    await first.set('search', 'kept', 'kept');
    await first.set('search', 'changed', 'old');
    await first.close();
    await machine(shared).set('search', 'changed', 'new');
    const remote = altered(shared, () => ({ isCurrent: (_, stamp) => stamp === undefined }));
    const cache = machine(remote, { persist: true, persistDir });
    expect(await cache.get('search', 'kept')).toBe('kept');
    expect(await cache.get('search', 'changed')).toBe('new');
    await machine(shared).delete('search', 'kept');
    expect(await cache.get('search', 'kept')).toBeUndefined();
  });

  it('where it has answered is not stood in for by a value on disk, though a tier between them fails', async () => {
    const shared = new MemoryRemote();
    const persistDir = folder();
    const first = machine(shared, { persist: true, persistDir });
    await first.set('search', 1, 'old');
    await first.close();
    await machine(shared).delete('search', 1);
    const remote = altered(shared, () => ({ isCurrent: (_, stamp) => stamp === undefined }));
    const between = new MapTier();
    between.beforeAnswer = () => Promise.reject(new Error('damaged'));
    const cache = machine(remote, { persist: true, persistDir, tiers: [between], coherence: 'available' });
    expect(await cache.get('search', 1)).toBeUndefined();
    expect(cache.stats().cacheErrors).toBe(1);
  });

  it('tells all tiers between of a change, and goes on, though one of them throws', async () => {
    const shared = new MemoryRemote();
    const [broken, whole] = [new MapTier(), new MapTier()];
    const other = machine(shared);
    const cache = machine(shared, { tiers: [broken, whole] });
    for (const method of ['deleted', 'cleared', 'tagged']) {
      await other.set(method, 1, 'old', { tags: [method] });
      expect(await cache.get(method, 1)).toBe('old');
    }
    const fail = () => {
      throw new Error('broken');
    };
    Object.assign(broken, { delete: fail, clear: fail, invalidateTag: fail });
    expect(whole.records.size).toBe(3);
    await other.delete('deleted', 1);
    await other.clear('cleared');
    await other.invalidateTags(['tagged']);
    expect(whole.records.size).toBe(0);
    expect(cache.stats().cacheErrors).toBe(3);
  });

  it('takes a stale value on disk for a candidate only', async () => {
    const clock = new FakeClock(Date.now());
    const remote = new MemoryRemote({ clock });
    const options = { clock, ttl: 20, staleIfError: '1h' } as const;
    const cache = machine(remote, { persist: true, persistDir: folder(), maxSize: 1, ...options });
    await cache.set('search', 1, 'stale');
    await cache.set('other', 1, '');
    clock.advance(40);
    // Told of nothing, so that the disk keeps it.
    const other = altered(remote, () => ({}));
    await machine(other, { clock, ttl: '1h' }).set('search', 1, 'fresh', { ttl: '1h' });
    expect(await cache.getOrSet('search', 1, () => 'loaded')).toBe('fresh');
    expect(await cache.get('other', 1)).toBeUndefined();
  });

  it('does not go through what all machines hold', async () => {
    const remote = new MemoryRemote();
    const [one, other] = [machine(remote), machine(remote)];
    await one.set('search', 1, 'value');
    const keys: string[] = [];
    for await (const { key } of other.entries()) keys.push(key);
    expect(keys).toEqual([]);
  });
});
