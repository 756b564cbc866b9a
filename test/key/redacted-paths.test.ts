/** Paths to params that are kept nowhere. */

import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { keptParams } from '../../src/key/key-origin.js';
import { Redactions } from '../../src/key/redacted-paths.js';

const kept = (params: unknown, ...redact: (string | string[])[]) =>
  keptParams(params, { ignored: undefined, redacted: new Redactions().paths(redact) });

describe('redacted paths', () => {
  it.each<[string | string[], unknown, unknown]>([
    ['headers.authorization', { headers: { Authorization: 's', accept: 'x' } }, { headers: { accept: 'x' } }],
    ['*.apiKey', { a: { apiKey: 's', b: { apiKey: 1 } }, apiKey: 1 }, { a: { b: { apiKey: 1 } }, apiKey: 1 }],
    ['**.apiKey', { a: [{ apiKey: 's', b: { APIKEY: 's', c: 1 } }], apikey: 's' }, { a: [{ b: { c: 1 } }] }],
    ['list.*', { list: ['s', 's'], kept: 1 }, { list: [null, null], kept: 1 }],
    ['*.0.token', { list: [{ token: 's' }, { token: 1 }] }, { list: [{}, { token: 1 }] }],
    ['a.**', { a: { b: 's' }, c: 1 }, { c: 1 }],
    ['a.**.b', { a: { b: 's', c: { b: 's', d: 1 } }, b: 1 }, { a: { c: { d: 1 } }, b: 1 }],
    ['**.**.b', { b: 's', a: { b: 's' } }, { a: {} }],
    [['a.b', '*'], { 'a.b': { c: 's' }, a: { b: 1 } }, { 'a.b': {}, a: { b: 1 } }],
    ['**.x', { at: new Date(5), map: new Map([['x', 's']]) }, { at: new Date(5) }],
    ['*', { a: 's', b: 's' }, {}],
    ['nothing.at.all', { a: 1 }, { a: 1 }],
  ])('%s', (path, params, expected) => {
    expect(kept(params, path)).toEqual(expected);
  });

  it('add up, those of a method to those of its cache', async () => {
    const cache = new CacheManager({
      keepParams: { redact: ['token'] },
      methods: {
        more: { keepParams: { redact: ['id'] } },
        same: { keepParams: true },
        off: { keepParams: false },
      },
    });
    const seen: unknown[] = [];
    for (const method of ['more', 'same', 'plain']) {
      await cache.set(method, { token: 's', id: 1, q: 2 }, 1);
      await cache.deleteWhere(method, { params: (params) => seen.push(params) < 0 });
    }
    expect(seen).toEqual([{ q: 2 }, { id: 1, q: 2 }, { id: 1, q: 2 }]);
  });

  describe('that lead nowhere in any call', () => {
    const warnings = async (use: (cache: CacheManager) => unknown, redact: (string | string[])[]) => {
      const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      const cache = new CacheManager({ keepParams: { redact } });
      await use(cache);
      expect(warn).not.toHaveBeenCalled();
      await cache.close();
      const said = warn.mock.calls.map(([message]) => String(message));
      warn.mockRestore();
      return said;
    };
    const params = { arguments: { apiKey: 's' }, list: [{ token: 's' }] };

    it('are told when the cache is closed, once', async () => {
      const redact = ['apiKey', 'arguments.key', ['list', '0', 'token'], 'list.*.token', '**.password'];
      const call = (cache: CacheManager) => cache.getOrSet('search', params, () => 1);
      const [message, ...others] = await warnings(call, redact);
      expect(message).toContain('`redact` hides nothing by `apiKey`, `arguments.key`, which led nowhere');
      expect(others).toEqual([]);
      expect(await warnings(call, redact)).toEqual([]);
    });

    it('are not told where one of the methods has them, in whatever case', async () => {
      const use = async (cache: CacheManager) => {
        await cache.set('a', params, 1);
        const run = async (_: object) => 1;
        await cache.wrap(run, { name: 'b', keepParams: { redact: ['other.X'] } })({
          TOKEN: 's',
          OTHER: { x: 1 },
        });
      };
      expect(await warnings(use, ['token', ['arguments', 'apikey']])).toEqual([]);
    });

    it('are not told where no call had members, or there was none', async () => {
      expect(await warnings((cache) => cache.set('a', 'text', 1), ['nothing.of.it'])).toEqual([]);
      expect(await warnings(() => undefined, ['nothing.at.all'])).toEqual([]);
    });
  });
});
