/** An entry that lives by its method's ttl is fresh no longer than the reader's ttl allows, whatever it was stored under. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

let persistDir: string;
let clock: FakeClock;
const open: CacheManager[] = [];

beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-reader-ttl-'));
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

/** Another run over the same folder, under other options. */
async function restart(cache: CacheManager, options: CacheOptions): Promise<CacheManager> {
  await cache.close();
  return start(options);
}

describe('what was stored under no ttl, read under `ttl: 1m`', () => {
  it('answers for a minute from when it was made, from disk and then from memory', async () => {
    const before = await start({});
    await before.getOrSet('search', 'a', () => 'old');
    await before.getOrSet('search', 'b', () => 'old');
    const cache = await restart(before, { ttl: '1m' });
    clock.advance(59_999);
    expect(await cache.lookup('search', 'a')).toMatchObject({ value: 'old', tier: 'disk' });
    expect(await cache.lookup('search', 'a')).toMatchObject({ value: 'old', tier: 'memory' });
    clock.advance(1);
    for (const params of ['a', 'b']) {
      expect(await cache.lookup('search', params)).toMatchObject({ outcome: 'miss' });
      expect(await cache.get('search', params)).toBeUndefined();
      expect(cache.getSync('search', params)).toBeUndefined();
      expect(cache.peek('search', params)).toBeUndefined();
      expect(await cache.has('search', params)).toBe(false);
    }
    const listed = [];
    for await (const { value } of cache) listed.push(value);
    expect(listed).toEqual([]);
    for (const params of ['a', 'b']) {
      expect(await cache.getOrSet('search', params, () => 'new')).toBe('new');
      expect(await cache.get('search', params)).toBe('new');
    }
  });

  it('is stale then, to who takes stale values', async () => {
    const before = await start({});
    await before.getOrSet('search', 'a', () => 'old');
    const cache = await restart(before, { ttl: '1m', staleWhileRevalidate: '1m', staleIfError: '5m' });
    clock.advance(60_000);
    expect(await cache.lookup('search', 'a')).toMatchObject({ outcome: 'stale', value: 'old' });
    clock.advance(60_000);
    const failing = () => Promise.reject(new Error('down'));
    expect(await cache.getOrSet('search', 'a', failing)).toBe('old');
    clock.advance(4 * 60_000);
    await expect(cache.getOrSet('search', 'a', failing)).rejects.toThrow('down');
  });

  it('is called again by wrapped functions, async and sync', async () => {
    const before = await start({});
    await before.wrap(async (q: string) => `old ${q}`, { name: 'search' })('a');
    before.wrapSync((q: string) => `old ${q}`, { name: 'parse' })('a');
    const cache = await restart(before, {});
    const search = cache.wrap(async (q: string) => `new ${q}`, { name: 'search', ttl: '1m' });
    const parse = cache.wrapSync((q: string) => `new ${q}`, { name: 'parse', ttl: '1m' });
    expect(await search('a')).toBe('old a');
    await cache.get('parse', ['a']);
    expect(parse('a')).toBe('old a');
    clock.advance(60_000);
    expect(await search('a')).toBe('new a');
    expect(parse('a')).toBe('new a');
  });

  it('is loaded anew by one call with a ttl of its own, from memory and from disk', async () => {
    const first = await start({});
    await first.getOrSet('search', 'a', () => 'old');
    await first.getOrSet('search', 'b', () => 'old');
    clock.advance(60_000);
    expect(await first.getOrSet('search', 'a', () => 'new', { ttl: '1m' })).toBe('new');
    const second = await restart(first, {});
    expect(await second.getOrSet('search', 'b', () => 'new', { ttl: '1m' })).toBe('new');
  });
});

describe('a shorter ttl in a later run', () => {
  it.each<[string, CacheOptions, CacheOptions]>([
    ['of the cache', { ttl: '1h' }, { ttl: '1m' }],
    ['of the method', { ttl: '1h' }, { ttl: '1h', methods: { search: { ttl: '1m' } } }],
    ['in place of a function', { ttl: () => '1h' }, { ttl: '1m' }],
    ['in place of sliding', { ttl: '30m', sliding: true, maxAge: '1h' }, { ttl: '1m' }],
    ['that slides, up to its maxAge', { ttl: '1h' }, { ttl: '30s', sliding: true, maxAge: '1m' }],
  ])('%s counts for what there is', async (_name, then, now) => {
    const before = await start(then);
    await before.set('search', 'a', 'old');
    const cache = await restart(before, now);
    clock.advance(20_000);
    expect(await cache.get('search', 'a')).toBe('old');
    clock.advance(20_000);
    expect(await cache.get('search', 'a')).toBe('old');
    clock.advance(20_000);
    expect(await cache.get('search', 'a')).toBeUndefined();
  });

  it('of "nothing found" counts for those alone', async () => {
    const before = await start({ negativeTtl: '1h' });
    await before.set('search', 'nothing', null);
    await before.set('search', 'a', 'there');
    const cache = await restart(before, { negativeTtl: '1m' });
    clock.advance(60_000);
    expect(await cache.has('search', 'nothing')).toBe(false);
    expect(await cache.get('search', 'a')).toBe('there');
  });
});

describe('what keeps its own life', () => {
  it('is what a call, a loader or an import gave a ttl, after a restart too', async () => {
    const before = await start({ ttl: '1m' });
    await before.set('search', 'set', 'long', { ttl: '1h' });
    await before.set('search', 'ever', 'long', { ttl: null });
    await before.getOrSet('search', 'decided', ({ setTtl }) => {
      setTtl(null);
      return 'long';
    });
    const cache = await restart(before, { ttl: '1m' });
    clock.advance(59 * 60_000);
    for (const params of ['set', 'ever', 'decided']) expect(await cache.get('search', params)).toBe('long');
    clock.advance(60_000);
    expect(await cache.get('search', 'set')).toBeUndefined();
    expect(await cache.get('search', 'ever')).toBe('long');
  });

  it('is what a wrapped function with a longer ttl has stored, also to those who ask by its name', async () => {
    const cache = await start({ ttl: '1m' });
    const search = cache.wrap(async (q: string) => `found ${q}`, { name: 'search', ttl: '1h' });
    await search('a');
    clock.advance(59 * 60_000);
    expect(await cache.get('search', ['a'])).toBe('found a');
    const listed = [];
    for await (const { value } of cache) listed.push(value);
    expect(listed).toEqual(['found a']);
    clock.advance(60_000);
    expect(await cache.get('search', ['a'])).toBeUndefined();
  });

  it('is not made longer by a longer ttl', async () => {
    const before = await start({ ttl: '1m' });
    await before.set('search', 'a', 'old');
    const cache = await restart(before, { ttl: '1h' });
    clock.advance(60_000);
    expect(await cache.get('search', 'a')).toBeUndefined();
  });
});
