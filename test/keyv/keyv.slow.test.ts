/** The adapters under Keyv itself: its own test suite for 5, what it asks of adapters for 6. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as vitest from 'vitest';
import { CacheManager } from '../../src/index.js';
import { Keyv5Adapter, Keyv6Adapter } from '../../src/keyv/index.js';
import { librariesOf } from '../helper/libraries.js';
import { MapTier } from '../helper/map-tier.js';

const { describe, expect, it } = vitest;
const load = await librariesOf(new URL('libraries/', import.meta.url));

/** What is used of Keyv, 5 and 6. */
interface KeyvLike {
  get(key: string): Promise<unknown>;
  getMany(keys: string[]): Promise<unknown[]>;
  set(key: string, value: unknown, ttl?: number): Promise<boolean>;
  has(key: string): Promise<boolean>;
  delete(key: string | string[]): Promise<unknown>;
  clear(): Promise<void>;
  disconnect(): Promise<void>;
  iterator?(): AsyncIterable<[string, unknown]>;
  on(event: string, listener: (error: unknown) => void): unknown;
}
type KeyvClass = new (options: { store: unknown; namespace?: string; ttl?: number }) => KeyvLike;
type Suite = (test: typeof vitest, keyv: KeyvClass, store: () => unknown) => void;

const { Keyv: Keyv5 } = load('keyv') as { Keyv: KeyvClass };
const { Keyv: Keyv6 } = load('keyv-6') as { Keyv: KeyvClass };
const suite = load('@keyv/test-suite') as { default: Suite; keyvIteratorTests: Suite };

describe("Keyv 5's own test suite", () => {
  const cache = new CacheManager();
  suite.default(vitest, Keyv5, () => new Keyv5Adapter(cache));
});

const both: [string, (options?: { namespace?: string; ttl?: number }, cache?: CacheManager) => KeyvLike][] = [
  ['5', (options, cache = new CacheManager()) => new Keyv5({ store: new Keyv5Adapter(cache), ...options })],
  ['6', (options, cache = new CacheManager()) => new Keyv6({ store: new Keyv6Adapter(cache), ...options })],
];

describe.each(both)('Keyv %s', (_version, open) => {
  it('stores, finds, lists what is there and deletes', async () => {
    const keyv = open();
    expect(await keyv.set('a', { n: 1 })).toBe(true);
    await keyv.set('b', [null, 'x']);
    expect(await keyv.get('a')).toEqual({ n: 1 });
    expect(await keyv.getMany(['b', 'c', 'a'])).toEqual([[null, 'x'], undefined, { n: 1 }]);
    expect([await keyv.has('a'), await keyv.has('c')]).toEqual([true, false]);
    expect([await keyv.delete('a'), await keyv.delete('a')]).toEqual([true, false]);
    expect(await keyv.get('a')).toBeUndefined();
    await keyv.clear();
    expect(await keyv.get('b')).toBeUndefined();
  });

  it('heeds a ttl, its own as well', async () => {
    const keyv = open({ ttl: 5 });
    await keyv.set('short', 1);
    await keyv.set('long', 2, 60_000);
    await expect.poll(() => keyv.get('short')).toBeUndefined();
    expect(await keyv.get('long')).toBe(2);
  });

  it('keeps namespaces apart, those with colons too, and clears one alone', async () => {
    const cache = new CacheManager();
    const [plain, user, userOne] = [undefined, 'user', 'user:1'].map((namespace) =>
      open(namespace === undefined ? {} : { namespace }, cache),
    );
    await user!.set('1:a', 'of user');
    await userOne!.set('a', 'of user:1');
    await userOne!.clear();
    expect(await userOne!.get('a')).toBeUndefined();
    await plain!.set('a', 'of none');
    await user!.set('b', 'of user');
    expect([await plain!.get('a'), await user!.get('b'), await user!.get('a')]).toEqual([
      'of none',
      'of user',
      undefined,
    ]);
    await user!.clear();
    expect([await plain!.get('a'), await user!.get('b')]).toEqual(['of none', undefined]);
    await user!.set('b', 'again');
    expect(await user!.get('b')).toBe('again');
  });

  it('tells of a cache that fails, and never in silence that there is nothing', async () => {
    const cache = new CacheManager();
    const keyv = open({}, cache);
    const errors: unknown[] = [];
    keyv.on('error', (error) => errors.push(error));
    await cache.close();
    expect(await keyv.get('a')).toBeUndefined();
    expect(errors).toMatchObject([{ code: 'ERR_CACHE_CLOSED' }]);
  });

  it('tells of a tier that fails, and never in silence that there is nothing', async () => {
    const failing = new MapTier();
    failing.lookup = () => Promise.reject(new Error('disk is gone'));
    const keyv = open({}, new CacheManager({ tiers: [failing] }));
    const errors: unknown[] = [];
    keyv.on('error', (error) => errors.push(error));
    expect(await keyv.get('a')).toBeUndefined();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ cause: { message: 'disk is gone' } });
  });

  it('tells that a value is too large', async () => {
    const keyv = open({}, new CacheManager({ maxBytes: 1_000 }));
    expect(await keyv.set('a', 'x'.repeat(2_000))).toBe(false);
    expect(await keyv.get('a')).toBeUndefined();
  });
});

it('Keyv 6 lists what it holds', async () => {
  const cache = new CacheManager();
  const one = new Keyv6({ store: new Keyv6Adapter(cache), namespace: 'one' });
  const other = new Keyv6({ store: new Keyv6Adapter(cache), namespace: 'other' });
  await one.set('a', 1);
  await one.set('b', { c: [2] });
  await other.set('a', 3);
  const listed: unknown[] = [];
  for await (const entry of one.iterator!()) listed.push(entry);
  expect(listed.sort()).toEqual([
    ['a', 1],
    ['b', { c: [2] }],
  ]);
});

it('values are there after a restart, from disk', async () => {
  const persistDir = await mkdtemp(join(tmpdir(), 'toolstash-keyv-'));
  for (const [Keyv, Adapter] of [
    [Keyv5, Keyv5Adapter],
    [Keyv6, Keyv6Adapter],
  ] as const) {
    const namespace = Adapter.name;
    const before = await CacheManager.open({ persist: true, persistDir });
    const keyv = new Keyv({ store: new Adapter(before), namespace });
    await keyv.set('a', { kept: true }, 60_000);
    await keyv.disconnect();
    await before.close();
    await using after = await CacheManager.open({ persist: true, persistDir });
    const again = new Keyv({ store: new Adapter(after), namespace });
    expect(await again.get('a')).toEqual({ kept: true });
    await again.clear();
    expect(await again.get('a')).toBeUndefined();
  }
  await rm(persistDir, { recursive: true });
});

it('each Keyv is told which adapter is for it', async () => {
  const cache = new CacheManager();
  expect(() => new Keyv6({ store: new Keyv5Adapter(cache) })).toThrow('give it a `Keyv6Adapter`');
  const keyv = new Keyv5({ store: new Keyv6Adapter(cache) });
  const errors: unknown[] = [];
  keyv.on('error', (error) => errors.push(error));
  expect(await keyv.set('a', 1, 1000)).toBe(false);
  expect(String(errors[0])).toContain('Keyv 5 needs a `Keyv5Adapter`');
});

it('the types of both take the adapters', async () => {
  const [compiler, project] = ['../../node_modules/typescript-7/bin/tsc', 'libraries'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const compiled = promisify(execFile)(process.execPath, [compiler!, '-p', project!]);
  await expect(compiled.catch(({ stdout }) => ({ stdout }))).resolves.toMatchObject({ stdout: '' });
});
