/** What a recording does in each mode, by each way that a tool is called. */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { type NotRecordedError, recording } from '../../src/recording/index.js';
import { FakeClock } from '../../src/testing/index.js';
import { MapTier } from '../helper/map-tier.js';
import { CountedTool, freshTape } from './tape.js';

const tape = freshTape();
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

type Params = Readonly<Record<string, unknown>>;
type Ask = (params: Params) => Promise<unknown>;

/** Ways to call one tool through a cache. */
const ways: Readonly<Record<string, (cache: CacheManager, tool: CountedTool) => Ask>> = {
  getOrSet: (cache, tool) => (params) => cache.getOrSet('search', params, () => tool.run(params)),
  refresh: (cache, tool) => (params) => cache.refresh('search', params, () => tool.run(params)),
  wrap: (cache, tool) => cache.wrap((params: Params) => tool.run(params), { name: 'search' }),
  'wrap with key': (cache, tool) =>
    cache.wrap((params: Params) => tool.run(params), { name: 'search', key: (params) => params }),
  cached: (cache, tool) => {
    class Client {
      @cache.cached({ name: 'search' })
      async search(params: Params): Promise<string> {
        return tool.run(params);
      }
    }
    const client = new Client();
    return (params) => client.search(params);
  },
  tools: (cache, tool) => {
    const { search } = cache.tools(
      { search: { execute: async (input: Params, _context?: object) => tool.run(input) } },
      { search: {} },
    );
    return (params) => search.execute(params, { toolCallId: String(tool.runs) });
  },
};

/** Records answers to these calls. */
async function record(
  calls: readonly Params[],
  options: CacheOptions = {},
  way = 'getOrSet',
): Promise<unknown[]> {
  const cache = await tape.open('record', options);
  const ask = ways[way]!(cache, new CountedTool());
  const answers: unknown[] = [];
  for (const params of calls) answers.push(await ask(params));
  await cache.close();
  return answers;
}

describe.each(Object.keys(ways))('by %s', (way) => {
  it('is recorded, then answered without its tool, in replay and in strict', async () => {
    const calls = [{ query: 'mvcc' }, { query: 'lsm', limit: 3 }];
    const answers = await record(calls, {}, way);
    for (const mode of ['replay', 'strict'] as const) {
      const cache = await tape.open(mode);
      const tool = new CountedTool();
      const ask = ways[way]!(cache, tool);
      for (const [at, params] of calls.entries()) {
        expect(await ask(params)).toBe(answers[at]);
        expect(await ask({ ...params })).toBe(answers[at]);
      }
      expect(tool.runs).toBe(0);
    }
  });

  it('runs what is not recorded in replay, keeps it in memory, and refuses it in strict', async () => {
    await record([{ query: 'mvcc' }], {}, way);
    const replay = await tape.open('replay');
    const live = new CountedTool();
    const ask = ways[way]!(replay, live);
    expect(await ask({ query: 'new' })).toBe('answer 1 to {"query":"new"}');
    expect(await replay.get('search', { query: 'new' })).toBe('answer 1 to {"query":"new"}');
    await replay.close();
    const strict = await tape.open('strict');
    const tool = new CountedTool();
    const refused = (await ways[way]!(
      strict,
      tool,
    )({ query: 'new' }).catch((error: unknown) => error)) as NotRecordedError;
    expect(refused).toMatchObject({
      name: 'NotRecordedError',
      code: 'ERR_NOT_RECORDED',
      method: 'search',
      nearest: { key: strict.key('search', { query: 'mvcc' }), paths: ['query'] },
    });
    expect(refused.message).toBe(
      "`search` is not recorded with these params, and in mode 'strict' no tool runs. The nearest recorded call is " +
        `${strict.key('search', { query: 'mvcc' })}, and differs in \`query\`: record it with TOOLSTASH_MODE=record`,
    );
    expect(tool.runs).toBe(0);
    expect(strict.tape.refused).toHaveLength(1);
  });
});

