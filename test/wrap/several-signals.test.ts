import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { settle } from '../helper/gate.js';

afterEach(() => void vi.restoreAllMocks());

describe('a call with two signals', () => {
  const ways: [string, CacheOptions, unknown][] = [
    ['cached', {}, 'a key'],
    ['within a time', { hardTimeout: '1h' }, 'a key'],
    ['without a key', {}, () => 'no key'],
    ['without a key, within a time', { hardTimeout: '1h' }, () => 'no key'],
  ];

  it.each(ways)('ends its wait by either, with the reason of the first: %s', async (_, options, param) => {
    for (const first of [0, 1]) {
      const cache = new CacheManager({ clock: new FakeClock(), ...options });
      const seen: AbortSignal[] = [];
      const tool = cache.wrap(
        (_param: unknown, one: { signal: AbortSignal }, two: AbortSignal) => {
          seen.push(one.signal, two);
          return new Promise<string>(() => {});
        },
        { name: 'tool' },
      );
      const controllers = [new AbortController(), new AbortController()] as const;
      const call = tool(param, { signal: controllers[0].signal }, controllers[1].signal);
      const outcome = expect(call).rejects.toBe(`reason ${first}`);
      await settle();
      controllers[first]!.abort(`reason ${first}`);
      controllers[1 - first]!.abort('later');
      await outcome;
      expect(seen.map(({ aborted, reason }) => [aborted, reason])).toEqual(
        Array(2).fill([true, `reason ${first}`]),
      );
    }
  });

  it.each(ways)('leaves nothing with a signal that outlives it: %s', async (_, options, param) => {
    const any = vi.spyOn(AbortSignal, 'any');
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const cache = new CacheManager({ clock: new FakeClock(), ...options });
    const tool = cache.wrap(async (_param: unknown, _one: AbortSignal, _two: AbortSignal) => 'value', {
      name: 'tool',
    });
    const [long, short] = [new AbortController().signal, new AbortController().signal];
    for (let call = 0; call < 5; call += 1) await tool(param, long, short);
    await settle();
    expect(any).not.toHaveBeenCalled();
    expect([long, short].map((signal) => getEventListeners(signal, 'abort').length)).toEqual([0, 0]);
  });
});
