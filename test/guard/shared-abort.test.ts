import { describe, expect, it } from 'vitest';
import { onAbort } from '../../src/guard/shared-abort.js';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { gate, settle } from '../helper/gate.js';

/** A signal whose listeners are counted. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const { addEventListener, removeEventListener } = signal;
  const count = { most: 0, now: 0 };
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count.most = Math.max(count.most, ++count.now);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    count.now--;
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, count };
}

describe('one abort signal of many calls', () => {
  it.each<[string, CacheOptions, unknown]>([
    ['that wait for loads', {}, 'params'],
    ['with a timeout', { hardTimeout: '1h' }, 'params'],
    ['that can not be cached', {}, () => 'no params'],
  ])('has one listener, of all caches, for calls %s, and none after them', async (_, options, params) => {
    const { signal, count } = countedSignal();
    const caches = [new CacheManager(options), new CacheManager(options)];
    const done = gate<string>();
    const calls = Array.from({ length: 40 }, (_, which) =>
      caches[which % 2]!.getOrSet('tool', { which, params }, () => done.promise, { signal }),
    );
    await settle();
    expect(count).toEqual({ most: 1, now: 1 });
    done.open('value');
    await Promise.all(calls);
    await settle();
    expect(count).toEqual({ most: 1, now: 0 });
  });

  it('aborts them all', async () => {
    const { signal, controller } = countedSignal();
    const cache = new CacheManager();
    const calls = Array.from({ length: 40 }, (_, which) =>
      cache.getOrSet('tool', which, () => gate().promise, { signal }),
    );
    const outcomes = Promise.allSettled(calls);
    controller.abort('enough');
    expect(await outcomes).toEqual(calls.map(() => ({ status: 'rejected', reason: 'enough' })));
  });

  it('tells each once, and nobody who has left, be it while others are told', () => {
    const { signal, controller, count } = countedSignal();
    const told: string[] = [];
    onAbort(signal, () => told.push('left'))();
    const leaveFirst = onAbort(signal, () => {
      told.push('first');
      leaveSecond();
    });
    const leaveSecond = onAbort(signal, () => told.push('second'));
    const leaveThird = onAbort(signal, () => told.push('third'));
    expect(count.now).toBe(1);
    controller.abort();
    for (const leave of [leaveFirst, leaveSecond, leaveThird]) leave();
    expect(told).toEqual(['first', 'third']);
  });

  it('may be waited for again after all have left', () => {
    const { signal, controller } = countedSignal();
    const told: string[] = [];
    const leave = onAbort(signal, () => told.push('one'));
    leave();
    onAbort(signal, () => told.push('two'));
    leave();
    controller.abort();
    expect(told).toEqual(['two']);
  });
});