describe('record', () => {
  it('keeps params, whatever the ttl, and makes an ordinary cache folder', async () => {
    const clock = new FakeClock();
    const options: CacheOptions = {
      clock,
      ttl: '1m',
      methods: { never: { ttl: 0 }, sliding: { ttl: '1m', sliding: true, maxAge: '1h' } },
    };
    const cache = await tape.open('record', options);
    const ask = (method: string) => cache.getOrSet(method, { q: 1 }, () => method, {});
    for (const method of ['search', 'never', 'sliding']) expect(await ask(method)).toBe(method);
    // What is kept of it answers nobody while it is recorded.
    expect(await cache.getOrSet('never', { q: 1 }, () => 'again')).toBe('again');
    expect(await cache.get('never', { q: 1 })).toBeUndefined();
    await cache.close();
    const ordinary = await CacheManager.open({ clock, ttl: '1m', persist: true, persistDir: tape.dir });
    expect(await ordinary.get('search', { q: 1 })).toBe('search');
    expect(await ordinary.get('never', { q: 1 })).toBeUndefined();
    await ordinary.close();
    clock.advance(1000 * 86_400_000);
    await using late = await CacheManager.open({ clock, persist: true, persistDir: tape.dir });
    expect((await late.consolidate()).dropped.expired).toBe(0);
    await late.close();
    const strict = await tape.open('strict', options);
    for (const method of ['search', 'sliding']) expect(await strict.get(method, { q: 1 })).toBe(method);
    expect(await strict.getOrSet('never', { q: 1 }, () => 'live')).toBe('again');
  });

  it('takes no notice of persist, tiers and remote, and goes on with what is recorded', async () => {
    const tier = new MapTier();
    const away = { persist: true, persistDir: join(tape.dir, 'other'), tiers: [tier] };
    const [first] = await record([{ q: 1 }], away);
    const tool = new CountedTool();
    const cache = await tape.open('record', away);
    expect(await ways['getOrSet']!(cache, tool)({ q: 1 })).toBe(first);
    await ways['getOrSet']!(cache, tool)({ q: 2 });
    await cache.close();
    expect(tool.runs).toBe(1);
    expect(existsSync(join(tape.dir, 'other'))).toBe(false);
    expect(tier.size ?? 0).toBe(0);
    const strict = await tape.open('strict', away);
    expect(await strict.getMany('search', [{ q: 1 }, { q: 2 }])).toEqual([first, 'answer 1 to {"q":2}']);
  });

  it('is shared by processes, which share their loads', async () => {
    const [one, other] = [await tape.open('record'), await tape.open('record')];
    const tool = new CountedTool();
    const slow = async (q: number) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return tool.run({ q });
    };
    const [first, second] = await Promise.all(
      [one, other].map((cache) => cache.getOrSet('search', { q: 1 }, () => slow(1))),
    );
    await other.getOrSet('search', { q: 2 }, () => slow(2));
    await Promise.all([one.close(), other.close()]);
    expect([second, tool.runs]).toEqual([first, 2]);
    const strict = await tape.open('strict');
    expect(await strict.getMany('search', [{ q: 1 }, { q: 2 }])).toEqual([first, 'answer 2 to {"q":2}']);
  });

  it('warns once of each tool whose calls go past it', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const cache = await tape.open('record', {}, { offline: ['clock'] });
    const { now, clock } = cache.tools(
      { now: { execute: async () => 1 }, clock: { execute: async () => 2 } },
      { '*': 'opaque' },
    );
    await Promise.all([now.execute(), now.execute(), clock.execute()]);
    const told = warn.mock.calls.filter(
      ([, options]) => (options as { code?: string }).code === 'TOOLSTASH_NOT_RECORDED',
    );
    expect(told.map(([message]) => message)).toEqual([
      "A call of `now` is not recorded (no rule caches it): in mode 'strict' it is refused. Cache it, or put a stand-in in " +
        'its place and name it in `offline`',
    ]);
  });
});

