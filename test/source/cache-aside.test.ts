/** Records of a database behind a cache. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { type CacheAsideOptions, cacheAside } from '../../src/source/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { buildScript, Child, killChildren, makeWorkFolder } from '../helper/child-process.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

interface Settings {
  readonly theme: string;
  readonly token?: unknown;
}

const opened: CacheManager[] = [];
const folders: string[] = [];
let clock: FakeClock;
let rows: Map<string, Settings>;
let loads: number;
beforeEach(() => {
  clock = new FakeClock();
  rows = new Map([['ada', { theme: 'light' }]]);
  loads = 0;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newCache(options: CacheOptions = {}): CacheManager {
  const cache = new CacheManager({ clock, ...options });
  opened.push(cache);
  return cache;
}

function settingsOf(cache: CacheManager, more: Partial<CacheAsideOptions<string, Settings>> = {}) {
  return cacheAside<string, Settings>({
    ...{ cache, method: 'settings', clock },
    load: async (id) => {
      loads++;
      return rows.get(id);
    },
    store: async (id, record) => rows.set(id, record),
    remove: async (id) => rows.delete(id),
    ...more,
  });
}

it('reads through, once for many', async () => {
  const settings = settingsOf(newCache());
  const all = await Promise.all(Array.from({ length: 8 }, () => settings.get('ada')));
  expect(all).toEqual(Array(8).fill({ theme: 'light' }));
  expect([await settings.get('ada'), loads]).toEqual([{ theme: 'light' }, 1]);
  clock.advance(300_000);
  await settings.get('ada');
  expect(loads).toBe(2);
});

it.each(['around', 'through'] as const)('writes %s: no reader has what was before', async (write) => {
  const settings = settingsOf(newCache(), { write });
  await settings.get('ada');
  await settings.update('ada', { theme: 'dark' });
  expect(await settings.get('ada')).toEqual({ theme: 'dark' });
  expect(await settings.get('ada')).toEqual({ theme: 'dark' });
  expect(loads).toBe(write === 'through' ? 1 : 2);
  await settings.remove('ada');
  expect(await settings.get('ada')).toBeUndefined();
});

it('remembers that there is none, until there is one', async () => {
  const settings = settingsOf(newCache());
  expect([await settings.get('bob'), await settings.get('bob'), loads]).toEqual([undefined, undefined, 1]);
  clock.advance(30_000);
  await settings.get('bob');
  expect(loads).toBe(2);
  await settings.update('bob', { theme: 'new' });
  expect(await settings.get('bob')).toEqual({ theme: 'new' });
});

it('stores nothing of a read that was slow, whenever it began', async () => {
  const steps = ['before', 'during'] as const;
  for (const step of steps) {
    rows.set('ada', { theme: 'old' });
    const [slow, storing] = [gate(), gate()];
    let isSlow = step === 'before';
    const settings = settingsOf(newCache(), {
      load: async (id) => {
        const found = rows.get(id);
        if (isSlow) await slow.promise;
        return found;
      },
      store: async (id, record) => {
        await storing.promise;
        rows.set(id, record);
      },
    });
    const early = step === 'before' ? settings.get('ada') : undefined;
    const updating = settings.update('ada', { theme: 'new' });
    await expect.poll(() => opened.at(-1)?.peek('settings:updating', 'ada')).toBeDefined();
    isSlow = true;
    const late = early ?? settings.get('ada');
    storing.open();
    await updating;
    slow.open();
    expect(await late).toEqual({ theme: 'old' });
    isSlow = false;
    expect(await settings.get('ada')).toEqual({ theme: 'new' });
  }
});

it('caches nothing while a record is being updated, nor while replicas lag', async () => {
  const storing = gate();
  const settings = settingsOf(newCache(), { store: () => storing.promise, settle: '10s' });
  const updating = settings.update('ada', { theme: 'dark' });
  await expect.poll(() => opened.at(-1)?.peek('settings:updating', 'ada')).toBeDefined();
  const read = async () => {
    const before = loads;
    await settings.get('ada');
    return loads - before;
  };
  expect([await read(), await read()]).toEqual([1, 1]);
  storing.open();
  await updating;
  expect([await read(), await read()]).toEqual([1, 1]);
  clock.advance(10_000);
  expect([await read(), await read()]).toEqual([1, 0]);
});

/** Two that share a cache, as processes do. */
function twoSettings(more: Partial<CacheAsideOptions<string, Settings>>) {
  const cache = newCache();
  return { cache, one: settingsOf(cache, more), two: settingsOf(cache) };
}

