import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, vi } from 'vitest';
import { systemClock, type TimerOptions } from '../src/clock.js';
import { CacheManager } from '../src/index.js';
import { FakeClock } from '../src/testing/fake-clock.js';

const heldBy = () => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;

describe('the timers of the system clock', () => {
  it('hold the process only where somebody waits for them, and for as long', () => {
    const before = heldBy();
    const background = systemClock.schedule(() => {}, 60_000);
    expect(heldBy()).toBe(before);
    const waitedFor = systemClock.schedule(() => {}, 60_000, { holdsProcess: true });
    expect(heldBy()).toBe(before + 1);
    waitedFor.unref?.();
    expect(heldBy()).toBe(before);
    for (const timer of [background, waitedFor]) timer.cancel();
  });

  it('keep no context of who started them in the background, nor pass it on', async () => {
    const contexts = new AsyncLocalStorage<string>();
    const seen = (options?: TimerOptions) =>
      new Promise((resolve) => {
        contexts.run('a request', () => systemClock.schedule(() => resolve(contexts.getStore()), 1, options));
      });
    expect(await seen()).toBeUndefined();
    expect(await seen({ holdsProcess: true })).toBe('a request');
  });

  it('may be numbers, as under jsdom and in Electron windows', async () => {
    const { setTimeout: start } = globalThis;
    vi.stubGlobal('setTimeout', (callback: () => void, ms: number) => Number(start(callback, ms)));
    try {
      const cache = new CacheManager({ ttl: '1h', hardTimeout: 1 });
      expect(await cache.set('tool', 1, 'value')).toBe(true);
      await expect(cache.getOrSet('tool', 2, () => new Promise(() => {}))).rejects.toThrow(
        'longer than 1 ms',
      );
      expect(await cache.getOrSet('tool', 3, () => 'value')).toBe('value');
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe('the deadline of a caller', () => {
  /** A clock that tells which of its timers hold the process. */
  class HoldingClock extends FakeClock {
    readonly holding = new Set<object>();

    override schedule(callback: () => void, delayMs: number, { holdsProcess = false }: TimerOptions = {}) {
      const end = () => void this.holding.delete(timer);
      const timer = super.schedule(() => {
        end();
        callback();
      }, delayMs);
      if (holdsProcess) this.holding.add(timer);
      const cancel = () => {
        end();
        timer.cancel();
      };
      return { cancel, unref: end };
    }
  }

  it.each([
    ['hardTimeout', { hardTimeout: 1000 }, 1],
    ['softTimeout and hardTimeout', { softTimeout: 500, hardTimeout: 1000, staleIfError: '1h' }, 2],
  ] as const)('holds the process while the caller waits: %s', async (_, options, timers) => {
    const clock = new HoldingClock();
    const cache = new CacheManager({ clock, ...options });
    const asking = cache.getOrSet('tool', 1, () => new Promise(() => {})).catch(() => 'too late');
    expect(clock.holding.size).toBe(timers);
    await clock.advanceAsync(1000);
    expect(await asking).toBe('too late');
    expect(clock.holding.size).toBe(0);
  });

  it('lets the process go once the caller has a stale value, though the load goes on', async () => {
    const clock = new HoldingClock();
    const cache = new CacheManager({
      ...{ clock, ttl: 1000, softTimeout: 100, hardTimeout: 1000, staleIfError: '1h' },
    });
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    const asking = cache.getOrSet('tool', 1, () => new Promise<string>(() => {}));
    await clock.advanceAsync(100);
    expect(await asking).toBe('stale');
    expect(clock.holding.size).toBe(0);
  });

  it('does not hold the process for a renewal in the background', async () => {
    const clock = new HoldingClock();
    const cache = new CacheManager({ clock, ttl: 1000, staleWhileRevalidate: '1h', hardTimeout: 1000 });
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    expect(await cache.getOrSet('tool', 1, () => new Promise<string>(() => {}))).toBe('stale');
    expect(clock.holding.size).toBe(0);
  });
});
