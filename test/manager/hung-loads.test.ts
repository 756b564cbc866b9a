/** Loads that do not come back: what they may cost others, and for how long. */

import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions, type LoadOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

const hardTimeout = 200;
const code = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error: { code?: string; message?: string }) => error.code ?? error.message,
  );
/** A tool of which the first call never ends, whatever its signal says. */
function tool() {
  const signals: AbortSignal[] = [];
  const load = ({ signal }: { signal: AbortSignal }) => {
    signals.push(signal);
    return signals.length === 1 ? new Promise<string>(() => {}) : `call ${signals.length}`;
  };
  return { signals, load };
}

function makeCache(options: CacheOptions = {}) {
  const clock = new FakeClock();
  return { clock, cache: new CacheManager({ clock, ...options }) };
}

/** What callers get who ask for one key every 50 ms. */
async function askSteadily(
  { cache, clock }: ReturnType<typeof makeCache>,
  load: Parameters<CacheManager['getOrSet']>[2],
  { calls = 20, options = {} as LoadOptions } = {},
) {
  const answers: unknown[] = [];
  const asked: Promise<void>[] = [];
  for (let call = 0; call < calls; call += 1) {
    const began = clock.elapsed();
    const note = (answer: unknown) => void answers.push([answer, clock.elapsed() - began]);
    asked.push(code(cache.getOrSet('tool', 'hot', load, options)).then(note));
    await clock.advanceAsync(50);
    await settle();
  }
  await clock.advanceAsync(hardTimeout);
  await settle();
  return answers as [answer: unknown, waited: number][];
}