it('caches nothing while another still writes, though one has written', async () => {
  const storing = gate();
  const { cache, one, two } = twoSettings({ store: () => storing.promise });
  const updating = one.update('ada', { theme: 'one' });
  await expect.poll(() => cache.peek('settings:updating', 'ada')).toBeDefined();
  await two.update('ada', { theme: 'two' });
  // The first may still be killed between its writing and its voiding.
  const before = loads;
  for (let time = 0; time < 2; time++) expect(await two.get('ada')).toEqual({ theme: 'two' });
  expect(loads - before).toBe(2);
  storing.open();
  await updating;
});

it('stores no record through that another has overwritten meanwhile', async () => {
  const flushing = gate();
  const { cache, one, two } = twoSettings({ write: 'through' });
  const flush = cache.flush.bind(cache);
  let flushes = 0;
  cache.flush = () => (++flushes === 3 ? flushing.promise.then(flush) : flush());
  const updating = one.update('ada', { theme: 'one' });
  await expect.poll(() => flushes).toBe(3);
  await two.update('ada', { theme: 'two' });
  flushing.open();
  await updating;
  expect(await two.get('ada')).toEqual({ theme: 'two' });
});

it('caches for no longer than a token lasts where none can be looked for', async () => {
  const tier = new MapTier();
  const cache = newCache({ tiers: [tier] });
  const settings = settingsOf(cache, { ttl: '1h', tokenTtl: '10s' });
  tier.beforeAnswer = () => Promise.reject(new Error('away'));
  const read = async () => {
    const before = loads;
    expect(await settings.get('ada')).toEqual({ theme: 'light' });
    return loads - before;
  };
  expect([await read(), await read()]).toEqual([1, 0]);
  clock.advance(10_000);
  expect([await read(), await read()]).toEqual([1, 0]);
  tier.beforeAnswer = async () => {};
  clock.advance(10_000);
  expect(await read()).toBe(1);
  clock.advance(20_000);
  expect(await read()).toBe(0);
});

it('takes updates of one record in their order, and goes on after one that failed', async () => {
  const settings = settingsOf(newCache(), {
    write: 'through',
    store: async (id, record) => {
      await new Promise((resolve) => setTimeout(resolve, record.theme === '1' ? 5 : 0));
      if (record.theme === '2') throw new Error('full');
      rows.set(id, record);
    },
  });
  const updates = ['1', '2', '3'].map((theme) => settings.update('ada', { theme }));
  const results = await Promise.allSettled(updates);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await settings.get('ada')).toEqual({ theme: '3' });
  await expect(settings.update('ada', { theme: '2' })).rejects.toThrow('full');
  expect(await settings.get('ada')).toEqual({ theme: '3' });
});

it('writes the record where the cache is closed, and rejects with what the database says', async () => {
  const cache = newCache();
  const settings = settingsOf(cache, {
    load: async () => {
      throw new Error('down');
    },
  });
  await expect(settings.get('ada')).rejects.toThrow('down');
  await cache.close();
  await settings.update('ada', { theme: 'dark' });
  expect(rows.get('ada')).toEqual({ theme: 'dark' });
});

it('reads records where the cache is closed', async () => {
  const cache = newCache();
  await cache.close();
  expect(await settingsOf(cache).get('ada')).toEqual({ theme: 'light' });
});

