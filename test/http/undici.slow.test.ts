/** The store for undici's cache interceptor: what undici asks of its own stores, and under undici itself. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type UndiciCacheValue, type UndiciStore, undiciStore } from '../../src/http/index.js';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { librariesOf } from '../helper/libraries.js';
import { closeSites, listen } from './site.js';

interface Dispatcher {
  compose(interceptor: unknown): Dispatcher;
  close(): Promise<void>;
}
interface Undici {
  readonly Agent: new () => Dispatcher;
  readonly interceptors: { cache(options: { store: UndiciStore }): unknown };
  request(
    url: string,
    options: { dispatcher: Dispatcher; method?: string; headers?: Record<string, string> },
  ): Promise<{ statusCode: number; body: { text(): Promise<string> } }>;
}

const load = await librariesOf(new URL('libraries/', import.meta.url));
/** The newest of two major versions; 8 can't be loaded on older Nodes. */
const versions = ['undici', ...(satisfiesUndici8() ? ['undici-8'] : [])];

function satisfiesUndici8(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 19);
}

let cache: CacheManager;
let store: UndiciStore;
beforeEach(() => {
  cache = new CacheManager();
  store = undiciStore({ cache, maxBodyBytes: 1000 });
});
afterEach(async () => {
  await closeSites();
  await cache.close();
});

const key = (path = '/', headers: Record<string, string | string[]> = {}, method = 'GET') => ({
  ...{ origin: 'http://site.test', path, method, headers },
});
const headOf = (more: Partial<UndiciCacheValue> = {}): UndiciCacheValue => ({
  ...{ statusCode: 200, statusMessage: '', headers: { foo: 'bar' }, cacheControlDirectives: {} },
  ...{ cachedAt: Date.now(), staleAt: Date.now() + 10_000, deleteAt: Date.now() + 20_000, ...more },
});
function write(
  at: ReturnType<typeof key>,
  value: UndiciCacheValue,
  ...chunks: (string | Buffer)[]
): Writable {
  const stream = store.createWriteStream(at, value) as Writable;
  expect(stream).toBeInstanceOf(Writable);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return stream;
}
const found = async (at: ReturnType<typeof key>) => {
  const { body, ...rest } = (await store.get(structuredClone(at))) ?? {};
  return body === undefined ? undefined : { ...rest, body: String(body) };
};

describe('as undici’s own tests of its stores have it', () => {
  it('finds what was written as soon as it is ended, and tells requests apart', async () => {
    expect(await store.get(key())).toBeUndefined();
    const value = headOf();
    write(key(), value, Buffer.from('asd'), '123');
    expect(await found(key())).toEqual({ ...value, body: 'asd123' });
    for (const other of [key('/asd'), key('/', {}, 'HEAD'), { ...key(), origin: 'http://other.test' }])
      expect(await store.get(other)).toBeUndefined();
    write(key('/asd'), value, 'other');
    expect((await found(key('/asd')))?.body).toBe('other');
    expect((await found(key()))?.body).toBe('asd123');
  });

  it('returns what is stale until it is to be deleted, and overwrites it', async () => {
    const stale = headOf({ staleAt: Date.now() - 1000 });
    write(key(), stale, 'old');
    expect(await found(key())).toEqual({ ...stale, body: 'old' });
    const fresh = headOf({ headers: { foo: 'baz' } });
    write(key(), fresh, 'new');
    expect(await found(key())).toEqual({ ...fresh, body: 'new' });
    write(key('/gone'), headOf({ deleteAt: Date.now() - 1 }), 'x');
    expect(await store.get(key('/gone'))).toBeUndefined();
  });

  it('goes by what a response varies by', async () => {
    const of = (text: string) => key('/', { 'some-header': text });
    for (const text of ['hello world', 'hello world2']) {
      const value = headOf({ vary: { 'some-header': text, absent: null } });
      expect(await store.get(of(text))).toBeUndefined();
      write(of(text), value, text);
      expect(await found(of(text))).toEqual({ ...value, body: text });
    }
    expect((await found(of('hello world')))?.body).toBe('hello world');
    expect(await store.get(key('/', { 'some-header': 'hello world', absent: 'x' }))).toBeUndefined();
    expect(await store.get(key())).toBeUndefined();
    await store.delete(key());
    expect(await store.get(of('hello world'))).toBeUndefined();
  });
});

