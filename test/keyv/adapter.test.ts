/** The adapters without Keyv: what they refuse, and what they leave behind. */

import { describe, expect, it } from 'vitest';
import { CacheManager, InvalidOptionError } from '../../src/index.js';
import { Keyv5Adapter, Keyv6Adapter } from '../../src/keyv/index.js';

const adapters = [Keyv5Adapter, Keyv6Adapter];

describe.each(adapters.map((Adapter) => [Adapter.name, Adapter] as const))('%s', (_name, Adapter) => {
  it.each([undefined, null, {}, new Map()])('refuses %s for a cache', (cache) => {
    expect(() => new Adapter(cache as never)).toThrow(`Expected \`new ${Adapter.name}(cache)\``);
  });

  it.each([7, '', null])('refuses %s for a method', (method) => {
    expect(() => new Adapter(new CacheManager(), { method } as never)).toThrow('Expected `method`');
  });

  it.each([
    [{ methd: 'users' }, `Unknown option \`methd\` of ${Adapter.name}: did you mean \`method\`?`],
    [{ max: 3 }, `Unknown option \`max\` of ${Adapter.name}. Known: method`],
    [{ ttl: '5 m' }, `\`ttl\` is no option of ${Adapter.name}: give it to Keyv, or to the cache`],
    ['users', "Expected `options` to be an object as `{ method }`, got `'users'`"],
    [null, 'Expected `options` to be an object as `{ method }`, got `null`'],
  ])('refuses the options %o', (options, message) => {
    const make = () => new Adapter(new CacheManager(), options as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });

  it('stores under its method, counted there', async () => {
    const cache = new CacheManager();
    const store = new Adapter(cache, { method: 'sessions' });
    await store.set('a', 'value');
    expect(await store.get('a')).toBe('value');
    expect(await store.get('b')).toBeUndefined();
    expect(cache.stats('sessions')).toMatchObject({ hits: 1, misses: 1, entries: 1 });
    expect(cache.methods()).toEqual(['sessions']);
  });

  it('emits errors of its own method and of the cache, not those of others, and nothing once disconnected', async () => {
    const cache = new CacheManager({
      methods: { keyv: { cost: () => -1 }, other: { cost: () => -1 } },
    });
    const store = new Adapter(cache);
    const errors: unknown[] = [];
    store.on('error', (error) => errors.push(error));
    await cache.getOrSet('other', 1, () => 1);
    expect(errors).toEqual([]);
    await cache.getOrSet('keyv', 1, () => 1);
    expect(errors).toHaveLength(1);
    await store.disconnect();
    await cache.getOrSet('keyv', 2, () => 1);
    expect(errors).toHaveLength(1);
    expect(await cache.get('keyv', 3)).toBeUndefined();
  });

  it('throws nothing of its own accord where nobody listens', async () => {
    const cache = new CacheManager({ methods: { keyv: { cost: () => -1 } } });
    new Adapter(cache);
    expect(await cache.getOrSet('keyv', 1, () => 'fine')).toBe('fine');
  });
});

describe('Keyv6Adapter', () => {
  it('takes what is over already for a deletion', async () => {
    const store = new Keyv6Adapter(new CacheManager());
    await store.set('a', 1);
    expect(await store.set('a', 2, Date.now() - 1)).toBe(true);
    expect(await store.get('a')).toBeUndefined();
  });

  it('stores for as long as the moment says', async () => {
    const cache = new CacheManager();
    const store = new Keyv6Adapter(cache);
    const expires = Date.now() + 60_000;
    await store.set('a', 1, expires);
    for await (const { metadata } of cache) {
      expect(metadata.expiresAt).toBeGreaterThanOrEqual(expires);
      expect(metadata.expiresAt).toBeLessThan(expires + 60_000);
    }
    await store.setMany([
      { key: 'b', value: 2, expires },
      { key: 'c', value: 3 },
    ]);
    expect(await store.getMany(['b', 'c', 'd'])).toEqual([2, 3, undefined]);
    expect(await store.hasMany(['b', 'd'])).toEqual([true, false]);
    expect(await store.deleteMany(['b', 'd'])).toEqual([true, false]);
  });

  it.each([1000, 0, Number.NaN])('refuses %s for a moment', async (expires) => {
    const store = new Keyv6Adapter(new CacheManager());
    await expect(store.set('a', 1, expires)).rejects.toThrow(
      `got \`${expires}\`: Keyv 5 needs a \`Keyv5Adapter\``,
    );
  });
});

describe('Keyv5Adapter', () => {
  it('lists the keys of a namespace, or all', async () => {
    const store = new Keyv5Adapter(new CacheManager());
    await store.setMany([
      { key: 'one:a', value: 1 },
      { key: 'two:a', value: 2 },
    ]);
    const listed = async (namespace?: string) => {
      const entries: unknown[] = [];
      for await (const entry of store.iterator(namespace)) entries.push(entry);
      return entries.sort();
    };
    expect(await listed('two')).toEqual([['two:a', 2]]);
    expect(await listed()).toEqual([
      ['one:a', 1],
      ['two:a', 2],
    ]);
    expect(await store.deleteMany(['one:a', 'none'])).toBe(true);
    expect(await store.deleteMany(['none'])).toBe(false);
  });

  it('clears the namespaces of keys with many colons', async () => {
    const store = new Keyv5Adapter(new CacheManager());
    const key = `${'a:'.repeat(40)}b`;
    await store.set(key, 1);
    store.namespace = 'a:a';
    await store.clear();
    expect(await store.get(key)).toBeUndefined();
  });
});
