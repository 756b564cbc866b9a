import { describe, expect, it } from 'vitest';
import { hashKey } from '../../src/index.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

type AnyCache = Record<string, (...args: unknown[]) => unknown>;
const newCache = () => new CacheManager({ clock: new FakeClock() }) as CacheManager & AnyCache;
const call = async (name: string, args: readonly unknown[]) => newCache()[name]?.(...args);

describe('a call as other caches take it', () => {
  it.each<[string, unknown[], RegExp]>([
    ['set', ['user:1', { name: 'Ann' }, 60_000], /`set\(method, params, value, \{ ttl \}\)`.*ttl: 60000/],
    ['set', ['user:1', { name: 'Ann' }, { ttl: 60_000 }], /`set\(method, params, value, \{ ttl \}\)`/],
    ['set', ['user:1', { name: 'Ann' }, '1h30m'], /`set\(method, params, value, \{ ttl \}\)`.*ttl: 60000/],
    ['setSync', ['user/17', 'Ann', 0], /`set\(method, params, value, \{ ttl \}\)`/],
    ['set', ['user:1', { name: 'Ann' }], /`set\(method, params, value, \{ ttl \}\)`, got 2 arguments/],
    ['get', ['user:1'], /`get\(method, params\)`, got 1 argument, the first of them `'user:1'`/],
    ['get', [], /`get\(method, params\)`, got 0 arguments/],
    ['has', ['user:1'], /`has\(method, params\)`/],
    ['peek', ['user:1'], /`peek\(method, params\)`/],
    ['key', ['user:1'], /`key\(method, params\)`/],
    ['getSync', ['user:1'], /`getSync\(method, params\)`/],
    ['lookup', ['user:1'], /`lookup\(method, params\)`/],
    ['delete', ['user:1'], /`delete\(method, params\)`/],
    ['getOrSet', ['user:1', async () => 1], /`getOrSet\(method, params, loader, \{ ttl \}\)`/],
    ['refresh', ['user:1', async () => 1], /`refresh\(method, params, loader\)`/],
    ['getMany', [['user:1', 'user:2']], /`getMany\(method, listOfParams\)`/],
    ['getMany', ['user', 'ab'], /`getMany\(method, listOfParams\)`, got `'ab'`/],
    ['deleteMany', ['user', 'ab'], /`deleteMany\(method, listOfParams\)`/],
    ['setMany', ['user', [{ key: 'a', value: 1 }]], /`setMany\(method, \[\[params, value\], …\]\)`/],
    ['setMany', ['user', ['ab']], /got the item `'ab'`/],
    ['setMany', ['user', 7], /got `7` for the list/],
    ['deleteKey', ['user:1'], /`deleteKey\(method, key\)`, got 1 argument/],
    ['expireKey', ['user:1'], /`expireKey\(method, key\)`, got 1 argument/],
    [
      'deleteWhere',
      [{ scope: 'a' }],
      /`deleteWhere\(method, \{ scope, version, params \}\)`, got 1 argument/,
    ],
    ['method', ['user', { ttl: 5 }], /`method\(name\)`: options of a method go into the cache/],
    [
      'getOrSet',
      ['user:1', async () => 1, 60_000],
      /the loader to be a function, as `\(\) => callTool\(params\)` after the params, got `60000`/,
    ],
    ['wrap', ['user:1', async () => 1, 60_000], /`wrap\(fn, \{ name, ttl \}\)`, got `'user:1'`/],
  ])('is refused with the right call: %s %j', async (name, args, message) => {
    await expect(call(name, args)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, unknown[], RegExp]>([
    ['get', [], /`get\(params\)`, got 0 arguments/],
    ['has', [], /`has\(params\)`/],
    ['peek', [], /`peek\(params\)`/],
    ['key', [], /`key\(params\)`/],
    ['lookup', [], /`lookup\(params\)`/],
    ['getSync', [], /`getSync\(params\)`/],
    ['delete', [], /`delete\(params\)`/],
    ['expire', [], /`expire\(params\)`/],
    ['set', [{ id: 1 }], /`set\(params, value, \{ ttl \}\)`, got 1 argument/],
    ['setSync', [{ id: 1 }], /`setSync\(params, value, \{ ttl \}\)`/],
    ['clear', [{ id: 1 }], /`clear\(\)` without arguments: it clears the whole method/],
    ['stats', ['user'], /`stats\(\)` without arguments/],
    ['deleteKey', [], /`deleteKey\(key\)`, got 0 arguments/],
    ['expireKey', [], /`expireKey\(key\)`, got 0 arguments/],
    ['deleteWhere', [], /`deleteWhere\(\{ scope, version, params \}\)`, got 0 arguments/],
    ['getOrSet', [{ id: 1 }, { ttl: 5 }], /the loader to be a function, .*got `\{ ttl: 5 \}`/],
  ])('is refused by a method’s handle: %s %j', async (name, args, message) => {
    const handle = newCache().method('user') as unknown as AnyCache;
    await expect((async () => handle[name]?.(...args))()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, unknown[], RegExp]>([
    ['clear', [{ method: 'user' }], /`clear\(method\)` with a method's name, or `clear\(\)` for all, got/],
    ['stats', [7], /`stats\(method\)`/],
    ['expire', ['user'], /`expire\(method, params\)`, got 1 argument/],
    ['on', ['hit'], /the listener of `hit` to be a function, got `undefined`/],
    ['off', ['hit', 'log'], /the listener of `hit` to be a function, got `'log'`/],
  ])('is refused for what is no name, and no listener: %s %j', async (name, args, message) => {
    await expect(call(name, args)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  it('is refused while listing, and by hashKey', async () => {
    await expect(
      newCache()
        .entries(7 as never)
        .next(),
    ).rejects.toThrow('`entries(method)`');
    const hash = hashKey as (...args: unknown[]) => unknown;
    expect(() => hash('user')).toThrow('`hashKey(method, params)`');
    expect(() => hash('user', 1, 'task-1')).toThrow('`hashKey(method, params, { scope, version, ignore })`');
    expect(() => hash('user', 1, null)).toThrow('got `null` for the options');
    expect(() => hash('user', 1, { scop: 'task-1' })).toThrow('did you mean `scope`');
  });

  it.each<[string, unknown[], RegExp]>([
    [
      'set',
      ['user', 1, 'value', '5m'],
      /the options of `set` to be an object, as `\{ ttl: 60_000 \}`, got `'5m'`/,
    ],
    ['getOrSet', ['user', 1, async () => 1, 60_000], /of `getOrSet` .*as `\{ ttl: 60_000 \}`, got `60000`/],
    ['refresh', ['user', 1, async () => 1, null], /as `\{ ttl: 60_000 \}`, got `null`/],
    ['get', ['user', 1, 'task-1'], /a lookup to be an object, as `\{ scope: 'task-1' \}`, got `'task-1'`/],
    ['wrap', [async () => 1, 60_000], /an object, as `wrap\(fn, \{ name, ttl \}\)`, got `60000`/],
    ['wrapSync', [() => 1, 'name'], /an object, as `wrap\(fn, \{ name, ttl \}\)`, got `'name'`/],
    ['cached', ['5m'], /an object, .*got `'5m'`/],
  ])('is refused where options are no object: %s %j', async (name, args, message) => {
    await expect(call(name, args)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, unknown[]]>([
    ['set', ['count', { text: 'a b' }, 2]],
    ['set', ['github:search_v2', { q: 'a' }, 17]],
    ['set', ['user:1', { id: 1 }, 'Ann']],
    ['set', ['dns.lookup', { name: 'a' }, { ttl: 300 }]],
    ['set', ['user:1', { id: 1 }, 60_000, {}]],
    ['set', ['user', { id: 1 }, undefined]],
    ['get', ['now', undefined]],
    ['getMany', ['user', new Set([1, 2])]],
    ['setMany', ['user', new Map([[1, 2]])]],
  ])('is not taken for one when it is ours: %s %j', async (name, args) => {
    await call(name, args);
  });
});
