import { AsyncResource } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { inForm } from '../helper/form.js';
import { isCollected } from '../helper/garbage.js';
import { gate, settle } from '../helper/gate.js';

/** A tool whose calls wait until the test lets them go. */
function heldTool() {
  const calls: ReturnType<typeof gate<string>>[] = [];
  const signals: AbortSignal[] = [];
  const loader = ({ signal }: { signal: AbortSignal }) => {
    const call = gate<string>();
    calls.push(call);
    signals.push(signal);
    return call.promise;
  };
  return { calls, signals, loader };
}

describe('single flight', () => {
  const bursts = inForm({ short: 1_000, long: 10_000 });

  it(`runs one load for each of ${bursts} bursts of 100 callers`, async () => {
    const cache = new CacheManager({ maxSize: 100 });
    let loads = 0;
    for (let burst = 0; burst < bursts; burst++) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, () =>
          cache.getOrSet('tool', burst, async () => {
            loads++;
            await null;
            return `answer ${burst}`;
          }),
        ),
      );
      if (answers.some((answer) => answer !== `answer ${burst}`)) throw new Error(`wrong answer in ${burst}`);
    }
    expect(loads).toBe(bursts);
    expect(cache.stats()).toMatchObject({ loads: bursts, misses: bursts, coalesced: 99 * bursts });
  });

  it('fails its waiters once, also when the loader rejects with undefined, and loads anew afterwards', async () => {
    const cache = new CacheManager();
    for (const reason of [new Error('down'), undefined]) {
      let loads = 0;
      const call = () =>
        cache.getOrSet('tool', { reason: String(reason) }, async () => {
          loads++;
          await null;
          throw reason;
        });
      const results = await Promise.allSettled(Array.from({ length: 10 }, call));
      expect(results).toEqual(Array.from({ length: 10 }, () => ({ status: 'rejected', reason })));
      expect(loads).toBe(1);
      await expect(call()).rejects.toBe(reason);
      expect(loads).toBe(2);
    }
    expect(cache.stats()).toMatchObject({ entries: 0, loads: 0, loadErrors: 4 });
  });

  it('gives everybody who waits for a failing load an error of their own', async () => {
    class ToolError extends Error {
      readonly details = { tries: [1] };
    }
    const cache = new CacheManager();
    const load = async () => {
      await null;
      throw new ToolError('down');
    };
    const errors = await Promise.all(
      Array.from({ length: 3 }, () =>
        cache.getOrSet('tool', 1, load).catch((error: ToolError) => {
          const seen = [error instanceof ToolError, error.message, ...error.details.tries];
          error.message += ', seen';
          error.details.tries.push(2);
          return seen;
        }),
      ),
    );
    expect(errors).toEqual(Array(3).fill([true, 'down', 1]));
  });

  it('turns a loader that throws at once into a rejection', async () => {
    const cache = new CacheManager();
    const failing = cache.getOrSet('tool', 1, () => {
      throw new TypeError('no such tool');
    });
    await expect(failing).rejects.toThrow('no such tool');
  });

  it.each(['set', 'delete', 'clear', 'clear all'] as const)(
    'does not store, and does not let anyone join, a load that a %s has overtaken',
    async (write) => {
      const cache = new CacheManager();
      const { calls, loader } = heldTool();
      const early = cache.getOrSet('tool', 1, loader);
      if (write === 'set') await cache.set('tool', 1, 'written');
      else if (write === 'delete') await cache.delete('tool', 1);
      else await cache.clear(write === 'clear' ? 'tool' : undefined);
      const late = cache.getOrSet('tool', 1, loader);
      calls[0]!.open('old');
      expect(await early).toBe('old');
      if (write === 'set') {
        expect(await late).toBe('written');
        expect(calls).toHaveLength(1);
      } else {
        expect(calls).toHaveLength(2);
        expect(await cache.get('tool', 1)).toBeUndefined();
        calls[1]!.open('new');
        expect(await late).toBe('new');
        expect(await cache.get('tool', 1)).toBe('new');
      }
    },
  );

  it('lets one caller abort without harm to the others', async () => {
    const cache = new CacheManager();
    const { calls, signals, loader } = heldTool();
    const impatient = new AbortController();
    const leader = cache.getOrSet('tool', 1, loader, { signal: impatient.signal });
    const patient = cache.getOrSet('tool', 1, loader, { signal: new AbortController().signal });
    impatient.abort(new Error('enough'));
    await expect(leader).rejects.toThrow('enough');
    expect(signals[0]!.aborted).toBe(false);
    calls[0]!.open('answer');
    expect(await patient).toBe('answer');
    expect(await cache.get('tool', 1)).toBe('answer');
  });

  it('aborts the load with its last caller, lets nobody join it, and stores nothing of it', async () => {
    const cache = new CacheManager();
    const { calls, signals, loader } = heldTool();
    const first = new AbortController();
    const second = new AbortController();
    const callers = Promise.allSettled(
      [first, second].map(({ signal }) => cache.getOrSet('tool', 1, loader, { signal })),
    );
    first.abort('first');
    expect(signals[0]!.aborted).toBe(false);
    second.abort('second');
    expect(signals[0]!.aborted).toBe(true);
    expect(signals[0]!.reason).toBe('second');
    const next = cache.getOrSet('tool', 1, loader);
    expect(calls).toHaveLength(2);
    calls[0]!.open('late');
    await settle();
    expect(await cache.get('tool', 1)).toBeUndefined();
    calls[1]!.open('fresh');
    expect(await next).toBe('fresh');
    expect(await callers).toEqual([
      { status: 'rejected', reason: 'first' },
      { status: 'rejected', reason: 'second' },
    ]);
  });

  it('refuses a caller who had already aborted, without a load', async () => {
    const cache = new CacheManager();
    const call = cache.getOrSet('tool', 1, () => 'answer', { signal: AbortSignal.abort('gone') });
    await expect(call).rejects.toBe('gone');
    expect(cache.stats().loads).toBe(0);
  });

  it('leaves no promise unhandled when a load fails after all its callers left', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const cache = new CacheManager();
    const { calls, loader } = heldTool();
    const controller = new AbortController();
    const caller = cache.getOrSet('tool', 1, loader, { signal: controller.signal });
    controller.abort('gone');
    await expect(caller).rejects.toBe('gone');
    calls[0]!.fail(new Error('late failure'));
    await settle();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('lets code of another context join while the loader has only begun, and leave without harm', async () => {
    const cache = new CacheManager();
    const joined: Promise<string>[] = [];
    const controller = new AbortController();
    const join = AsyncResource.bind((signal?: AbortSignal) => {
      joined.push(cache.getOrSet('tool', 1, () => 'another', signal === undefined ? {} : { signal }));
    });
    const value = await cache.getOrSet('tool', 1, async ({ signal }) => {
      join(controller.signal);
      controller.abort('gone');
      join();
      await null;
      return signal.aborted ? 'aborted' : 'value';
    });
    expect(value).toBe('value');
    expect(await Promise.allSettled(joined)).toEqual([
      { status: 'rejected', reason: 'gone' },
      { status: 'fulfilled', value: 'value' },
    ]);
  });

  it.each<CacheOptions>([{}, { concurrency: 1 }, { hardTimeout: '1h' }, { circuitBreaker: { failures: 3 } }])(
    'keeps no result for a timer that was set in its loader, nor for the signal of its caller, with %o',
    async (options) => {
      const cache = new CacheManager(options);
      const { signal } = new AbortController();
      const timers: NodeJS.Timeout[] = [];
      const idle = () => undefined;
      const load = async () => {
        const nested = () => cache.getOrSet('nested', 1, () => ({ text: 'nested' }));
        const value = await cache.getOrSet(
          'tool',
          1,
          async () => {
            timers.push(setInterval(idle, 1e6));
            await nested();
            timers.push(setInterval(idle, 1e6));
            return { text: 'value' };
          },
          { signal },
        );
        return new WeakRef(value);
      };
      // The second stands in line.
      const [one] = await Promise.all([load(), cache.getOrSet('tool', 2, () => 'other')]);
      expect(await isCollected(one)).toBe(true);
      for (const timer of timers) clearInterval(timer);
      expect(signal.aborted).toBe(false);
    },
  );

  describe('of loads that wait for each other', () => {
    const reentrant = { code: 'ERR_REENTRANT_LOAD', name: 'ReentrantLoadError' };

    it('refuses a loader that asks for its own key', async () => {
      const cache = new CacheManager();
      const call: () => Promise<string> = () => cache.getOrSet('tool', 1, call);
      await expect(call()).rejects.toMatchObject(reentrant);
    });

    it('refuses A → B → A', async () => {
      const cache = new CacheManager();
      const a: () => Promise<string> = () => cache.getOrSet('a', 1, b);
      const b: () => Promise<string> = () => cache.getOrSet('b', 1, a);
      await expect(a()).rejects.toMatchObject(reentrant);
    });

    it('refuses two chains that come to wait for each other, across caches too', async () => {
      const [one, two] = [new CacheManager(), new CacheManager()];
      const ready = gate();
      const a = async () => {
        await ready.promise;
        return two.getOrSet('b', 1, () => 'b');
      };
      const b = async () => {
        await ready.promise;
        return one.getOrSet('a', 1, () => 'a');
      };
      const results = Promise.allSettled([one.getOrSet('a', 1, a), two.getOrSet('b', 1, b)]);
      ready.open();
      for (const result of await results) expect(result).toMatchObject({ reason: reentrant });
    });

    it('allows nested loads of other keys, and the same key again once the load is over', async () => {
      const cache = new CacheManager();
      const background = gate<Promise<string>>();
      const outer = await cache.getOrSet('outer', 1, async () => {
        setImmediate(() => {
          const later = cache.delete('outer', 1).then(() => cache.getOrSet('outer', 1, () => 'again'));
          background.open(later);
        });
        const inner = await cache.getOrSet('inner', 1, () => 'inner');
        return `${inner} ${await cache.getOrSet('inner', 1, () => 'never')}`;
      });
      expect(outer).toBe('inner inner');
      expect(await background.promise).toBe('again');
    });

    it('allows two loaders to wait for a third', async () => {
      const cache = new CacheManager();
      const shared = gate<string>();
      const callers = ['a', 'b'].map((name) =>
        cache.getOrSet(name, 1, () => cache.getOrSet('shared', 1, () => shared.promise)),
      );
      shared.open('value');
      expect(await Promise.all(callers)).toEqual(['value', 'value']);
      expect(cache.stats('shared').loads).toBe(1);
    });
  });
});
