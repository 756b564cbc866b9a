import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';

function makeCache(options: CacheOptions = {}) {
  const clock = new FakeClock();
  return { cache: new CacheManager({ clock, ...options }), clock };
}

const down = () => Promise.reject(new Error('down'));
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: { code?: string; message?: string }) => error.code ?? error.message,
  );

describe('the soft timeout', () => {
  /** What a caller gets from a tool of 10 s, whose last value is stale, and when. */
  async function askSlowTool(options: CacheOptions) {
    const { cache, clock } = makeCache({ ttl: 1000, staleIfError: '1h', ...options });
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    const before = clock.elapsed();
    const done = gate<string>();
    clock.schedule(() => done.open('new'), 10_000);
    const controller = new AbortController();
    let waited = -1;
    const { signal } = controller;
    const asking = cache
      .getOrSet('tool', 1, () => done.promise, { signal })
      .then((value) => {
        waited = clock.elapsed() - before;
        return value;
      });
    await clock.advanceAsync(300);
    // Whoever has an answer can go: that ends nothing.
    if (waited >= 0) controller.abort();
    await clock.advanceAsync(10_000);
    return { cache, clock, value: await asking, waited };
  }

  it('answers a stale value when the tool is slow; without it callers wait for the tool', async () => {
    expect(await askSlowTool({ softTimeout: 200 })).toMatchObject({ value: 'stale', waited: 200 });
    expect(await askSlowTool({})).toMatchObject({ value: 'new', waited: 10_000 });
  });

  it('lets the load go on, and stores what it comes to, even when its caller has gone', async () => {
    const { cache } = await askSlowTool({ softTimeout: 200 });
    expect(await cache.get('tool', 1)).toBe('new');
    expect(cache.stats()).toMatchObject({ softTimeouts: 1, staleHits: 1, loads: 1, loadErrors: 0 });
  });

  it('is not followed by a hard timeout that nobody feels', async () => {
    const { cache } = await askSlowTool({ softTimeout: 200, hardTimeout: 5000 });
    expect(cache.stats()).toMatchObject({ softTimeouts: 1, hardTimeouts: 0 });
    expect(await cache.get('tool', 1)).toBeUndefined();
  });

  it('ends nobody’s wait when there is no stale value, or it was deleted meanwhile', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleIfError: '1h', softTimeout: 200 });
    const first = gate<string>();
    const asking = cache.getOrSet('tool', 1, () => first.promise);
    await clock.advanceAsync(300);
    first.open('loaded');
    expect(await asking).toBe('loaded');
    clock.advance(1000);
    const second = gate<string>();
    const again = cache.getOrSet('tool', 1, () => second.promise);
    await cache.delete('tool', 1);
    await clock.advanceAsync(300);
    second.open('newer');
    expect(await again).toBe('newer');
    expect(cache.stats().softTimeouts).toBe(0);
  });
});