describe('replay', () => {
  it('goes on where `onAnswer` rejects, which is a warning', async () => {
    await record([{ query: 'mvcc' }]);
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const onAnswer = async () => {
      throw new Error('listener');
    };
    const cache = await tape.open('replay', {}, { onAnswer });
    expect(await cache.getOrSet('search', { query: 'mvcc' }, () => 'live')).toContain('answer 1');
    await new Promise((resolve) => setImmediate(resolve));
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('`onAnswer` of a recording failed'), {
      type: 'ToolstashWarning',
    });
  });

  it('runs no tool that nobody waits for any more', async () => {
    await record([{ query: 'mvcc' }]);
    const cache = await tape.open('replay');
    const run = vi.fn(() => 'live');
    const controller = new AbortController();
    const asked = cache.getOrSet('search', { query: 'new' }, run, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    // One that is asked for later is answered later.
    await cache.getOrSet('search', { query: 'other' }, () => 'live');
    expect(run).not.toHaveBeenCalled();
  });

  it('answers what has expired in a folder of an ordinary cache, for ever', async () => {
    const clock = new FakeClock();
    const ordinary = await CacheManager.open({ clock, ttl: '1m', persist: true, persistDir: tape.dir });
    await ordinary.set('search', { q: 1 }, 'old');
    await ordinary.close();
    clock.advance(86_400_000);
    const cache = await tape.open('replay', {
      clock,
      ttl: '1m',
      staleWhileRevalidate: '1m',
      refreshAhead: true,
    });
    const ask = () => cache.getOrSet('search', { q: 1 }, () => 'live');
    for (let day = 0; day < 3; day += 1) {
      expect(await ask()).toBe('old');
      clock.advance(86_400_000);
    }
    expect(cache.stats()).toMatchObject({ loads: 3, hits: 0, refreshes: 0 });
  });

  it('leaves the recording as it is, and answers from it again what was deleted or cleared', async () => {
    await record([{ q: 1 }]);
    const before = tape.bytes();
    const cache = await tape.open('strict');
    const ask = () => cache.getOrSet('search', { q: 1 }, () => 'live');
    const recorded = await ask();
    await cache.delete('search', { q: 1 });
    expect(await ask()).toBe(recorded);
    await cache.clear();
    expect(await cache.get('search', { q: 1 })).toBe(recorded);
    await cache.set('search', { q: 1 }, 'set');
    expect([await ask(), await cache.get('search', { q: 1 })]).toEqual(['set', 'set']);
    await cache.close();
    expect(tape.bytes()).toBe(before);
  });

  it('counts as a live run does, shares a load, and is read by many caches at once', async () => {
    await record([{ q: 1 }]);
    const caches = await Promise.all(['a', 'b', 'c'].map(() => tape.open('strict')));
    for (const cache of caches) {
      const tool = new CountedTool();
      const ask = ways['wrap']!(cache, tool);
      const answers = await Promise.all([ask({ q: 1 }), ask({ q: 1 }), ask({ q: 1 })]);
      await ask({ q: 1 });
      expect(new Set(answers).size).toBe(1);
      expect(cache.stats()).toMatchObject({ loads: 1, coalesced: 2, hits: 1, misses: 1, loadErrors: 0 });
      expect(tool.runs).toBe(0);
    }
  });

  it('tells each load that was answered, and survives a listener that throws', async () => {
    await record([{ q: 1 }]);
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const told: unknown[] = [];
    const cache = await tape.open(
      'replay',
      {},
      {
        onAnswer: (call) => {
          told.push(call);
          throw new Error('no');
        },
      },
    );
    const ask = (q: number) => cache.getOrSet('search', { q }, () => 'live');
    await Promise.all([ask(1), ask(1), ask(2)]);
    const key = cache.key('search', { q: 1 });
    expect(told).toEqual([{ method: 'search', key, answer: { key, ageMs: expect.any(Number) } }]);
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringContaining('`onAnswer` of a recording failed'),
    ]);
  });

  it('runs the tool where the recording is damaged, counted; strict refuses', async () => {
    await record([{ q: 1 }]);
    const spoilt = async (mode: 'replay' | 'strict') => {
      const cache = await tape.open(mode, {
        codecs: [],
      });
      const find = (await import('../../src/persistence/read-only-tier.js')).ReadOnlyTier.prototype;
      vi.spyOn(find, 'lookup').mockRejectedValue(new Error('EIO'));
      return cache;
    };
    const replay = await spoilt('replay');
    expect(await replay.getOrSet('search', { q: 1 }, () => 'live')).toBe('live');
    expect(replay.stats().cacheErrors).toBe(1);
    const strict = await spoilt('strict');
    await expect(strict.getOrSet('search', { q: 1 }, () => 'live')).rejects.toMatchObject({
      code: 'ERR_NOT_RECORDED',
      message: "What is recorded of `search` can't be read: EIO",
      cause: expect.objectContaining({ message: 'EIO' }),
    });
  });
});

