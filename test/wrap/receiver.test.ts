import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { settle } from '../helper/gate.js';

const warnings: { message: string; code?: string }[] = [];

beforeEach(() => {
  warnings.length = 0;
  vi.spyOn(process, 'emitWarning').mockImplementation(((message: string, options: { code?: string }) => {
    warnings.push({ message, ...options });
  }) as typeof process.emitWarning);
});

afterEach(() => {
  vi.restoreAllMocks();
});

interface Tenant {
  readonly tenant: string;
}

async function search(this: Tenant, query: string): Promise<string> {
  return `${this.tenant}:${query}`;
}

const newCache = () => new CacheManager({ clock: new FakeClock() });
const acme = { tenant: 'acme' };
const globex = { tenant: 'globex' };

describe('a wrapped function that speaks of `this`', () => {
  it('is cached for the first object it is called on, and runs uncached on others, with one warning', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(search);
    expect(await wrapped.call(acme, 'a')).toBe('acme:a');
    expect(await wrapped.call(globex, 'a')).toBe('globex:a');
    expect(await wrapped.call(globex, 'a')).toBe('globex:a');
    expect(await wrapped.call(acme, 'a')).toBe('acme:a');
    expect(cache.stats('search')).toMatchObject({ hits: 1, misses: 1, uncached: 2, entries: 1 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.code).toBe('TOOLSTASH_FURTHER_INSTANCE');
    expect(warnings[0]?.message).toMatch(/`search`.*`scope: \(self\) => string`.*`shared: true`/s);
  });

  it('tells why it ran uncached', async () => {
    const cache = newCache();
    const reasons: string[] = [];
    cache.on('uncached', ({ method, reason }) => reasons.push(`${method}: ${reason}`));
    const wrapped = cache.wrap(search);
    await wrapped.call(acme, 'a');
    await wrapped.call(globex, 'a');
    expect(reasons).toEqual(['search: further instance']);
  });

  it('is cached when it is called without an object time and again', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(async function whoami(this: unknown) {
      return String(this);
    });
    await wrapped();
    await wrapped();
    expect(await wrapped.call('text')).toBe('text');
    expect(cache.stats('whoami')).toMatchObject({ hits: 1, uncached: 1 });
  });

  it('shares its results when told so', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(search, { shared: true });
    expect(await wrapped.call(acme, 'a')).toBe('acme:a');
    expect(await wrapped.call(globex, 'a')).toBe('acme:a');
    expect(warnings).toEqual([]);
  });

  it('keeps results apart by scope', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(search, { scope: (self) => self.tenant });
    expect(await wrapped.call(acme, 'a')).toBe('acme:a');
    expect(await wrapped.call(globex, 'a')).toBe('globex:a');
    expect(await wrapped.call({ tenant: 'acme' }, 'a')).toBe('acme:a');
    expect(cache.stats('search')).toMatchObject({ hits: 1, misses: 2, uncached: 0 });
    expect(wrapped.key.call(acme, 'a')).toBe(cache.key('search', ['a'], { scope: 'acme' }));
    expect(await wrapped.invalidate.call(globex, 'a')).toBe(true);
    expect(await wrapped.invalidate.call(globex, 'a')).toBe(false);
    expect(await cache.has('search', ['a'], { scope: 'acme' })).toBe(true);
  });

  it('names the way out when its scope function misses its object', async () => {
    const wrapped = newCache().wrap(search, { scope: (self) => self.tenant });
    expect(() => wrapped.key('a')).toThrow(/`scope` function threw.*`\.call\(instance, …\)`/);
    await expect(wrapped.invalidate('a')).rejects.toThrow(/`\.call\(instance, …\)`/);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no tenant');
      },
      /threw: no tenant/,
    ],
    ['returns no string', () => 7 as unknown as string, /to return a string, got `7`/],
  ])('runs uncached when its scope function %s', async (_, scope, message) => {
    const cache = newCache();
    const errors: string[] = [];
    cache.on('error', ({ error }) => errors.push(error.message));
    const wrapped = cache.wrap(search, { scope });
    expect(await wrapped.call(acme, 'a')).toBe('acme:a');
    expect(await wrapped.call(acme, 'a')).toBe('acme:a');
    expect(cache.stats('search')).toMatchObject({ uncached: 2, cacheErrors: 2, entries: 0 });
    expect(errors[0]).toMatch(message);
  });

  it('takes a fixed scope too', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(search, { scope: 'task-1' });
    expect(wrapped.key('a')).toBe(cache.key('search', ['a'], { scope: 'task-1' }));
    await wrapped.call(acme, 'a');
    expect(await wrapped.call(globex, 'a')).toBe('globex:a');
  });
});

describe('a wrapped function that can not know its `this`', () => {
  it.each([
    ['that says nothing of it', async (query: string) => query],
    ['that is an arrow function', (query: string) => Promise.resolve(query)],
  ])('is cached whatever it is called on: one %s', async (_, tool) => {
    const cache = newCache();
    const wrapped = cache.wrap(tool, { name: 'search' });
    await wrapped.call(acme, 'a');
    await wrapped.call(globex, 'a');
    expect(cache.stats('search')).toMatchObject({ hits: 1, uncached: 0 });
  });

  it.each([
    ['native code', (async () => 1).bind(null)],
    ['eval', async () => ({ eval: 1 })],
    [
      'super',
      {
        async tool() {
          return super.toString;
        },
      }.tool,
    ],
  ])('is not taken for one because of %s', async (_, tool) => {
    const cache = newCache();
    const wrapped = cache.wrap(tool as () => Promise<unknown>, { name: 'tool', key: () => 1 });
    await wrapped.call(acme);
    await wrapped.call(globex);
    expect(cache.stats('tool').uncached).toBeGreaterThan(0);
  });
});

describe('the first object', () => {
  it('is not kept alive, and nobody takes its place', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const cache = newCache();
    const wrapped = cache.wrap(search);
    const first = await (async () => {
      const tenant = { tenant: 'acme' };
      await wrapped.call(tenant, 'a');
      return new WeakRef(tenant);
    })();
    for (let turn = 0; turn < 10 && first.deref() !== undefined; turn++) {
      await settle();
      collectGarbage();
    }
    expect(first.deref()).toBeUndefined();
    expect(await wrapped.call(globex, 'a')).toBe('globex:a');
    await expect(wrapped.call(undefined as never, 'a')).rejects.toThrow(TypeError);
    expect(cache.stats('search')).toMatchObject({ hits: 0, uncached: 2 });
  });
});