describe('a load that does not come back', () => {
  it.each([
    ['of a caller', {}],
    ['under a circuit breaker', { circuitBreaker: { failures: 3 } }],
    ['in its turn', { concurrency: 1 }],
  ] as [string, CacheOptions][])(
    'fails who waited for it once it has had its `hardTimeout`; who comes later gets a fresh load: %s',
    async (_, options) => {
      const setting = makeCache({ hardTimeout, ...options });
      const { signals, load } = tool();
      const answers = await askSteadily(setting, load);
      expect(answers).toHaveLength(20);
      expect(answers.slice(0, 4).map(([answer]) => answer)).toEqual(Array(4).fill('ERR_LOADER_TIMEOUT'));
      expect(answers.slice(4).map(([answer]) => answer)).toEqual(Array(16).fill('call 2'));
      for (const [, waited] of answers) expect(waited).toBeLessThanOrEqual(hardTimeout);
      expect(signals[0]!.reason).toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
      expect(setting.cache.stats()).toMatchObject({ loads: 1, loadErrors: 1, hardTimeouts: 4, running: 0 });
    },
  );

  it('gives its turn back, whoever waits for it', async () => {
    const { cache, clock } = makeCache({ hardTimeout, concurrency: 1 });
    const { load } = tool();
    const hung = code(cache.getOrSet('tool', 'hot', load));
    await clock.advanceAsync(150);
    const joined = code(cache.getOrSet('tool', 'hot', load));
    const other = code(cache.getOrSet('tool', 'other', () => 'other'));
    await clock.advanceAsync(50);
    await settle();
    expect(await Promise.all([hung, joined, other])).toEqual([
      'ERR_LOADER_TIMEOUT',
      'ERR_LOADER_TIMEOUT',
      'other',
    ]);
    expect(cache.stats()).toMatchObject({ running: 0, queued: 0 });
  });

  it('counts as one failure for the circuit breaker, though callers keep coming', async () => {
    const { cache, clock } = makeCache({ hardTimeout, circuitBreaker: { failures: 2, openFor: '1h' } });
    const hang = () => new Promise(() => {});
    for (let call = 0; call < 7; call += 1) {
      void code(cache.getOrSet('tool', 'hot', hang));
      await clock.advanceAsync(50);
      await settle();
    }
    expect(cache.stats().circuit).toBe('closed');
    await clock.advanceAsync(100);
    await settle();
    expect(cache.stats()).toMatchObject({ circuit: 'open', loadErrors: 2, hardTimeouts: 7 });
  });

  it('is not stored and not counted again when it comes back after all', async () => {
    const { cache, clock } = makeCache({ hardTimeout });
    for (const end of ['open', 'fail'] as const) {
      const late = gate<string>();
      const hung = code(cache.getOrSet('tool', end, () => late.promise));
      await clock.advanceAsync(200);
      expect(await hung).toBe('ERR_LOADER_TIMEOUT');
      if (end === 'open') late.open('late');
      else late.fail(new Error('late'));
      await settle();
      expect(await cache.get('tool', end)).toBeUndefined();
    }
    expect(cache.stats()).toMatchObject({ loads: 0, loadErrors: 2, hardTimeouts: 2 });
  });

  it('never overwrites what the fresh load has brought', async () => {
    const { cache, clock } = makeCache({ hardTimeout });
    const late = gate<string>();
    void code(cache.getOrSet('tool', 1, () => late.promise));
    await clock.advanceAsync(200);
    await settle();
    expect(await cache.getOrSet('tool', 1, () => 'fresh')).toBe('fresh');
    late.open('late');
    await settle();
    expect(await cache.get('tool', 1)).toBe('fresh');
  });

  it('stays with who waits longer by an option of the call: these ask again, within their own time', async () => {
    const { cache, clock } = makeCache();
    const { signals, load } = tool();
    const short = code(cache.getOrSet('tool', 1, load, { hardTimeout: 100 }));
    const patient = code(cache.getOrSet('tool', 1, load));
    const longer = code(cache.getOrSet('tool', 1, load, { hardTimeout: 150 }));
    await clock.advanceAsync(100);
    await settle();
    expect(await Promise.all([short, patient, longer])).toEqual(['ERR_LOADER_TIMEOUT', 'call 2', 'call 2']);
    expect(signals).toHaveLength(2);
    const { hits, misses, coalesced, hitRate, hardTimeouts } = cache.stats();
    expect({ hits, misses, coalesced, hitRate, hardTimeouts }).toEqual({
      ...{ hits: 1, misses: 2, coalesced: 2, hitRate: 1 / 3, hardTimeouts: 1 },
    });
  });

  it('lets nobody wait longer in all who asks again', async () => {
    const { cache, clock } = makeCache();
    const hang = () => new Promise(() => {});
    void code(cache.getOrSet('tool', 1, hang, { hardTimeout: 100 }));
    await clock.advanceAsync(50);
    const longer = code(cache.getOrSet('tool', 1, hang, { hardTimeout: 150 }));
    let isOver = false;
    void longer.then(() => {
      isOver = true;
    });
    await clock.advanceAsync(149);
    await settle();
    expect(isOver).toBe(false);
    await clock.advanceAsync(1);
    await settle();
    expect(await longer).toBe('ERR_LOADER_TIMEOUT');
  });

  it('is not asked for again by who is out of time as well: a stall of the process lets both pass at once', async () => {
    const cache = new CacheManager({ hardTimeout: 10 });
    let loads = 0;
    const load = () => {
      loads += 1;
      return new Promise<string>(() => {});
    };
    const asking = [{}, { hardTimeout: 20 }].map((options) => code(cache.getOrSet('tool', 1, load, options)));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
    expect(await Promise.all(asking)).toEqual(['ERR_LOADER_TIMEOUT', 'ERR_LOADER_TIMEOUT']);
    expect(loads).toBe(1);
    expect(cache.stats().hardTimeouts).toBe(2);
  });

  it('costs nobody more than its time, with a load that can not be shared before', async () => {
    const { cache, clock } = makeCache({ hardTimeout });
    const done = gate();
    const unshareable = async () => {
      await done.promise;
      return () => 0;
    };
    void cache.getOrSet('tool', 1, unshareable);
    const hung = code(cache.getOrSet('tool', 1, () => new Promise(() => {})));
    await clock.advanceAsync(150);
    done.open();
    await settle();
    await clock.advanceAsync(50);
    await settle();
    expect(await hung).toBe('ERR_LOADER_TIMEOUT');
  });

  it('is not joined by callers with a bound when it has none and is older than that', async () => {
    const { cache, clock } = makeCache();
    const { signals, load } = tool();
    const patient = cache.getOrSet('tool', 1, load);
    await clock.advanceAsync(1000);
    expect(await code(cache.getOrSet('tool', 1, load, { hardTimeout }))).toBe('call 2');
    expect(signals[0]!.aborted).toBe(false);
    void patient;
  });

  it('ends where it waits for its turn, too: its place in line goes', async () => {
    const { cache, clock } = makeCache({ methods: { tool: { concurrency: 1 } } });
    const held = gate();
    void cache.getOrSet('tool', 'holder', () => held.promise);
    const inLine = code(cache.getOrSet('tool', 'hot', () => 'never', { hardTimeout }));
    await clock.advanceAsync(100);
    const joined = code(cache.getOrSet('tool', 'hot', () => 'never', { hardTimeout }));
    await clock.advanceAsync(100);
    await settle();
    expect(await Promise.all([inLine, joined])).toEqual(['ERR_LOADER_TIMEOUT', 'ERR_LOADER_TIMEOUT']);
    expect(cache.stats()).toMatchObject({ running: 1, queued: 0, loadErrors: 0, hardTimeouts: 2 });
    held.open();
  });

  it('ends in a slower tier, too: the next load asks the tool without waiting for that again', async () => {
    const clock = new FakeClock();
    const map = new MapTier();
    map.beforeAnswer = () => new Promise(() => {});
    const cache = new CacheManager({ clock, hardTimeout }, [map]);
    const first = code(cache.getOrSet('tool', 1, () => 'never'));
    await clock.advanceAsync(200);
    await settle();
    expect(await first).toBe('ERR_LOADER_TIMEOUT');
    expect(await cache.getOrSet('tool', 1, () => 'from the tool')).toBe('from the tool');
    expect(cache.stats()).toMatchObject({ loads: 1, cacheErrors: 1 });
  });

  it('ends without harm to the loads that its loader waits for', async () => {
    const { cache, clock } = makeCache({ methods: { outer: { hardTimeout, concurrency: 1 } } });
    const inner = gate<string>();
    const outer = code(cache.getOrSet('outer', 1, () => cache.getOrSet('inner', 1, () => inner.promise)));
    const joined = cache.getOrSet('inner', 1, () => 'unused');
    await clock.advanceAsync(200);
    await settle();
    expect(await outer).toBe('ERR_LOADER_TIMEOUT');
    inner.open('inner');
    expect(await joined).toBe('inner');
    expect(cache.stats('outer')).toMatchObject({ running: 0, entries: 0 });
  });

  it.each([
    ['alone', (cache: CacheManager, load: () => unknown) => cache.getOrSet('tool', () => 0, load)],
    ['a refresh', (cache: CacheManager, load: () => unknown) => cache.refresh('tool', 1, load)],
  ])('gives its turn back, called as %s', async (_, call) => {
    const { cache, clock } = makeCache({ hardTimeout, concurrency: 1, circuitBreaker: { failures: 1 } });
    const hung = code(call(cache, () => new Promise(() => {})));
    await clock.advanceAsync(200);
    await settle();
    expect(await hung).toBe('ERR_LOADER_TIMEOUT');
    expect(cache.stats()).toMatchObject({ running: 0, queued: 0, circuit: 'open', hardTimeouts: 1 });
  });

  it('leaves no timer behind, whatever becomes of it', async () => {
    const { cache, clock } = makeCache({ hardTimeout, staleIfError: '1h' });
    await cache.set('tool', 'warm', 1);
    const before = clock.pending;
    const { load } = tool();
    await askSteadily({ cache, clock }, load);
    expect(clock.pending).toBe(before);
  });
});

