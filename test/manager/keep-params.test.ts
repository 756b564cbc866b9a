import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatEntryLine, parseEntryLine } from '../../src/cli/partitions/entry-line.js';
import { CacheManager, type CacheOptions, hashKey } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { exportFiles } from '../../src/persistence/offline/inspection.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate } from '../helper/gate.js';

let persistDir: string;
let clock: FakeClock;
beforeEach(() => {
  persistDir = mkdtempSync(join(tmpdir(), 'toolstash-params-'));
  clock = new FakeClock();
});
afterEach(() => rmSync(persistDir, { recursive: true, force: true }));

const disk = (options: CacheOptions = {}) =>
  CacheManager.open({ clock, persist: true, persistDir, consolidateInterval: null, ...options });

async function exported(): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  for await (const record of exportFiles([persistDir], { clock }))
    lines.push(JSON.parse(formatEntryLine(record)));
  return lines.sort((a, b) => (JSON.stringify(a['params']) < JSON.stringify(b['params']) ? -1 : 1));
}

/** All that the folder's files hold, inflated. */
function written(): string {
  return readdirSync(persistDir, { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith('.cache'))
    .map(({ parentPath, name }) => gunzipSync(readFileSync(join(parentPath, name))).toString('latin1'))
    .join();
}

describe('keepParams', () => {
  it('keeps params, scope and version of set, setSync, getOrSet, refresh and wrapped functions', async () => {
    const cache = await disk({ keepParams: true, version: 3 });
    await cache.set('m', { q: 1 }, 'a', { scope: 's' });
    cache.setSync('m', { q: 2 }, 'b');
    await cache.getOrSet('m', { q: 3 }, () => 'c', { scope: 't' });
    await cache.refresh('m', { q: 4 }, () => 'd');
    await cache.wrap(async ({ q }: { q: number }) => q, { name: 'm' })({ q: 5 });
    cache.wrapSync(({ q }: { q: number }) => q, { name: 'm', scope: 'u' })({ q: 6 });
    await cache.expire('m', { q: 1 }, { scope: 's' });
    await cache.close();
    const lines = await exported();
    expect(lines).toMatchObject([
      { params: { q: 1 }, version: 3, scope: 's', result: 'a' },
      { params: { q: 2 }, version: 3, result: 'b' },
      { params: { q: 3 }, version: 3, scope: 't' },
      { params: { q: 4 }, version: 3 },
      { params: { q: 5 }, version: 3 },
      { params: { q: 6 }, version: 3, scope: 'u' },
    ]);
    for (const { key, method, params, scope, version } of lines)
      expect(hashKey(method as string, params, { scope, version: version as number })).toBe(key);
  });

  describe('in memory', () => {
    const originOf = (cache: CacheManager, params: unknown) =>
      coreOf(cache)!.tiers.peek(hashKey('m', params))!.origin as { readonly encodedParams: Uint8Array };
    /** Whether they are encoded each time that they are asked for. */
    const isShared = (cache: CacheManager, params: unknown) => {
      const [once, twice] = [originOf(cache, params).encodedParams, originOf(cache, params).encodedParams];
      return once !== twice;
    };
    const call = { text: 'as before', list: [1, undefined, { deep: 1.5 }] };
    const use = async (cache: CacheManager, ...all: unknown[]) => {
      for (const params of [...all, ...all]) await cache.get('m', structuredClone(params));
    };

    it('holds params once that calls are found by, but for what is redacted', async () => {
      const cache = new CacheManager({ keepParams: { redact: ['token'] } });
      const secret = { text: 'with a token', token: 'hunter2' };
      for (const params of [call, secret]) await cache.set('m', params, 1);
      const { encodedParams } = originOf(cache, call);
      expect([call, secret].map((params) => isShared(cache, params))).toEqual([false, false]);
      await use(cache, call, secret);
      // What is redacted is in the index alone.
      expect([call, secret].map((params) => isShared(cache, params))).toEqual([true, false]);
      expect(originOf(cache, call).encodedParams).toEqual(encodedParams);
      const seen: unknown[] = [];
      const params = (kept: unknown) => seen.push(kept) > 9;
      expect(await cache.deleteWhere('m', { params })).toEqual({ deleted: 0, unknown: 0 });
      expect(seen).toEqual(expect.arrayContaining([call, { text: 'with a token' }]));
    });

    it('holds them once where they are set, or come back from disk, after calls were found by them', async () => {
      const cache = await disk({ keepParams: true, maxSize: 1 });
      const plain = { text: 'as before', page: 2 };
      await use(cache, plain);
      await cache.set('m', plain, 1);
      expect(isShared(cache, plain)).toBe(true);
      await cache.set('m', 'another', 2);
      expect(await cache.get('m', plain)).toBe(1);
      expect(isShared(cache, plain)).toBe(true);
      await cache.close();
      expect(await exported()).toMatchObject([{ params: 'another' }, { params: plain }]);
    });

    it('has a copy of its own once calls are not found by them any more, and for those asked for once', async () => {
      const cache = new CacheManager({ keepParams: true, maxSize: 4 });
      await cache.get('m', call);
      await cache.set('m', call, 1);
      expect(isShared(cache, call)).toBe(false);
      await use(cache, call);
      expect(isShared(cache, call)).toBe(true);
      const { encodedParams } = originOf(cache, call);
      await use(cache, ...Array.from({ length: 8 }, (_, n) => ({ n })));
      expect(isShared(cache, call)).toBe(false);
      expect(originOf(cache, call).encodedParams).toEqual(encodedParams);
    });
  });

  it('keeps nothing by default', async () => {
    const cache = await disk({ version: 'v' });
    await cache.set('m', { secret: 'hunter2' }, 1, { scope: 'tenant-1' });
    await cache.close();
    expect(written()).not.toMatch(/hunter2|tenant-1/);
    expect(await exported()).toEqual([expect.not.objectContaining({ params: expect.anything() })]);
  });

  it('never writes what is redacted, nor what a redacted path leads into that it can not follow', async () => {
    const cache = await disk({
      keepParams: { redact: ['token', 'auth.token', ['list', '1'], 'map.token', 'none.at.all'] },
      methods: { off: { keepParams: false } },
    });
    const params = {
      token: 'hunter2',
      auth: { token: 'hunter2', user: 'ann' },
      list: ['x', 'hunter2', 'y'],
      map: new Map([['token', 'hunter2']]),
    };
    const key = cache.key('m', params);
    await cache.set('m', params, 1);
    await cache.set('off', { token: 'hunter2' }, 1);
    const seen: unknown[] = [];
    await cache.deleteWhere('m', { params: (stored) => seen.push(stored) < 0 });
    const stored = { auth: { user: 'ann' }, list: ['x', null, 'y'] };
    expect(seen).toEqual([stored]);
    expect(await cache.get('m', params)).toBe(1);
    await cache.close();
    expect(written()).not.toContain('hunter2');
    const line = (await exported()).find(({ method }) => method === 'm');
    expect(line).toMatchObject({ key, params: stored });
    // Imported it goes by its key, not by what is left of its params.
    const fail = (message: string) => new Error(message);
    expect(parseEntryLine(JSON.stringify(line), fail, 0).key).toBe(key);
  });

  it('leaves out what is ignored, so that the params make the key', async () => {
    const cache = await disk({ keepParams: { redact: [] }, ignore: ['trace', ['0']] });
    await cache.set('m', { q: 1, trace: () => {} }, 1);
    await cache.set('list', ['x', { trace: 1 }], 2);
    await cache.close();
    const lines = await exported();
    expect(lines.map(({ params }) => params)).toEqual([[{ trace: 1 }], { q: 1 }]);
    for (const { key, method, params } of lines) expect(hashKey(method as string, params)).toBe(key);
  });

  it('takes them down as the load starts, whatever the caller changes meanwhile', async () => {
    const cache = await disk({ keepParams: true });
    const params = { q: 1 };
    const { promise, open } = gate<string>();
    const tool = cache.wrap(async (_params: { q: number }) => promise, { name: 'm' });
    const load = tool(params);
    params.q = 2;
    open('one');
    await load;
    await cache.close();
    expect(await exported()).toMatchObject([{ key: hashKey('m', { q: 1 }), params: { q: 1 } }]);
  });

  it('counts what it takes, and brings it back from disk', async () => {
    const bytesOf = async (options: CacheOptions) => {
      const cache = new CacheManager(options);
      await cache.set('m', 'x'.repeat(1000), 1, { scope: 'y'.repeat(500) });
      return cache.stats().bytes;
    };
    const more = (await bytesOf({ keepParams: true })) - (await bytesOf({}));
    expect(more).toBeGreaterThan(1500);
    expect(more).toBeLessThan(2000);
    const first = await disk({ keepParams: true });
    await first.set('m', 1, 'value', { scope: 's' });
    await first.close();
    await using second = await disk({ keepParams: true });
    expect(await second.get('m', 1, { scope: 's' })).toBe('value');
    expect(await second.deleteWhere('m', { scope: 's', params: (params) => params === 1 })).toEqual({
      deleted: 1,
      unknown: 0,
    });
  });

  it('refuses what is no form of it', () => {
    const make = (keepParams: unknown) => () => new CacheManager({ keepParams } as CacheOptions);
    expect(make('token')).toThrow(
      "Expected `keepParams` to be true, false or `{ redact: [paths] }`, got `'token'`",
    );
    expect(make({ redacted: ['token'] })).toThrow(
      'Unknown field `redacted` of `keepParams`: did you mean `redact`?',
    );
    expect(make({ redact: 'token' })).toThrow('Wrong `keepParams.redact`');
  });
});

describe('deleteWhere', () => {
  it.each([
    ['memory', async () => new CacheManager({ keepParams: true })],
    ['memory and disk', () => disk({ keepParams: true })],
    ['disk', () => disk({ keepParams: true, maxSize: 1 })],
  ])('deletes by scope, version and params, in %s', async (_tier, open) => {
    await using cache = await open();
    const newer = cache.wrap(async ({ q }: { q: number }) => q, { name: 'm', version: 2 });
    await newer({ q: 1 });
    for (const q of [1, 2, 3]) await cache.set('m', { q }, q, { scope: 'a' });
    for (const q of [1, 2, 3]) await cache.set('m', { q }, q, { scope: 'b' });
    await cache.set('other', { q: 1 }, 1, { scope: 'a' });
    const is = (q: number) => (params: unknown) => (params as { q: number }).q === q;
    expect(await cache.deleteWhere('m', { scope: 'a', params: is(2) })).toEqual({ deleted: 1, unknown: 0 });
    expect(await cache.get('m', { q: 2 }, { scope: 'a' })).toBeUndefined();
    expect(await cache.get('m', { q: 2 }, { scope: 'b' })).toBe(2);
    expect(await cache.method('m').deleteWhere({ scope: 'a' })).toEqual({ deleted: 2, unknown: 0 });
    expect(await cache.deleteWhere('m', { version: '2' })).toEqual({ deleted: 0, unknown: 0 });
    expect(await cache.deleteWhere('m', { version: 2 })).toEqual({ deleted: 1, unknown: 0 });
    expect(await cache.deleteWhere('m', { params: is(3) })).toEqual({ deleted: 1, unknown: 0 });
    expect(await cache.get('m', { q: 1 }, { scope: 'b' })).toBe(1);
    expect(await cache.get('other', { q: 1 }, { scope: 'a' })).toBe(1);
  });

  it('stays deleted after a restart, and tells of entries it knows nothing of', async () => {
    const plain = await disk();
    await plain.set('m', 0, 'unknown');
    await plain.close();
    const first = await disk({ keepParams: true });
    await first.set('m', 1, 'one');
    await first.set('m', 2, 'two');
    await first.flush();
    expect(await first.deleteWhere('m', { params: (params) => params === 1 })).toEqual({
      deleted: 1,
      unknown: 1,
    });
    await first.close();
    await using second = await disk();
    expect(await second.getMany('m', [0, 1, 2])).toEqual(['unknown', undefined, 'two']);
  });

  it('supersedes loads under way of the method alone', async () => {
    const cache = new CacheManager({ keepParams: true });
    const [one, other] = [gate<string>(), gate<string>()];
    const loads = [
      cache.getOrSet('m', 1, () => one.promise),
      cache.getOrSet('other', 1, () => other.promise),
    ];
    await cache.deleteWhere('m', { params: () => true });
    const after = cache.getOrSet('m', 1, () => 'new');
    one.open('old');
    other.open('kept');
    expect(await Promise.all(loads)).toEqual(['old', 'kept']);
    expect(await after).toBe('new');
    expect(await cache.getMany('m', [1])).toEqual(['new']);
    expect(await cache.get('other', 1)).toBe('kept');
  });

  it('refuses where nothing is kept, and criteria that would delete too much', async () => {
    const off = new CacheManager();
    await expect(off.deleteWhere('m', { scope: 's' })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('with `keepParams: true`'),
    });
    off.wrap(async () => 1, { name: 'm', keepParams: true });
    expect(await off.deleteWhere('m', { scope: 's' })).toEqual({ deleted: 0, unknown: 0 });
    const cache = new CacheManager({ keepParams: true });
    await cache.set('m', 1, 1);
    const refused = (criteria: unknown) =>
      expect(cache.deleteWhere('m', criteria as { scope: string })).rejects;
    await refused({}).toThrow('`clear(method)` deletes all');
    await refused({ scope: undefined }).toThrow('`scope` of `deleteWhere`');
    await refused({ scop: 's' }).toThrow('Unknown field `scop`');
    await refused({ scope: null }).toThrow('to be a string');
    await refused({ params: { q: 1 } }).toThrow('to be a function');
    await refused({ params: async () => false }).toThrow('got a promise');
    await refused({ params: () => 1 }).toThrow('to return true or false');
    expect(await cache.get('m', 1)).toBe(1);
    await cache.close();
    await refused({ scope: 's' }).toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});
