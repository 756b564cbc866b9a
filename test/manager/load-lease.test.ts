import { describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { LeaseVerdict, LoadLease, LoadLeaseRequest, TierRecord } from '../../src/tier.js';
import { settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

/** A load's turn that a test decides on. */
class TestTurn implements LoadLease {
  readonly load: LoadLeaseRequest;
  asked = 0;
  ended = 0;
  #answers: ((verdict: LeaseVerdict) => void)[] = [];

  constructor(load: LoadLeaseRequest) {
    this.load = load;
  }

  next(): Promise<LeaseVerdict> {
    this.asked += 1;
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  end(): void {
    this.ended += 1;
  }

  async say(verdict: LeaseVerdict): Promise<void> {
    for (const answer of this.#answers.splice(0)) answer(verdict);
    await settle();
  }
}

/** A tier that others share: they are played by the test. */
class TurnTier extends MapTier {
  readonly taken: TestTurn[] = [];

  takeLease(load: LoadLeaseRequest): LoadLease {
    this.taken.push(new TestTurn(load));
    return this.taken.at(-1)!;
  }

  /** What another process has loaded or written. */
  writeElsewhere(record: TierRecord, value: Uint8Array, time = 1e12): void {
    this.records.set(record.key, {
      ...record,
      encoded: value,
      stamp: { time: record.stamp.time + time, writer: 'f'.repeat(16) },
    });
  }
}

const text = (value: string) => Buffer.concat([Buffer.from([0xa0 + value.length]), Buffer.from(value)]);

function makeCache(options: CacheOptions = {}) {
  const clock = new FakeClock();
  const tier = new TurnTier();
  const cache = new CacheManager({ clock, ...options }, [tier]);
  return { cache, clock, tier };
}

/** A record of `tool` 1, as a cache of the same kind writes it. */
async function recordOf(value: unknown, options: CacheOptions = {}): Promise<TierRecord> {
  const { cache, tier } = makeCache(options);
  await cache.set('tool', 1, value);
  return [...tier.records.values()][0]!;
}

describe('a load whose tier is shared', () => {
  it('waits for its turn, loads, and ends its turn once the value is in', async () => {
    const { cache, tier } = makeCache();
    let loads = 0;
    const calls = Array.from({ length: 3 }, () => cache.getOrSet('tool', 1, () => ++loads));
    await settle();
    const [turn] = tier.taken;
    expect({ loads, taken: tier.taken.length, ...turn?.load }).toMatchObject({
      ...{ loads: 0, taken: 1, method: 'tool', key: cache.key('tool', 1), known: undefined, isNested: false },
    });
    await turn!.say('load');
    expect(await Promise.all(calls)).toEqual([1, 1, 1]);
    expect([turn!.ended, tier.records.size]).toEqual([1, 1]);
    expect(cache.stats()).toMatchObject({ misses: 1, hits: 0, coalesced: 2, loads: 1 });
  });

  it('takes what another has loaded meanwhile, which counts as a hit and no miss', async () => {
    const { cache, tier } = makeCache();
    const call = cache.getOrSet('tool', 1, () => 'mine');
    await settle();
    tier.records.set(cache.key('tool', 1), await recordOf('theirs'));
    await tier.taken[0]!.say('look-again');
    expect(await call).toBe('theirs');
    expect(tier.taken[0]!.ended).toBe(1);
    expect(cache.stats()).toMatchObject({ misses: 0, hits: 1, loads: 0, hitRate: 1 });
  });

  it('asks again when there is nothing after all, and loads alone when the turn is not to be had', async () => {
    const { cache, tier } = makeCache();
    const call = cache.getOrSet('tool', 1, () => 'mine');
    await settle();
    await tier.taken[0]!.say('look-again');
    expect(tier.taken[0]!.asked).toBe(2);
    await tier.taken[0]!.say('load-alone');
    expect(await call).toBe('mine');
    expect(cache.stats()).toMatchObject({ misses: 1, hits: 0, loads: 1 });
  });

  it('ends its turn when the tool fails, is refused by the queue, takes too long, or nobody waits any more', async () => {
    const { cache, clock, tier } = makeCache({
      methods: { busy: { concurrency: { limit: 1, queueLimit: 0 } }, slow: { hardTimeout: 100 } } as never,
    });
    const failing = cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')));
    failing.catch(() => undefined);
    await settle();
    await tier.taken[0]!.say('load');
    await expect(failing).rejects.toThrow('down');
    expect(tier.taken[0]!.ended).toBeGreaterThan(0);

    void cache.getOrSet('busy', 1, () => new Promise(() => undefined));
    const refused = cache.getOrSet('busy', 2, () => 'never');
    refused.catch(() => undefined);
    await settle();
    const [, first, second] = tier.taken.splice(0, 3);
    await first!.say('load');
    await second!.say('load');
    await expect(refused).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    expect([first!.ended, second!.ended > 0]).toEqual([0, true]);

    const slow = cache.getOrSet('slow', 1, () => new Promise(() => undefined));
    slow.catch(() => undefined);
    await settle();
    await tier.taken[0]!.say('load');
    clock.advance(100);
    await expect(slow).rejects.toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
    await settle();
    expect(tier.taken[0]!.ended).toBeGreaterThan(0);

    const abort = new AbortController();
    const left = cache.getOrSet('left', 1, () => new Promise(() => undefined), { signal: abort.signal });
    await settle();
    await tier.taken[1]!.say('load');
    abort.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    expect(tier.taken[1]!.ended).toBeGreaterThan(0);
  });

  it('lets callers abort, give up and take stale values while it waits', async () => {
    const { cache, clock, tier } = makeCache({
      ttl: 1_000,
      staleIfError: 60_000,
      softTimeout: 50,
      hardTimeout: 200,
    });
    await cache.set('stale', 1, 'old');
    clock.advance(2_000);
    const abort = new AbortController();
    const aborted = cache.getOrSet('tool', 1, () => 'mine', { signal: abort.signal });
    const late = cache.getOrSet('tool', 2, () => 'mine');
    const stale = cache.getOrSet('stale', 1, () => 'new');
    for (const call of [aborted, late, stale]) call.catch(() => undefined);
    await settle();
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expect(tier.taken[0]!.load.signal.aborted).toBe(true);
    clock.advance(50);
    expect(await stale).toBe('old');
    clock.advance(150);
    await expect(late).rejects.toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
    expect(tier.taken[1]!.load.signal.aborted).toBe(true);
    // What a tier says too late changes nothing, and ends the turn.
    for (const turn of tier.taken) await turn.say('load');
    expect(tier.taken.map(({ ended }) => ended > 0)).toEqual([true, true, true]);
    expect(cache.stats('tool')).toMatchObject({ loads: 0, misses: 2 });
  });

  it('does not wait while the circuit is open', async () => {
    const { cache, tier } = makeCache({ circuitBreaker: { failures: 1, openFor: 60_000 } as never });
    const failing = cache.getOrSet('tool', 1, () => Promise.reject(new Error('down')));
    failing.catch(() => undefined);
    await settle();
    await tier.taken[0]!.say('load');
    await expect(failing).rejects.toThrow('down');
    await expect(cache.getOrSet('tool', 2, () => 'up')).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' });
    expect(tier.taken).toHaveLength(1);
    expect(cache.stats()).toMatchObject({ misses: 2, circuitRejections: 1 });
  });

  it('loads what was deleted here while it waited, whatever another hands over', async () => {
    const { cache, tier } = makeCache();
    const call = cache.getOrSet('tool', 1, () => 'mine');
    await settle();
    await cache.delete('tool', 1);
    await tier.taken[0]!.say('load');
    expect(await call).toBe('mine');
    expect(await cache.get('tool', 1)).toBe('mine');
  });

  it('tells the tier which load waits for it, so that circles can be broken early', async () => {
    const { cache, tier } = makeCache();
    const outer = cache.getOrSet('outer', 1, () => cache.getOrSet('inner', 1, () => 'in'));
    await settle();
    await tier.taken[0]!.say('load');
    expect(tier.taken.map(({ load }) => [load.method, load.isNested])).toEqual([
      ['outer', false],
      ['inner', true],
    ]);
    await tier.taken[1]!.say('load');
    expect(await outer).toBe('in');
  });

  it('takes no turn for what is owed from the tool or would not be stored', async () => {
    const { cache, tier } = makeCache({ methods: { passing: { ttl: 0 } } });
    expect(await cache.refresh('tool', 1, () => 'anew')).toBe('anew');
    expect(await cache.getOrSet('passing', 1, () => 'gone')).toBe('gone');
    const unstorable = cache.getOrSet('unstorable', 1, () => () => 1);
    await settle();
    await tier.taken[0]!.say('load');
    await unstorable;
    await cache.getOrSet('unstorable', 2, () => () => 1);
    expect(tier.taken.map(({ load }) => load.method)).toEqual(['unstorable']);
  });
});

describe('a renewal in the background whose tier is shared', () => {
  const options = { ttl: 1_000, staleWhileRevalidate: 60_000 };

  it('takes what another has renewed meanwhile, if that is fresh', async () => {
    const { cache, clock, tier } = makeCache(options);
    await cache.set('tool', 1, 'old');
    const record = [...tier.records.values()][0]!;
    clock.advance(2_000);
    expect(await cache.getOrSet('tool', 1, () => 'mine')).toBe('old');
    await settle();
    expect(tier.taken[0]!.load.known).toEqual(record.stamp);
    // Nothing newer is there.
    await tier.taken[0]!.say('look-again');
    expect(tier.taken[0]!.asked).toBe(2);
    tier.writeElsewhere(record, text('stale'));
    await tier.taken[0]!.say('look-again');
    expect(tier.taken[0]!.asked).toBe(3);
    const metadata = {
      ...record.metadata,
      createdAt: clock.now(),
      staleAt: clock.now() + 1_000,
      expiresAt: null,
    };
    tier.writeElsewhere({ ...record, metadata }, text('theirs'), 2e12);
    await tier.taken[0]!.say('look-again');
    expect(await cache.getOrSet('tool', 1, () => 'mine')).toBe('theirs');
    expect(tier.taken[0]!.ended).toBe(1);
    expect(cache.stats()).toMatchObject({ loads: 0, refreshes: 1 });
  });

  it('loads when it is its turn', async () => {
    const { cache, clock, tier } = makeCache(options);
    await cache.set('tool', 1, 'old');
    clock.advance(2_000);
    await cache.getOrSet('tool', 1, () => 'mine');
    await settle();
    await tier.taken[0]!.say('load');
    expect(await cache.getOrSet('tool', 1, () => 'late')).toBe('mine');
    expect(tier.taken[0]!.ended).toBe(1);
  });
});

it('goes on without a turn where a tier breaks the contract, and counts it', async () => {
  class BrokenTier extends MapTier {
    readonly #how: number;

    constructor(how: number) {
      super();
      this.#how = how;
    }

    takeLease(): LoadLease {
      if (this.#how === 0) throw new Error('no turns');
      return {
        next: () =>
          this.#how === 1 ? Promise.reject(new Error('no turn')) : Promise.resolve('load' as const),
        end: () => {
          throw new Error('no end');
        },
      };
    }
  }
  for (const how of [0, 1, 2]) {
    const cache = new CacheManager({}, [new BrokenTier(how)]);
    const errors: string[] = [];
    cache.on('error', ({ error }) => errors.push(error.message));
    expect(await cache.getOrSet('tool', 1, () => 'mine')).toBe('mine');
    await settle();
    expect(errors.length, `broken in way ${how}`).toBeGreaterThan(0);
    expect(errors[0]).toBe('The lease of the disk tier failed');
  }
});