it('waits for an update that hangs no longer than its token lasts', async () => {
  const hanging = gate();
  let isFirst = true;
  const settings = settingsOf(newCache(), {
    tokenTtl: '10s',
    store: async (id, record) => {
      if (isFirst) {
        isFirst = false;
        await hanging.promise;
      }
      rows.set(id, record);
    },
  });
  const first = settings.update('ada', { theme: 'hung' });
  await expect.poll(() => isFirst).toBe(false);
  const second = settings.update('ada', { theme: 'dark' });
  await settle();
  expect(rows.get('ada')).toEqual({ theme: 'light' });
  clock.advance(10_000);
  await second;
  expect(await settings.get('ada')).toEqual({ theme: 'dark' });
  // It comes to the database after all: no reader is left with what was before.
  hanging.open();
  await first;
  expect(await settings.get('ada')).toEqual({ theme: 'hung' });
});

it('caches nothing while replicas lag, though memory has let go of the token', async () => {
  let replica: Settings = { theme: 'light' };
  const settings = settingsOf(newCache({ maxSize: 2 }), { settle: '10s', load: async () => replica });
  await settings.update('ada', { theme: 'dark' });
  for (const id of ['b', 'c', 'd']) await settings.get(id);
  expect(await settings.get('ada')).toEqual({ theme: 'light' });
  replica = { theme: 'dark' };
  expect(await settings.get('ada')).toEqual({ theme: 'dark' });
});

it('caches nothing while replicas lag, though another has updated it at the same time', async () => {
  const [cache, storing] = [newCache(), gate()];
  let replica: Settings = { theme: 'light' };
  const more = { settle: '10s', load: async () => replica } as const;
  const two = settingsOf(cache, { ...more, store: () => storing.promise });
  const reader = settingsOf(cache, more);
  const [held, updating] = [gate(), gate()];
  const holding = settingsOf(cache, {
    ...more,
    store: () => {
      updating.open();
      return held.promise;
    },
  }).update('ada', { theme: 'one' });
  await updating.promise;
  const slow = two.update('ada', { theme: 'two' });
  await settle();
  // Nearly all of the time that its token lasts.
  clock.advance(29_000);
  storing.open();
  await slow;
  clock.advance(5_000);
  await reader.get('ada');
  replica = { theme: 'two' };
  expect(await reader.get('ada')).toEqual({ theme: 'two' });
  held.open();
  await holding;
});

it.each<[string, CacheOptions, object]>([
  ['', {}, {}],
  [' in a field that its method ignores', { methods: { settings: { ignore: ['theme'] } } }, {}],
  [' and has no key', {}, { from: new URL('http://site.test') }],
])('stores no record through that was changed since it was written%s', async (_, options, more) => {
  const storing = gate();
  const settings = settingsOf(newCache(options), {
    write: 'through',
    store: async (id, record) => {
      rows.set(id, { ...record });
      await storing.promise;
    },
  });
  const record = { theme: 'dark', ...more };
  const updating = settings.update('ada', record);
  await expect.poll(() => rows.get('ada')?.theme).toBe('dark');
  record.theme = 'unsaved';
  storing.open();
  await updating;
  expect(await settings.get('ada')).toEqual({ theme: 'dark', ...more });
  await settings.update('ada', record);
  const before = loads;
  expect(await settings.get('ada')).toEqual({ theme: 'unsaved', ...more });
  expect(loads).toBe(before);
});

it('loads a record anew after its ttl where others in the cache slide, or are errors', async () => {
  for (const write of ['around', 'through'] as const) {
    const cache = newCache({ sliding: true, ttl: '1h', maxAge: '1d', isError: () => true });
    const settings = settingsOf(cache, { ttl: '1m', write });
    await settings.update('ada', { theme: 'dark' });
    const before = loads;
    for (let time = 0; time < 5; time++) {
      await settings.get('ada');
      clock.advance(29_000);
    }
    expect(loads - before).toBe(write === 'through' ? 1 : 2);
  }
});