it('stores a body that is just as large as it may be, in one piece or several', async () => {
  for (const pieces of [['a'.repeat(1000)], ['a'.repeat(600), 'b'.repeat(400)]]) {
    write(key(), headOf(), ...pieces);
    expect((await found(key()))?.body).toBe(pieces.join(''));
    write(key(), headOf(), ...pieces, 'c');
    expect((await store.get(key()))?.body?.join('')).not.toMatch(/c$/);
  }
});

it('finds what is valid beside what has expired, whichever came first', async () => {
  const of = (text: string) => key('/', { accept: text });
  const variant = (text: string, lasts: number) =>
    write(of(text), headOf({ vary: { accept: text }, deleteAt: Date.now() + lasts }), text);
  for (const order of [
    ['expired', 'valid'],
    ['valid', 'expired'],
  ]) {
    for (const text of order) {
      variant(text, text === 'valid' ? 20_000 : -1);
      await store.get(of(text));
    }
    expect((await found(of('valid')))?.body).toBe('valid');
    expect(await store.get(of('expired'))).toBeUndefined();
    await store.delete(key());
  }
});

it.each<CacheOptions>([
  { jitter: 0.9, random: () => 0.9 },
  { sliding: true, ttl: '1s', maxAge: '2s' },
])('finds a variant for as long as it says where the cache has %o', async (options) => {
  await cache.close();
  const clock = new FakeClock(Date.now());
  cache = new CacheManager({ clock, ...options });
  store = undiciStore({ cache });
  const at = key('/', { accept: 'a' });
  write(at, headOf({ vary: { accept: 'a' } }), 'for a');
  await store.get(at);
  clock.advance(15_000);
  expect((await found(at))?.body).toBe('for a');
});

it('answers no others any more once a response says that it varies', async () => {
  write(key(), headOf(), 'for all');
  expect((await found(key('/', { accept: 'a' })))?.body).toBe('for all');
  write(key('/', { accept: 'a' }), headOf({ vary: { accept: 'a' } }), 'for a');
  expect((await found(key('/', { accept: 'a' })))?.body).toBe('for a');
  for (const other of [key('/', { accept: 'b' }), key()]) expect(await store.get(other)).toBeUndefined();
  // And all again once the newest doesn't.
  write(key('/', { accept: 'b' }), headOf(), 'for all again');
  for (const each of [key('/', { accept: 'a' }), key()])
    expect((await found(each))?.body).toBe('for all again');
});

it('shares a folder with another store, and what was deleted', async () => {
  const folder = await mkdtemp(`${tmpdir()}/toolstash-undici-`);
  const options = { persist: true, persistDir: folder, mode: 'multi', syncInterval: 50 } as const;
  const caches = await Promise.all([1, 2].map(() => CacheManager.open(options)));
  const [one, two] = caches.map((each) => undiciStore({ cache: each })) as [UndiciStore, UndiciStore];
  const of = (text: string) => key('/', { accept: text });
  const textIn = async (from: UndiciStore, text: string) =>
    String((await from.get(of(text)))?.body ?? 'none');
  for (const text of ['a', 'b']) {
    store = one;
    write(of(text), headOf({ vary: { accept: text } }), text);
    expect(await textIn(one, text)).toBe(text);
    await caches[0]?.flush();
    await expect.poll(() => textIn(two, text)).toBe(text);
  }
  store = two;
  write(of('a'), headOf({ vary: { accept: 'a' } }), 'newer');
  expect(await textIn(two, 'a')).toBe('newer');
  await caches[1]?.flush();
  await expect.poll(() => textIn(one, 'a')).toBe('newer');
  await one.delete(key());
  await caches[0]?.flush();
  for (const text of ['a', 'b']) {
    expect(await textIn(one, text)).toBe('none');
    await expect.poll(() => textIn(two, text)).toBe('none');
  }
  await Promise.all(caches.map((each) => each.close()));
  await rm(folder, { recursive: true });
});