describe('values', () => {
  it('are those of the tool: streams that were gathered, classes with codecs, large ones, nothing', async () => {
    class Money {
      constructor(readonly cents: number) {}
    }
    const codecs = [
      {
        tag: 'money',
        test: (value: unknown) => value instanceof Money,
        encode: (value: unknown) => (value as Money).cents,
        decode: (cents: unknown) => new Money(cents as number),
      },
    ];
    const large = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`k${at}`, at]));
    const values = [new Money(7), large, undefined, null, new Map([['a', new Date(0)]])];
    const play = async (mode: 'record' | 'strict', isLive: boolean) => {
      const cache = await tape.open(mode, { codecs });
      const run = vi.fn((value: unknown) => value);
      const stream = cache.wrap(
        async function* (count: number) {
          for (let at = 0; at < count; at += 1) yield run(at);
        },
        { name: 'stream', collect: true },
      );
      const items: unknown[] = [];
      for await (const item of stream(3)) items.push(item);
      const answers: unknown[] = [];
      for (const [at, value] of values.entries())
        answers.push(await cache.getOrSet('value', at, () => run(value)));
      await cache.close();
      expect(run).toHaveBeenCalledTimes(isLive ? 3 + values.length : 0);
      return [items, answers];
    };
    expect(await play('record', true)).toEqual([[0, 1, 2], values]);
    expect(await play('strict', false)).toEqual([[0, 1, 2], values]);
  });
});