describe('a load that does not come back, of which callers take stale values', () => {
  it.each([
    ['soft timeout', { softTimeout: 50, staleIfError: '1h' }],
    ['soft timeout and turns', { softTimeout: 50, staleIfError: '1h', concurrency: 1 }],
    ['soft timeout and breaker', { softTimeout: 50, staleIfError: '1h', circuitBreaker: { failures: 5 } }],
    ['a renewal', { softTimeout: 50, staleIfError: '1h', staleWhileRevalidate: '1h' }],
    ['a renewal and turns', { staleWhileRevalidate: '1h', concurrency: 1, circuitBreaker: { failures: 5 } }],
  ] as [string, CacheOptions][])('is ended while calls keep coming: %s', async (_, options) => {
    const setting = makeCache({ ttl: 1000, hardTimeout, ...options });
    const { cache, clock } = setting;
    await cache.set('tool', 'hot', 'stale');
    clock.advance(1000);
    const { signals, load } = tool();
    const answers = await askSteadily(setting, load, { calls: 60 });
    expect(signals[0]!.reason).toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
    expect(answers.map(([answer]) => answer)).toContain('call 2');
    expect(answers.at(-1)![0]).toMatch(/^call /);
    expect(answers.every(([, waited]) => waited <= hardTimeout)).toBe(true);
    expect(cache.stats()).toMatchObject({ running: 0, queued: 0, loadErrors: 1 });
  });

  it('gives the stale value to who waits at its end', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, hardTimeout, staleIfError: '1h' });
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    const { load } = tool();
    const asked = [cache.getOrSet('tool', 1, load)];
    await clock.advanceAsync(199);
    asked.push(cache.getOrSet('tool', 1, load));
    await clock.advanceAsync(1);
    expect(await Promise.all(asked)).toEqual(['stale', 'stale']);
    expect(await cache.getOrSet('tool', 1, load)).toBe('call 2');
    expect(cache.stats()).toMatchObject({ hardTimeouts: 2, staleIfErrors: 2 });
  });

  it('never gives what was deleted meanwhile', async () => {
    const clock = new FakeClock();
    const map = new MapTier();
    const cache = new CacheManager({ clock, ttl: 1000, hardTimeout, staleIfError: '1h', maxBytes: 1 }, [map]);
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    const { load } = tool();
    const asking = code(cache.getOrSet('tool', 1, load));
    await clock.advanceAsync(100);
    await cache.delete('tool', 1);
    await clock.advanceAsync(100);
    await settle();
    expect(await asking).toBe('ERR_LOADER_TIMEOUT');
  });
});