describe('the hard timeout', () => {
  it('concerns its caller alone where the load has no bound, or a longer one', async () => {
    for (const own of [{}, { hardTimeout: 1000 }]) {
      const { cache, clock } = makeCache();
      const done = gate<string>();
      const signals: AbortSignal[] = [];
      const loader = ({ signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        return done.promise;
      };
      const patient = cache.getOrSet('tool', 1, loader, own);
      const impatient = code(cache.getOrSet('tool', 1, loader, { hardTimeout: 100 }));
      await clock.advanceAsync(200);
      expect(await impatient).toBe('ERR_LOADER_TIMEOUT');
      done.open('late');
      expect(await patient).toBe('late');
      expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
      expect(await cache.get('tool', 1)).toBe('late');
    }
  });

  it('gives way to a stale value where errors do', async () => {
    const { cache, clock } = makeCache({ ttl: 1000, staleIfError: '1h', hardTimeout: 100 });
    await cache.set('tool', 1, 'stale');
    clock.advance(1000);
    const asking = cache.getOrSet('tool', 1, () => new Promise<string>(() => {}));
    await clock.advanceAsync(200);
    expect(await asking).toBe('stale');
    expect(cache.stats()).toMatchObject({ hardTimeouts: 1, staleIfErrors: 1 });
  });

  it('leaves no timer behind', async () => {
    const { cache, clock } = makeCache({ hardTimeout: '1h', softTimeout: '1m', staleIfError: '1h' });
    const before = clock.pending;
    await cache.getOrSet('tool', 1, () => 'quick');
    await cache.getOrSet('tool', 2, down).catch(() => 'failed');
    await settle();
    expect(clock.pending).toBe(before);
  });
});

describe('concurrency', () => {
  it('runs no more loads of a method at once than it says, first come first served; without it all run', async () => {
    const most = async (options: CacheOptions) => {
      const { cache } = makeCache(options);
      let running = 0;
      let peak = 0;
      const order: number[] = [];
      const load = (id: number) => async () => {
        order.push(id);
        peak = Math.max(peak, ++running);
        await settle();
        running--;
        return id;
      };
      const ids = Array.from({ length: 20 }, (_, id) => id);
      const asking = ids.map((id) => cache.getOrSet('tool', id, load(id)));
      const during = cache.stats();
      expect(await Promise.all(asking)).toEqual(ids);
      expect(order).toEqual(ids);
      expect(cache.stats()).toMatchObject({ running: 0, queued: 0 });
      return { peak, running: during.running, queued: during.queued };
    };
    expect(await most({ concurrency: 3 })).toEqual({ peak: 3, running: 3, queued: 17 });
    expect(await most({})).toEqual({ peak: 20, running: 0, queued: 0 });
  });

  it('refuses at once when the line is full, or answers stale', async () => {
    const { cache, clock } = makeCache({
      ttl: 1000,
      methods: { tool: { concurrency: { limit: 1, queueLimit: 1 }, staleIfError: '1h' } },
    });
    await cache.set('tool', 'known', 'stale');
    clock.advance(1000);
    const rejected: string[] = [];
    cache.on('rejected', ({ reason }) => rejected.push(reason));
    const done = gate<string>();
    const first = cache.getOrSet('tool', 1, () => done.promise);
    const second = cache.getOrSet('tool', 2, () => 'second');
    expect(await code(cache.getOrSet('tool', 3, () => 'third'))).toBe('ERR_QUEUE_FULL');
    expect(await cache.getOrSet('tool', 'known', () => 'new')).toBe('stale');
    done.open('first');
    expect(await Promise.all([first, second])).toEqual(['first', 'second']);
    expect(cache.stats('tool')).toMatchObject({ queueRejections: 2, staleIfErrors: 1, loads: 2 });
    expect(rejected).toEqual(['queue', 'queue']);
  });

  it('does not let a load wait for a turn that its own parent holds', async () => {
    const { cache } = makeCache({ concurrency: 1 });
    const deep = (level: number): Promise<number> =>
      cache.getOrSet('tool', level, async () => (level === 0 ? 0 : 1 + (await deep(level - 1))));
    expect(await deep(5)).toBe(5);
  });

  it('hurries a load in line when a running one begins to wait for it', async () => {
    const { cache } = makeCache({ concurrency: 1 });
    const held = gate();
    const parent = cache.getOrSet('tool', 'parent', async () => {
      await held.promise;
      return `parent of ${await cache.getOrSet('tool', 'child', () => 'unused')}`;
    });
    const child = cache.getOrSet('tool', 'child', () => 'child');
    await settle();
    expect(cache.stats()).toMatchObject({ running: 1, queued: 1 });
    held.open();
    expect(await Promise.all([parent, child])).toEqual(['parent of child', 'child']);
  });

  it('hurries over two caches and several depths, in any crossing', async () => {
    const { cache } = makeCache({
      methods: { a: { concurrency: 1 }, b: { concurrency: 1 }, c: { concurrency: 1 } },
    });
    const started = gate();
    // a1 → b1 (deep) → joins c0, which stood in line at the top; c0 → a2 → b2: turns of depth 1 and 2.
    const blocker = gate();
    const top = cache.getOrSet('c', 'blocker', () => blocker.promise);
    const a1 = cache.getOrSet('a', 1, () =>
      cache.getOrSet('b', 1, async () => {
        await started.promise;
        return `b1 ${await cache.getOrSet('c', 0, () => 'unused')}`;
      }),
    );
    const c0 = cache.getOrSet(
      'c',
      0,
      async () => `c0 ${await cache.getOrSet('a', 2, () => cache.getOrSet('b', 2, () => 'b2'))}`,
    );
    await settle();
    started.open();
    expect(await a1).toBe('b1 c0 b2');
    expect(await c0).toBe('c0 b2');
    blocker.open();
    await top;
    expect(cache.stats()).toMatchObject({ running: 0, queued: 0 });
  });

  it('gives turns further in to a load that is joined from further in, after that too', async () => {
    const { cache } = makeCache({ methods: { a: { concurrency: 1 } } });
    const goesOn = gate();
    const outside = cache.getOrSet('b', 1, async () => {
      await goesOn.promise;
      return `b ${await cache.getOrSet('a', 2, () => 'a2')}`;
    });
    const parent = cache.getOrSet('a', 1, async () => `a1 ${await cache.getOrSet('b', 1, () => 'unused')}`);
    await settle();
    goesOn.open();
    expect(await Promise.all([parent, outside])).toEqual(['a1 b a2', 'b a2']);
  });

  it('gives back the turn of a load that nobody waits for any more, even if its tool never ends', async () => {
    const { cache, clock } = makeCache({ concurrency: 1, hardTimeout: 100 });
    const hanging = code(cache.getOrSet('tool', 1, () => new Promise(() => {})));
    await clock.advanceAsync(200);
    expect(await hanging).toBe('ERR_LOADER_TIMEOUT');
    expect(await cache.getOrSet('tool', 2, () => 'next')).toBe('next');
  });

  it('lets a caller leave the line by its abort, and a write overtake a load in line', async () => {
    const { cache } = makeCache({ concurrency: 1 });
    const done = gate<string>();
    const first = cache.getOrSet('tool', 1, () => done.promise);
    const controller = new AbortController();
    const second = cache.getOrSet('tool', 2, () => 'never', { signal: controller.signal });
    const third = cache.getOrSet('tool', 3, () => 'not needed any more');
    await cache.set('tool', 3, 'written');
    controller.abort('gone');
    await expect(second).rejects.toBe('gone');
    expect(cache.stats().queued).toBe(1);
    done.open('first');
    expect(await first).toBe('first');
    expect(await third).toBe('written');
    expect(cache.stats()).toMatchObject({ running: 0, queued: 0, loads: 1 });
  });
});

describe('the circuit breaker', () => {
  /** How often a dead tool is called by 100 calls, one every 100 ms. */
  async function callsOfDeadTool(options: CacheOptions) {
    const { cache, clock } = makeCache(options);
    let calls = 0;
    const dead = () => {
      calls++;
      return down();
    };
    const codes = new Set<unknown>();
    for (let call = 0; call < 100; call++) {
      codes.add(await code(cache.getOrSet('tool', call, dead)));
      await clock.advanceAsync(100);
    }
    return { calls, codes: [...codes], stats: cache.stats() };
  }

  it('leaves a dead tool alone; without it every call goes there', async () => {
    const guarded = await callsOfDeadTool({ circuitBreaker: { failures: 3, openFor: '5s' } });
    expect(guarded.calls).toBe(3 + 1);
    expect(guarded.codes).toEqual(['down', 'ERR_CIRCUIT_OPEN']);
    expect(guarded.stats).toMatchObject({ circuitRejections: 96, loadErrors: 4, circuit: 'open' });
    expect((await callsOfDeadTool({})).calls).toBe(100);
  });

  it('shows its states in the statistics and as events, answers stale while it is open, and closes again', async () => {
    const { cache, clock } = makeCache({
      ttl: 1000,
      staleIfError: '1h',
      methods: { tool: { circuitBreaker: { failures: 1, openFor: 5000 } } },
    });
    const states: string[] = [];
    cache.on('circuit', ({ method, previous, state }) => states.push(`${method}: ${previous} → ${state}`));
    await cache.set('tool', 1, 'stale');
    expect(cache.stats().circuit).toBe('closed');
    clock.advance(1000);
    expect(await cache.getOrSet('tool', 1, down)).toBe('stale');
    expect([
      cache.stats('tool').circuit,
      cache.stats().circuit,
      cache.method('tool').stats().circuit,
    ]).toEqual(['open', 'open', 'open']);
    expect(await cache.getOrSet('tool', 1, () => 'not asked')).toBe('stale');
    clock.advance(5000);
    const probe = gate<string>();
    const probing = cache.getOrSet('tool', 2, () => probe.promise);
    expect(cache.stats('tool').circuit).toBe('half-open');
    expect(await cache.getOrSet('tool', 1, () => 'not asked')).toBe('stale');
    probe.open('well again');
    expect(await probing).toBe('well again');
    expect(await cache.getOrSet('tool', 1, () => 'new')).toBe('new');
    expect(states).toEqual(['tool: closed → open', 'tool: open → half-open', 'tool: half-open → closed']);
  });

  it('counts results that are errors and timeouts against the tool, and aborts and excused errors not', async () => {
    const circuit = async (use: (cache: CacheManager, clock: FakeClock) => Promise<unknown>) => {
      const { cache, clock } = makeCache({
        hardTimeout: 100,
        isError: (value) => value === 'error',
        circuitBreaker: { failures: 1, isFailure: (error) => (error as Error).message !== 'bad params' },
      });
      await use(cache, clock);
      await settle();
      return cache.stats('tool').circuit;
    };
    const hang = () => new Promise(() => {});
    expect(await circuit((cache) => cache.getOrSet('tool', 1, () => 'error'))).toBe('open');
    expect(
      await circuit(async (cache, clock) => {
        const asking = code(cache.getOrSet('tool', 1, hang));
        await clock.advanceAsync(200);
        return asking;
      }),
    ).toBe('open');
    expect(
      await circuit((cache) => {
        const signal = AbortSignal.abort('gone');
        return code(cache.getOrSet('tool', 1, hang, { signal }));
      }),
    ).toBe('closed');
    expect(
      await circuit(async (cache) => {
        const controller = new AbortController();
        const asking = code(cache.getOrSet('tool', 1, hang, { signal: controller.signal }));
        controller.abort('gone');
        return asking;
      }),
    ).toBe('closed');
    const badParams = () => Promise.reject(new Error('bad params'));
    expect(await circuit((cache) => code(cache.getOrSet('tool', 1, badParams)))).toBe('closed');
  });

  it('lets those in line hear of it, too, and refuses before they stand in line', async () => {
    const { cache } = makeCache({ concurrency: 1, circuitBreaker: { failures: 1 } });
    const done = gate();
    const first = code(cache.getOrSet('tool', 1, () => done.promise));
    const inLine = code(cache.getOrSet('tool', 2, () => 'never'));
    done.fail(new Error('down'));
    expect(await Promise.all([first, inLine])).toEqual(['down', 'ERR_CIRCUIT_OPEN']);
    expect(await code(cache.getOrSet('tool', 3, () => 'never'))).toBe('ERR_CIRCUIT_OPEN');
    expect(cache.stats()).toMatchObject({ running: 0, queued: 0, circuitRejections: 2 });
  });

  it('refuses at once while its probe has the only turn', async () => {
    const { cache, clock } = makeCache({ concurrency: 1, circuitBreaker: { failures: 1, openFor: 5000 } });
    await code(cache.getOrSet('tool', 1, down));
    clock.advance(5000);
    const probe = gate<string>();
    const probing = cache.getOrSet('tool', 1, () => probe.promise);
    expect(await code(cache.getOrSet('tool', 2, () => 'never'))).toBe('ERR_CIRCUIT_OPEN');
    probe.open('well again');
    expect(await probing).toBe('well again');
  });

  it('is shared by wrapped functions of one name with equal rules', async () => {
    const { cache } = makeCache();
    const circuitBreaker = { failures: 2 };
    const one = cache.wrap(async (_: number) => down(), { name: 'tool', circuitBreaker });
    const two = cache.wrap(async (_: number) => 'answer', { name: 'tool', circuitBreaker: { failures: 2 } });
    await code(one(1));
    await code(one(2));
    expect(await code(two(3))).toBe('ERR_CIRCUIT_OPEN');
    const three = cache.wrap(async (_: number) => 'answer', {
      name: 'tool',
      circuitBreaker: { failures: 9 },
    });
    expect(await code(three(4))).toBe('no error');
    expect(cache.stats('tool').circuit).toBe('open');
  });
});