describe('strict', () => {
  it('says what differs: arguments, scope, version, or that nothing is known', async () => {
    const calls = await tape.open('record');
    await calls.getOrSet('search', { query: 'mvcc', filter: { tags: ['a', 'b'] } }, () => 1, { scope: 's' });
    await calls.getOrSet('plain', 'text', () => 1);
    await calls.close();
    const cache = await tape.open('strict', { methods: { versioned: { version: 2 } } });
    const messageOf = async (method: string, params: unknown, scope?: string) => {
      const asked = cache.getOrSet(method, params, () => 'live', scope === undefined ? {} : { scope });
      return ((await asked.catch((error: unknown) => error)) as Error).message.replace(
        /^.* differs/,
        'differs',
      );
    };
    const end = ': record it with TOOLSTASH_MODE=record';
    const tags = { query: 'mvcc', filter: { tags: ['a', 'c'] } };
    expect(await messageOf('search', tags, 's')).toBe(`differs in \`filter.tags.1\`${end}`);
    expect(await messageOf('search', { ...tags, 'a.b': 1 })).toBe(
      `differs in \`filter.tags.1\`, \`["a.b"]\`, its scope${end}`,
    );
    expect(await messageOf('plain', 'other')).toBe(`differs in the params themselves${end}`);
    expect(await messageOf('nothing', {})).toBe(
      `Nothing of \`nothing\` is recorded in ${tape.dir} (recorded are \`plain\`, \`search\`), and in mode 'strict' no tool runs${end}`,
    );
    rmSync(tape.dir, { recursive: true });
    await using unkept = await CacheManager.open({ persist: true, persistDir: tape.dir });
    await unkept.set('search', { q: 1 }, 1);
    await unkept.close();
    const blind = await tape.open('strict');
    await expect(blind.get('search', { q: 2 })).rejects.toThrow(
      '1 recorded calls differ is not known, as their params were',
    );
  });

  it('refuses get, lookup, getMany and getSync of what is not there, and answers has', async () => {
    await record([{ q: 1 }]);
    const cache = await tape.open('strict');
    const refused = { code: 'ERR_NOT_RECORDED' };
    await expect(cache.get('search', { q: 2 })).rejects.toMatchObject(refused);
    await expect(cache.lookup('search', { q: 2 })).rejects.toMatchObject(refused);
    await expect(cache.getMany('search', [{ q: 1 }, { q: 2 }])).rejects.toMatchObject(refused);
    expect(() => cache.getSync('search', { q: 1 })).toThrow(expect.objectContaining(refused));
    expect([await cache.has('search', { q: 1 }), await cache.has('search', { q: 2 })]).toEqual([true, false]);
    expect(await cache.lookup('search', { q: 1 })).toMatchObject({
      outcome: 'hit',
      tier: 'recording',
      value: expect.any(String),
    });
  });

  it('lets no call past: without a key, after close, at once, opaque, writing, of further instances, without a rule', async () => {
    const cache = await tape.open('strict');
    const run = vi.fn(async () => 'live');
    const refused = (reason: string) =>
      expect.objectContaining({ code: 'ERR_NOT_RECORDED', message: expect.stringContaining(`(${reason})`) });
    const wrapped = cache.wrap(run as (input: unknown) => Promise<string>, { name: 'search' });
    await expect(wrapped(() => 1)).rejects.toEqual(refused('unhashable params'));
    await expect(cache.getOrSet('search', () => 1, run)).rejects.toEqual(refused('unhashable params'));
    const sync = cache.wrapSync(() => void run(), { name: 'sync' });
    expect(() => sync()).toThrow(refused('it returns at once, and a recording is read in time'));
    const { book, now, search, other } = cache.tools(
      { book: { execute: run }, now: run, search: { execute: run }, other: { handler: run } },
      { book: 'write', now: 'opaque', search: { effect: { reads: ['db'] } }, 'o*': 'opaque' },
    );
    await expect((async () => book.execute())()).rejects.toEqual(refused('no rule caches it'));
    await expect((async () => now())()).rejects.toEqual(refused('no rule caches it'));
    await expect((async () => search.execute())()).rejects.toEqual(refused('no rule caches it'));
    await expect((async () => other.handler())()).rejects.toEqual(refused('no rule caches it'));
    class Client {
      @cache.cached
      async find(_input: string) {
        return run();
      }
    }
    const [one, two] = [new Client(), new Client()];
    await expect(one.find('a')).rejects.toMatchObject({ code: 'ERR_NOT_RECORDED' });
    await expect(two.find('a')).rejects.toEqual(refused('further instance'));
    await cache.close();
    await expect(wrapped('x')).rejects.toEqual(refused('closed'));
    expect(run).not.toHaveBeenCalled();
    expect(cache.tape.refused.length).toBeGreaterThan(8);
  });

  it('runs what needs no network, by name', async () => {
    const cache = await tape.open('strict', {}, { offline: ['now', 'fake_*'] });
    const tools = cache.tools({ now: async () => 'now', fake_book: async () => 'booked' }, { '*': 'write' });
    expect(await Promise.all([tools.now(), tools.fake_book()])).toEqual(['now', 'booked']);
    expect(await cache.getOrSet('fake_read', { q: 1 }, () => 'read')).toBe('read');
    expect(cache.wrapSync(() => 'at once', { name: 'now' })()).toBe('at once');
    await expect(cache.getOrSet('unfake', {}, () => 'live')).rejects.toMatchObject({
      code: 'ERR_NOT_RECORDED',
    });
  });

  it('opens no circuit, remembers no error, and tells all who wait', async () => {
    const guards = { circuitBreaker: { failures: 1 }, cacheErrors: () => 60_000 };
    const cache = await tape.open('strict', guards);
    for (let round = 0; round < 5; round += 1) {
      const asked = [1, 2, 3].map(() => cache.getOrSet('search', { q: 1 }, () => 'live'));
      const errors = await Promise.all(asked.map((each) => each.catch((error: unknown) => error)));
      expect(new Set(errors).size).toBe(3);
      for (const error of errors) expect(error).toMatchObject({ code: 'ERR_NOT_RECORDED', method: 'search' });
    }
    expect(cache.stats()).toMatchObject({ circuitRejections: 0, errorHits: 0, loads: 0 });
  });
});