it('stores nothing of what is too large, or not ended, nor what was deleted on its way', async () => {
  write(key('/large'), headOf(), 'a'.repeat(600), 'b'.repeat(600));
  expect(await store.get(key('/large'))).toBeUndefined();
  const broken = store.createWriteStream(key('/broken'), headOf()) as Writable;
  broken.write('a');
  broken.destroy();
  expect(await store.get(key('/broken'))).toBeUndefined();
  const late = store.createWriteStream(key('/late'), headOf()) as Writable;
  late.write('a');
  await store.delete(key('/late'));
  late.end();
  expect(await store.get(key('/late'))).toBeUndefined();
  expect(cache.stats('undici').entries).toBe(0);
});

it.each(versions)('answers the requests of %s, and shares them', async (version) => {
  const undici = load(version) as Undici;
  let runs = 0;
  const port = await listen((request, response) => {
    runs++;
    response.setHeader('cache-control', 'public, max-age=60');
    response.setHeader('vary', 'accept');
    response.end(`${runs} ${request.headers.accept}`);
  });
  const agents = [1, 2].map(() => new undici.Agent().compose(undici.interceptors.cache({ store })));
  const ask = async (agent: number, accept: string, method = 'GET') => {
    const options = { dispatcher: agents[agent]!, method, headers: { accept } };
    return (await undici.request(`http://127.0.0.1:${port}/a`, options)).body.text();
  };
  expect(await ask(0, 'a')).toBe('1 a');
  expect(await ask(1, 'a')).toBe('1 a');
  expect(await ask(1, 'b')).toBe('2 b');
  expect(await ask(0, 'a')).toBe('1 a');
  expect(cache.stats('undici')).toMatchObject({ cacheErrors: 0 });
  // A write makes void what is stored of its URL.
  await ask(0, 'a', 'POST');
  await expect.poll(() => ask(1, 'a')).not.toBe('1 a');
  await Promise.all(agents.map((agent) => agent.close()));
});

it.each(versions)('is refreshed by %s where the server says that nothing has changed', async (version) => {
  const undici = load(version) as Undici;
  const port = await listen((_, response) => {
    response.writeHead(304, { 'cache-control': 'max-age=60', etag: '"a"' }).end();
  });
  const at = { ...key('/a'), origin: `http://127.0.0.1:${port}` };
  const directives = { 'max-age': 1, 'stale-while-revalidate': 60 };
  write(at, headOf({ staleAt: Date.now() - 1000, etag: '"a"', cacheControlDirectives: directives }), 'same');
  const dispatcher = new undici.Agent().compose(undici.interceptors.cache({ store }));
  expect(await (await undici.request(`${at.origin}/a`, { dispatcher })).body.text()).toBe('same');
  await expect.poll(async () => ((await store.get(at))?.staleAt ?? 0) > Date.now()).toBe(true);
  expect((await found(at))?.body).toBe('same');
  await dispatcher.close();
});

it('keeps what undici stored in a folder', async () => {
  const folder = await mkdtemp(`${tmpdir()}/toolstash-undici-`);
  const open = () => CacheManager.open({ persist: true, persistDir: folder });
  const first = await open();
  store = undiciStore({ cache: first });
  write(key(), headOf(), 'kept');
  await found(key());
  await first.close();
  const second = await open();
  store = undiciStore({ cache: second });
  expect((await found(key()))?.body).toBe('kept');
  await second.close();
  await rm(folder, { recursive: true });
});