describe('with secret fields', () => {
  const keys = { a: randomBytes(32), b: randomBytes(32) };
  const secret = 'hunter2-hunter2';
  const secretsOf = (current: 'a' | 'b', known = keys) => ({ fields: ['token'], keys: known, current });

  it('has them encrypted in memory and on disk, and hands them out as they were', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'toolstash-secrets-'));
    folders.push(folder);
    rows.set('ada', { theme: 'light', token: { secret, at: new Date(5) } });
    const cache = newCache({ persist: true, persistDir: folder });
    const settings = settingsOf(cache, { secrets: secretsOf('a') });
    for (let time = 0; time < 2; time++)
      expect(await settings.get('ada')).toEqual({ theme: 'light', token: { secret, at: new Date(5) } });
    expect(loads).toBe(1);
    expect(JSON.stringify(cache.peek('settings', 'ada'))).not.toContain('hunter2');
    await cache.flush();
    const bytes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.cache'))
      .map((file) => gunzipSync(readFileSync(join(folder, file))).toString('latin1'));
    expect(bytes.join()).toContain('light');
    expect(bytes.join()).not.toContain('hunter2');
  });

  it('loads anew what was stored before a field was secret, and leaves what has none as it is', async () => {
    rows.set('ada', { theme: 'light', token: secret });
    const cache = newCache();
    await settingsOf(cache).get('ada');
    const settings = settingsOf(cache, { secrets: secretsOf('a') });
    expect((await settings.get('ada'))?.token).toBe(secret);
    expect(loads).toBe(2);
    expect(JSON.stringify(cache.peek('settings', 'ada'))).not.toContain(secret);
    const lists = settingsOf(cache, { load: async () => ['a'] as never, secrets: secretsOf('a') });
    for (let time = 0; time < 2; time++) expect(await lists.get('list')).toEqual(['a']);
  });

  it('rotates its keys: old ones are read until they are gone, then records are loaded anew', async () => {
    rows.set('ada', { theme: 'light', token: secret });
    const cache = newCache();
    await settingsOf(cache, { secrets: secretsOf('a') }).get('ada');
    expect((await settingsOf(cache, { secrets: secretsOf('b') }).get('ada'))?.token).toBe(secret);
    expect(loads).toBe(1);
    const without = settingsOf(cache, { secrets: secretsOf('b', { b: keys.b } as typeof keys) });
    expect((await without.get('ada'))?.token).toBe(secret);
    expect((await without.get('ada'))?.token).toBe(secret);
    expect(loads).toBe(2);
  });

  it('loads anew what was changed, or moved from another record', async () => {
    rows.set('ada', { theme: 'light', token: secret });
    rows.set('eve', { theme: 'dark', token: 'eves' });
    const cache = newCache();
    const settings = settingsOf(cache, { secrets: secretsOf('a') });
    await settings.get('ada');
    await cache.set('settings', 'eve', await cache.get('settings', 'ada'));
    expect((await settings.get('eve'))?.token).toBe('eves');
    await cache.set('settings', 'ada', 'something else');
    expect((await settings.get('ada'))?.token).toBe(secret);
  });

  class Account {
    readonly theme = 'light';
    get token(): string {
      return secret;
    }
  }
  const failing: PropertyDescriptor = {
    enumerable: true,
    get() {
      throw new Error('not loaded');
    },
  };
  it.each<[string, () => object]>([
    ['a function', () => ({ theme: 'light', token: () => secret })],
    ['an instance of a class', () => ({ theme: 'light', token: new (class Token {})() })],
    ['a getter of its class', () => new Account()],
    ['a key of a Map', () => new Map([['token', secret]])],
    ['hidden', () => Object.defineProperty({ theme: 'light' }, 'token', { value: secret })],
    ['beside a getter that fails', () => Object.defineProperty({ token: secret }, 'theme', failing)],
  ])('keeps no record whose secret is %s, and gives it as it is', async (_, make) => {
    for (const write of ['around', 'through'] as const) {
      const cache = newCache({ codecs: [accounts] });
      const record = make() as Settings;
      const settings = settingsOf(cache, { secrets: secretsOf('a'), write });
      await settings.update('ada', record);
      const before = loads;
      expect(await settings.get('ada')).toBe(record);
      expect(await settings.get('ada')).toBe(record);
      expect(loads - before).toBe(2);
      expect(cache.peek('settings', 'ada')).toBeUndefined();
    }
  });
  const accounts = {
    tag: 'account',
    test: (value: unknown): value is Account => value instanceof Account,
    encode: () => secret,
    decode: () => new Account(),
  };

  it('keeps the codes of errors, and takes a field that is named twice for one', async () => {
    rows.set('ada', { theme: 'light', token: Object.assign(new Error('no'), { code: 'E_NO' }) });
    const secrets = { ...secretsOf('a'), fields: ['token', 'token'] };
    const settings = settingsOf(newCache(), { secrets });
    for (let time = 0; time < 2; time++)
      expect((await settings.get('ada'))?.token).toMatchObject({ message: 'no', code: 'E_NO' });
    expect(loads).toBe(1);
  });

  it.each([
    [{ fields: [], keys, current: 'a' }, /`secrets.fields` to be a list of names/],
    [null, /Expected `secrets` to be an object, got `null`/],
    ['', /Expected `secrets` to be an object, got `''`/],
    [
      { fields: ['token'], keys: { a: Buffer.from('short') }, current: 'a' },
      /`secrets.keys.a` to be 32 bytes \(not shown\)/,
    ],
    [{ fields: ['token'], keys, current: 'c' }, /`secrets.current` to name one of `secrets.keys`, got `'c'`/],
    [{ fields: 'token', keys, current: 'a' }, /`secrets.fields` to be a list of names/],
  ])('refuses %#', (secrets, message) => {
    expect(() => settingsOf(newCache(), { secrets: secrets as never })).toThrow(message);
  });
});

