import { describe, expect, it } from 'vitest';
import { CacheManager } from '../src/index.js';
import { defaultOptions, resolveOptions } from '../src/options.js';

describe('the options', () => {
  it('have the documented defaults', () => {
    expect(resolveOptions({})).toMatchObject({
      eviction: 'lru',
      maxSize: 1000,
      maxBytes: 268_435_456,
      maxEntryBytes: 268_435_456,
      values: 'copy',
      codecs: [],
      defaults: { ttl: null, staleWhileRevalidate: 0, scope: undefined, version: undefined, ignore: [] },
    });
    expect(defaultOptions.maxBytes).toBe(256 * 1024 * 1024);
  });

  it('inherit from the cache what a method does not set', () => {
    const resolved = resolveOptions({ ttl: '1h', scope: 'a', methods: { tool: { ttl: 5, version: 'v2' } } });
    expect(resolved.methods.get('tool')).toMatchObject({ ttl: 5, scope: 'a', version: 'v2' });
    expect(resolved.defaults.ttl).toBe(3_600_000);
  });

  it.each([
    [{ maxSize: -1 }, 'Expected `maxSize` to be a positive integer, got `-1`'],
    [{ maxSize: 1.5 }, 'Expected `maxSize` to be a positive integer, got `1.5`'],
    [{ maxSize: '10' }, "Expected `maxSize` to be a positive integer, got `'10'`"],
    [{ maxSize: null }, 'Expected `maxSize` to be a positive integer, got `null`'],
    [{ version: Number.NaN }, 'Expected `version` to be a string or finite number, got `NaN`'],
    [{ codecs: null }, 'codecs'],
    [{ methods: null }, 'methods'],
    [{ eviction: null }, 'null'],
    [{ maxSize: 2 ** 24 + 1 }, '16777216'],
    [{ maxBytes: 0 }, 'Expected `maxBytes` to be a positive integer, got `0`'],
    [{ maxEntryBytes: Number.NaN }, 'Expected `maxEntryBytes` to be a positive integer, got `NaN`'],
    [{ eviction: 'mru' }, 'mru'],
    [{ values: 'clone' }, "Expected `values` to be 'copy' or 'reference', got `'clone'`"],
    [{ ttl: 'soon' }, '`ttl`'],
    [{ ttl: -1 }, '`ttl`'],
    [{ methods: { tool: { ttl: '5 parsecs' } } }, '`methods.tool.ttl`'],
    [{ methods: { tool: { tll: 5 } } }, 'Unknown option `tll` of methods.tool'],
    [{ staleWhileRevalidate: 'x' }, '`staleWhileRevalidate`'],
    [{ maxsize: 10 }, 'Unknown option `maxsize` of CacheManager. Known: '],
    [{ clock: { now: Date.now } }, 'Expected `clock` to be an object with a method `elapsed()`'],
    [{ random: 4 }, 'Expected `random` to be a function, got `4`'],
    [{ scope: 7 }, 'Expected `scope` to be a string, got `7`'],
    [{ version: {} }, 'Expected `version` to be a string or finite number, got `{}`'],
    [{ ignore: 'trace_id' }, 'ignore'],
    [null, 'Expected `CacheManager` to be an object of options, got `null`'],
  ])('refuse %o with the value and the fix', (options, message) => {
    expect(() => new CacheManager(options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(message) }),
    );
  });
});
