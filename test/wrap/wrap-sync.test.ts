import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MapTier } from '../helper/map-tier.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

describe('a wrapped synchronous function', () => {
  it('returns at once, and calls the tool once for one set of arguments', () => {
    const cache = newCache();
    const parse = vi.fn((text: string) => ({ words: text.split(' ') }));
    const wrapped = cache.wrapSync(parse, { name: 'parse' });
    const first = wrapped('a b');
    first.words.push('c');
    expect(wrapped('a b')).toEqual({ words: ['a', 'b'] });
    expect(parse).toHaveBeenCalledTimes(1);
    expect(cache.stats('parse')).toMatchObject({ hits: 1, misses: 1, loads: 1, sets: 1, entries: 1 });
    expect(cache.stats('parse').loadTime.count).toBe(1);
  });

  it('carries key, invalidate, refresh and original', () => {
    const cache = newCache();
    let version = 0;
    const next = () => ++version;
    const wrapped = cache.wrapSync(next);
    expect(wrapped()).toBe(1);
    expect(wrapped.refresh()).toBe(2);
    expect(wrapped()).toBe(2);
    expect(wrapped.invalidate()).toBe(true);
    expect(wrapped.invalidate()).toBe(false);
    expect(wrapped()).toBe(3);
    expect(wrapped.key()).toBe(cache.key('next', []));
    expect(wrapped.original).toBe(next);
    expect(wrapped.name).toBe('next');
  });

  it('shares entries with all other ways to reach them', async () => {
    const cache = newCache();
    const wrapped = cache.wrapSync((text: string) => text.length, { name: 'measure' });
    cache.setSync('measure', ['abc'], 99);
    expect(wrapped('abc')).toBe(99);
    wrapped('ab');
    expect(await cache.get('measure', ['ab'])).toBe(2);
  });

  it('does not look below memory, and stores in every tier', async () => {
    const disk = new MapTier();
    const cache = new CacheManager({ clock: new FakeClock() }, [disk]);
    const measure = vi.fn((text: string) => text.length);
    const wrapped = cache.wrapSync(measure);
    wrapped('abc');
    expect(disk.size).toBe(1);
    expect(wrapped('abc')).toBe(3);
    expect(measure).toHaveBeenCalledTimes(1);
  });

  it('throws what the tool throws, each time, and stores nothing', () => {
    const cache = newCache();
    const failing = cache.wrapSync(
      (): number => {
        throw new Error('tool failed');
      },
      { name: 'failing' },
    );
    expect(failing).toThrow('tool failed');
    expect(failing).toThrow('tool failed');
    expect(cache.stats('failing')).toMatchObject({ loadErrors: 2, entries: 0 });
  });

  it.each(['copy', 'reference'] as const)(
    'hands on a promise uncached, where values are kept by %s',
    async (values) => {
      const cache = new CacheManager({ clock: new FakeClock(), values });
      const tool = vi.fn(async () => 1);
      const wrapped = cache.wrapSync(tool as unknown as () => number, { name: 'tool' });
      expect(await wrapped()).toBe(1);
      expect(await wrapped()).toBe(1);
      expect(tool).toHaveBeenCalledTimes(2);
      expect(cache.stats('tool')).toMatchObject({ uncached: 2, entries: 0 });
    },
  );

  it('hands on what can not be stored, and what has no key', () => {
    const cache = newCache();
    const wrapped = cache.wrapSync((value: unknown) => () => value, { name: 'tool' });
    expect(wrapped(1)()).toBe(1);
    expect(wrapped(() => 2)()).toBeTypeOf('function');
    expect(cache.stats('tool')).toMatchObject({ uncached: 2, entries: 0 });
  });

  it('does not store what its own tool deleted, wrote or cleared meanwhile', () => {
    const cache = newCache();
    let act = () => {};
    const wrapped = cache.wrapSync(
      (_n: number) => {
        act();
        return 'late';
      },
      { name: 'tool' },
    );
    act = () => wrapped.invalidate(1);
    expect(wrapped(1)).toBe('late');
    act = () => void cache.clear('tool');
    expect(wrapped(2)).toBe('late');
    act = () => cache.setSync('tool', [3], 'newer');
    expect(wrapped(3)).toBe('late');
    act = () => cache.setSync('other', [4], 'newer');
    expect(wrapped(4)).toBe('late');
    const peek = (n: number) => cache.peek('tool', [n]);
    expect([1, 2, 3, 4].map(peek)).toEqual([undefined, undefined, 'newer', 'late']);
  });

  it('may call itself', () => {
    const cache = newCache();
    const count = vi.fn((n: number): number => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2)));
    const fibonacci = cache.wrapSync(count, { name: 'fibonacci' });
    expect(fibonacci(50)).toBe(12586269025);
    expect(count).toHaveBeenCalledTimes(51);
  });

  it('takes a stale value for a miss', () => {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, ttl: 10, staleWhileRevalidate: 10 });
    let version = 0;
    const wrapped = cache.wrapSync(() => ++version, { name: 'tool' });
    wrapped();
    clock.advance(10);
    expect(wrapped()).toBe(2);
  });

  it('heeds an abort signal that is no part of the key', () => {
    const cache = newCache();
    const wrapped = cache.wrapSync((text: string, _signal?: AbortSignal) => text, { name: 'tool' });
    expect(wrapped('a', new AbortController().signal)).toBe('a');
    expect(() => wrapped('a', AbortSignal.abort(new Error('enough')))).toThrow('enough');
    expect(cache.stats('tool')).toMatchObject({ misses: 1 });
  });

  it('keeps the objects apart that it is called on', () => {
    const cache = newCache();
    const wrapped = cache.wrapSync(
      function tool(this: { id: string }) {
        return this.id;
      },
      { scope: (self) => self.id },
    );
    expect(wrapped.call({ id: 'a' })).toBe('a');
    expect(wrapped.call({ id: 'b' })).toBe('b');
  });

  it('runs the tool after the cache was closed', async () => {
    const cache = newCache();
    const wrapped = cache.wrapSync((text: string) => text, { name: 'tool' });
    await cache.close();
    expect(wrapped('a')).toBe('a');
    expect(wrapped.refresh('a')).toBe('a');
  });
});
