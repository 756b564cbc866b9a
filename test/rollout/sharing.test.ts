/** What rollouts must not share, though it looks as if they might: under odd names, options of the cache, and failures. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { Rollout, type RolloutOptions, ToolEffects } from '../../src/rollout/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const effects = Object.freeze({
  search: 'pure',
  read: { reads: ['fs:{path}'] },
  list: { reads: ['fs:{dir}/'] },
  sources: { reads: ['fs:src/'] },
  put: { writes: ['fs:/{path}'] },
  clean: { writes: ['fs:/tmp/**'] },
} as const);

const begin = (options: Partial<RolloutOptions> = {}, cache = new CacheManager()) => {
  const rollout = new Rollout(cache, { effects, task: 't', ...options });
  let runs = 0;
  const ask = (tool: string, input: object = {}) => rollout.call(tool, input, async () => ++runs);
  return { rollout, ask, cache };
};

describe('a write', () => {
  it.each([
    ['read', { path: '/tmp/x' }, 'clean', {}],
    ['read', { path: 'tmp/x/' }, 'put', { path: '/tmp/x' }],
    ['list', { dir: '/src' }, 'put', { path: 'src/a' }],
    ['sources', {}, 'put', { path: '/src/a' }],
  ])(
    'is noticed by %s of %o, whatever slashes there are: %s of %o',
    async (reader, read, writer, written) => {
      const { ask } = begin();
      expect(await ask(reader, read)).toBe(1);
      expect(await ask(reader, read)).toBe(1);
      await ask(writer, written);
      expect(await ask(reader, read)).toBe(3);
    },
  );
});

describe('rules of `cache.tools`', () => {
  it('that call a tool opaque go before wider ones', async () => {
    const rules = { 'get_*': { ttl: '1h' }, get_time: 'opaque' } as const;
    const { ask } = begin({ effects: ToolEffects.fromRules(rules) });
    expect([await ask('get_time'), await ask('get_time')]).toEqual([1, 2]);
    expect([await ask('get_user'), await ask('get_user')]).toEqual([3, 3]);
  });

  it('have their ttl and their `isError` heeded', async () => {
    const clock = new FakeClock();
    const isError = vi.fn((value) => (value as { ok: boolean }).ok === false);
    const rules = { quote: { ttl: '1m' }, buy: { isError } } as const;
    const cache = new CacheManager({ clock });
    const { rollout, ask } = begin({ effects: ToolEffects.fromRules(rules) }, cache);
    expect([await ask('quote'), await ask('quote')]).toEqual([1, 1]);
    clock.advance(60_001);
    expect(await ask('quote')).toBe(2);
    expect(await rollout.call('buy', {}, () => ({ ok: false }))).toEqual({ ok: false });
    expect(await rollout.call('buy', {}, () => ({ ok: true }))).toEqual({ ok: true });
    expect(await rollout.call('buy', {}, () => ({ ok: false }))).toEqual({ ok: true });
  });

  it.each([
    [{ key: () => 1 }, '`key` of the rule `search` does nothing in a rollout: leave it out'],
    [
      { version: 2 },
      '`version` of the rule `search` does nothing in a rollout: give it to the cache, `methods:',
    ],
    [{ ttl: 'soon' }, 'Wrong rule `search`'],
  ])('with %o are refused', (rule, message) => {
    expect(() => ToolEffects.fromRules({ search: rule as never })).toThrow(message);
  });
});

describe('patterns', () => {
  it('that are as long as others must agree with all of them', () => {
    const declared = new ToolEffects({ 'a*': 'pure', '*a': 'pure', '*b*': 'write' });
    expect(() => declared.for('aba')).toThrow('The effects `a*` and `*b*` disagree on the tool `aba`');
  });
});

describe('a read whose caller', () => {
  const open = () => {
    let end!: (value: string) => void;
    let fail!: (error: Error) => void;
    const result = new Promise<string>((resolve, reject) => {
      [end, fail] = [resolve, reject];
    });
    return { result, end, fail };
  };

  it('has given up is the answer of nobody who joined it, and is not kept', async () => {
    const cache = new CacheManager();
    const [first, second, third] = [1, 2, 3].map((id) => begin({ id }, cache).rollout);
    const { result, end } = open();
    const controller = new AbortController();
    const ran = vi.fn(() => result);
    const given = first!.call('read', { path: 'a' }, ran, { signal: controller.signal });
    const joined = second!.call('read', { path: 'a' }, () => 'own');
    await vi.waitFor(() => expect(ran).toHaveBeenCalled());
    controller.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    end('of a world that was reset');
    expect(await joined).toBe('own');
    expect(await third!.call('read', { path: 'a' }, () => 'own too')).toBe('own too');
  });

  it('fails does so alone', async () => {
    const cache = new CacheManager();
    const [first, second] = [1, 2].map((id) => begin({ id }, cache).rollout);
    const { result, fail } = open();
    const failing = first!.call('read', { path: 'a' }, () => result);
    const joined = second!.call('read', { path: 'a' }, () => 'own');
    fail(new Error('no container'));
    await expect(failing).rejects.toThrow('no container');
    expect(await joined).toBe('own');
  });

  const isError = (value: unknown) => (value as { failed?: boolean }).failed === true;
  it.each<[string, object, CacheOptions, Partial<RolloutOptions>]>([
    ['by convention', { isError: true }, {}, {}],
    ['by `isError`', { failed: true }, { methods: { read: { isError } } }, {}],
    ['where worlds are made', { isError: true }, {}, { environment: { replay: () => [] } }],
  ])('is told of an error by its result is told alone: %s', async (_, error, options, own) => {
    const cache = new CacheManager(options);
    const [first, second] = [1, 2].map((id) => begin({ id, ...own }, cache).rollout);
    const { result, end } = open();
    const failing = first!.call('read', { path: 'a' }, async () => (await result) && error);
    const joined = second!.call('read', { path: 'a' }, () => ({ value: 'own' }));
    end('now');
    expect(await failing).toEqual(error);
    expect(await joined).toEqual({ value: 'own' });
  });
});

describe('a tool with state', () => {
  it.each<[CacheOptions]>([
    [{ ttl: 1000, staleWhileRevalidate: '1h' }],
    [{ ttl: 1000, staleIfError: '1h', softTimeout: 1 }],
    [{ ttl: 1000, refreshAhead: { beta: 1e9 } }],
  ])('never runs in the background, under %o', async (options) => {
    const clock = new FakeClock();
    const { rollout } = begin({}, new CacheManager({ ...options, clock, random: () => 0.9 }));
    const load = async () => {
      clock.advance(10);
      return 1;
    };
    expect(await rollout.call('read', { path: 'a' }, load)).toBe(1);
    clock.advance('refreshAhead' in options ? 500 : 2000);
    let end = () => {};
    const ran = vi.fn(() => new Promise<number>((resolve) => (end = () => resolve(2))));
    const read = rollout.call('read', { path: 'a' }, ran);
    if ('refreshAhead' in options) {
      expect(await read).toBe(1);
      await setImmediate();
      expect(ran).not.toHaveBeenCalled();
      return;
    }
    await vi.waitFor(() => expect(ran).toHaveBeenCalled());
    clock.advance(10);
    // A deadline grants a turn.
    for (let turn = 0; turn < 3; turn++) await setImmediate();
    end();
    expect(await read).toBe(2);
  });

  it('has no `knownKeys`, which know nothing of what has happened', async () => {
    const knownKeys = { add: () => undefined, mayHave: () => false, size: 0, capacity: 1 };
    const { ask } = begin({}, new CacheManager({ methods: { read: { knownKeys } } }));
    await expect(ask('read', { path: 'a' })).rejects.toThrow('`knownKeys` of the method `read`');
    expect(await ask('list', { dir: 'a' })).toBe(1);
  });
});

describe('without a task', () => {
  it.each(['task', 'rollout'] as const)('nobody shares under %o, whatever the id is', async (scope) => {
    const cache = new CacheManager();
    const declared = { read: { effect: { reads: ['a'] }, scope } } as const;
    const [one, two] = [1, 2].map(() => new Rollout(cache, { effects: declared, id: 0 }));
    expect(await one!.call('read', {}, () => 'prompt 1')).toBe('prompt 1');
    expect(await two!.call('read', {}, () => 'prompt 2')).toBe('prompt 2');
  });
});