describe('live', () => {
  it('does nothing, and needs no folder', async () => {
    rmSync(tape.dir, { recursive: true });
    const cache = await tape.open(undefined);
    const tool = new CountedTool();
    expect(await ways['getOrSet']!(cache, tool)({ q: 1 })).toBe('answer 1 to {"q":1}');
    await cache.close();
    expect(existsSync(tape.dir)).toBe(false);
  });
});

describe('the environment', () => {
  it('goes before the option', async () => {
    vi.stubEnv('TOOLSTASH_MODE', 'record');
    expect(recording({ dir: 'x', mode: 'strict' }).mode).toBe('record');
    vi.stubEnv('TOOLSTASH_MODE', '');
    expect(recording({ dir: 'x', mode: 'strict' }).mode).toBe('strict');
    expect(recording({ dir: 'x' }).mode).toBe('live');
    vi.stubEnv('TOOLSTASH_MODE', 'strickt');
    expect(() => recording({ dir: 'x' })).toThrow(
      "Expected `TOOLSTASH_MODE` to be 'live' or 'record' or 'replay' or 'strict', got `'strickt'`",
    );
  });

  it('lets no cache without a recording pass for strict, unless that was meant', () => {
    vi.stubEnv('TOOLSTASH_MODE', 'strict');
    expect(() => new CacheManager()).toThrow('Expected `recording` with TOOLSTASH_MODE=strict, got none');
    expect(new CacheManager({ recording: false }).stats().loads).toBe(0);
    vi.stubEnv('TOOLSTASH_MODE', 'strict ');
    expect(() => new CacheManager()).toThrow("Expected `TOOLSTASH_MODE` to be 'live' or");
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    for (const mode of ['record', 'replay', 'record', 'live', '']) {
      vi.stubEnv('TOOLSTASH_MODE', mode);
      expect(new CacheManager().stats().loads).toBe(0);
    }
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringContaining(
        'TOOLSTASH_MODE=record does nothing for a cache that has no recording: give `recording({ dir })`',
      ),
    ]);
  });
});

describe('options', () => {
  const make = (options: object) => () => recording({ dir: 'x', ...options } as never);

  it('are refused with the value and the fix', () => {
    expect(() => recording({} as never)).toThrow('Expected `dir` to be a path, got `undefined`');
    expect(make({ mode: 'play' })).toThrow(
      "Expected `mode` to be 'live' or 'record' or 'replay' or 'strict', got `'play'`",
    );
    expect(make({ redacted: [] })).toThrow(
      'Unknown option `redacted` of recording(): did you mean `redact`?',
    );
    expect(make({ redact: 'token' })).toThrow('Wrong `redact`');
    expect(make({ offline: 'now' })).toThrow(
      "Expected `offline` to be a list of tools' names, as `['search', 'read_*']`, got `'now'`",
    );
    expect(make({ onAnswer: 1 })).toThrow('Expected `onAnswer` to be a function, got `1`');
    expect(make({ approximate: { tools: [], maxDistance: 1 } })).toThrow(
      'Expected `approximate.tools` to name a tool',
    );
    expect(make({ approximate: { tools: ['a'], maxDistance: 2 } })).toThrow(
      'a number above 0 and up to 1, got `2`',
    );
    expect(() => new CacheManager({ recording: 'x' as never })).toThrow(
      'Expected `recording` to be what `recording({ dir })`',
    );
  });

  it('need a recording that is there', async () => {
    rmSync(tape.dir, { recursive: true });
    for (const mode of ['replay', 'strict'] as const) {
      await expect(tape.open(mode)).rejects.toThrow(
        `Expected \`recording({ dir })\` to name files or folders that are there, got \`${tape.dir}\``,
      );
    }
  });
});