describe('killed in mid-update', () => {
  const work = makeWorkFolder('cache-aside');
  let script: string;
  afterEach(() => killChildren());
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  const steps = ['held', 'voiding', 'voided', 'stored', 'voided again', 'let go'];
  it.each(steps)('at the step `%s` it leaves nothing old', async (last) => {
    script ??= await buildScript(fileURLToPath(new URL('updating.ts', import.meta.url)), join(work, 'built'));
    const folder = join(work, last.replace(' ', '-'));
    const database = `${folder}.json`;
    writeFileSync(database, '"old"');
    const child = new Child({ script, args: [JSON.stringify({ folder }), database] });
    await child.next('ready');
    child.send('read');
    await child.next('ready');
    child.send('step by step');
    for (const step of steps) {
      expect(await child.next('at')).toEqual(['at', step]);
      if (step === last) break;
      child.send('');
    }
    await child.kill();
    const cache = await CacheManager.open({ persist: true, persistDir: folder });
    opened.push(cache);
    const settings = cacheAside({
      ...{ cache, method: 'settings' },
      load: async () => JSON.parse(readFileSync(database, 'utf8')) as string,
    });
    const now = readFileSync(database, 'utf8');
    expect(now).toBe(steps.indexOf(last) <= steps.indexOf('voided') ? '"old"' : '"step by step"');
    expect(JSON.stringify(await settings.get('ada'))).toBe(now);
    if (last === 'held' || last === 'voiding') return;
    // The token of the dead: what is loaded now is not kept, as the database may yet be written.
    writeFileSync(database, '"newer"');
    expect(await settings.get('ada')).toBe('newer');
  });
});

it.each([
  [{ store: null }, /Expected `store` to be a function, got `null`/],
  [{ remove: 0 }, /Expected `remove` to be a function, got `0`/],
  [{ flushTimeout: null }, /`flushTimeout`/],
  [{ clock: {} }, /Expected `clock` to be an object with a method `now\(\)`/],
  [{ method: 5 }, /Expected `method` to be a string, got `5`/],
  [{ load: undefined }, /Expected `load` to be a function/],
  [{ write: 'behind' }, /Expected `write` to be 'around' or 'through', got `'behind'`/],
  [{ tokenTTL: 5 }, /Unknown option `tokenTTL` of cacheAside: did you mean `tokenTtl`/],
  [{ tokenTtl: 0 }, /`tokenTtl`/],
])('refuses %o', (options, message) => {
  expect(() => settingsOf(newCache(), options as never)).toThrow(message);
});

it('tells which function it lacks', async () => {
  const settings = cacheAside({ cache: newCache(), method: 'settings', load: async () => 1 });
  await expect(settings.update('ada', 2)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message:
      'Expected the option `store` of cacheAside with `update()`, got none: give it `store: (id, record) => …`',
  });
  await expect(settings.remove('ada')).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message:
      'Expected the option `remove` of cacheAside with `remove()`, got none: give it `remove: (id) => …`',
  });
});
