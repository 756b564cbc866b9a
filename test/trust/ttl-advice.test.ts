import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { adviseTtl, type TtlAdvice, verifyHits } from '../../src/trust/index.js';

const minute = 60_000;
let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});
afterEach(() => void vi.restoreAllMocks());

/** Asks for some keys again and again, whose answers change between two rounds with this probability. */
async function use(
  cache: CacheManager,
  { keys, rounds, every, changes }: { keys: number; rounds: number; every: number; changes: number },
): Promise<void> {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const versions = Array.from({ length: keys }, () => 0);
  for (let round = 0; round < rounds; round += 1) {
    for (const [key, version] of versions.entries()) {
      await cache.getOrSet('search', key, () => ({ key, version }));
      if (random() < changes) versions[key] = version + 1;
    }
    await clock.advance(every);
  }
}

function only(advice: readonly TtlAdvice[]): TtlAdvice {
  expect(advice).toHaveLength(1);
  return advice[0]!;
}

describe('advice on ttls', () => {
  it('is to take a longer one where answers stay equal for longer, with what that saves and risks', async () => {
    const cache = new CacheManager({ clock, ttl: 10 * minute });
    const adviser = adviseTtl(cache);
    await use(cache, { keys: 100, rounds: 30, every: 11 * minute, changes: 0 });
    const { verdict, ttl, suggested, renewals, spared, now, then } = only(adviser.advice());
    expect([verdict, ttl]).toEqual(['longer', 10 * minute]);
    expect(suggested).toBeGreaterThan(100 * minute);
    expect(now).toMatchObject({ share: expect.closeTo(0, 2), known: 100 });
    expect(then!.interval[1]).toBeLessThanOrEqual(0.05);
    expect([renewals, spared]).toEqual([1000, 1000]);
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(cache.report().replace(/\s+/g, ' ')).toMatch(
      /search: ttl 10 m 00 s could be \d h \d\d m, .* 1,000 of 1,000 renewals \(.*\): .* 100 answers .*, some 0 % after .* \(100 known\)/,
    );
  });

  it('is to take a shorter one where too many have changed by its end', async () => {
    const cache = new CacheManager({ clock, ttl: 60 * minute });
    const adviser = adviseTtl(cache);
    await use(cache, { keys: 100, rounds: 8, every: 61 * minute, changes: 0.5 });
    const { verdict, suggested, now, then, curve } = only(adviser.advice());
    expect(verdict).toBe('shorter');
    expect(now!.share).toBeGreaterThan(0.4);
    expect(now!.share).toBeLessThan(0.6);
    expect(suggested).toBeLessThan(10 * minute);
    expect(then!.share).toBeLessThanOrEqual(0.05);
    expect(curve.every(({ unchanged }, at) => at === 0 || unchanged <= curve[at - 1]!.unchanged)).toBe(true);
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(cache.report().replace(/\s+/g, ' ')).toMatch(
      /search: ttl 1 h 00 m should be about .*, for at most \d+ times as many loads: .* % of \d+ answers had changed after/,
    );
  });

  it('is that it is right, or that too little was seen', async () => {
    const cache = new CacheManager({ clock, ttl: 60 * minute });
    const adviser = adviseTtl(cache);
    await use(cache, { keys: 5, rounds: 3, every: 61 * minute, changes: 0 });
    expect(only(adviser.advice())).toMatchObject({ verdict: 'unknown', suggested: undefined });
    // One in thirty changes within an hour; within two, too many.
    await use(cache, { keys: 300, rounds: 10, every: 61 * minute, changes: 0.03 });
    expect(only(adviser.advice())).toMatchObject({ verdict: 'right', suggested: undefined });
  });

  it('is nothing on a few answers, however much they differ, and whatever may change', async () => {
    for (const [keys, verdict] of [
      [1, 'unknown'],
      [19, 'unknown'],
      [80, 'shorter'],
    ] as const) {
      const cache = new CacheManager({ clock, ttl: 65_000 });
      const adviser = adviseTtl(cache, { mostChanged: 0.1 });
      await use(cache, { keys, rounds: 2, every: 66_000, changes: 0.6 });
      const advice = only(adviser.advice());
      expect(advice.verdict, `${keys} keys`).toBe(verdict);
      if (verdict === 'unknown') expect([advice.suggested, advice.then]).toEqual([undefined, undefined]);
      else expect(Math.min(advice.now!.known, advice.then!.known)).toBeGreaterThanOrEqual(20);
    }
    const cache = new CacheManager({ clock, ttl: minute });
    const adviser = adviseTtl(cache, { mostChanged: 0.9 });
    await use(cache, { keys: 1, rounds: 9, every: 2 * minute, changes: 0 });
    expect(only(adviser.advice()).verdict).toBe('unknown');
  });

  it('names no shorter ttl where nothing was seen to last', async () => {
    const cache = new CacheManager({ clock, ttl: 65_000 });
    const adviser = adviseTtl(cache);
    for (const every of [66_000, 73_000]) await use(cache, { keys: 50, rounds: 3, every, changes: 1 });
    expect(only(adviser.advice())).toMatchObject({
      ...{ verdict: 'unknown', suggested: undefined },
      now: { share: expect.closeTo(1, 3), known: 250 },
    });
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(cache.report().replace(/\s+/g, ' ')).toMatch(
      /search: ttl 1 m 05 s is too long, and too little is known of shorter ones: 100 % of 250 answers had changed/,
    );
  });

  it('counts hits that are verified, at their age', async () => {
    const cache = new CacheManager({ clock });
    const adviser = adviseTtl(cache);
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const verification = verifyHits(cache, {
      tools: { search: true },
      share: 1,
      mostMismatches: null,
      concurrency: 100,
    });
    let version = 1;
    const ask = async (id: number) => cache.getOrSet('search', id, () => ({ version }));
    for (let id = 0; id < 100; id += 1) await ask(id);
    await clock.advance(30 * minute);
    for (let id = 0; id < 100; id += 1) await ask(id);
    await vi.waitFor(() => expect(verification.stats()[0]!.compared).toBe(100));
    await clock.advance(30 * minute);
    version = 2;
    for (let id = 0; id < 100; id += 1) await ask(id);
    await vi.waitFor(() => expect(verification.stats()[0]!.compared).toBe(200));
    const { verdict, ttl, now, then, answers } = only(adviser.advice());
    expect({ verdict, ttl, answers }).toEqual({ verdict: 'shorter', ttl: null, answers: 100 });
    expect(now!.share).toBeCloseTo(1, 3);
    expect(then).toMatchObject({ share: expect.closeTo(0, 3), known: 100 });
    expect(then!.ageMs).toBeGreaterThan(20 * minute);
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(cache.report().replace(/\s+/g, ' ')).toMatch(
      /search: no ttl should be about 2\d m .*: 100 % of 100 answers .*, some 0 % after 2\d m \d\d s \(100 known\)/,
    );
  });

  it('counts an answer that was found changed once, until another one is stored', async () => {
    const cache = new CacheManager({ clock });
    const adviser = adviseTtl(cache);
    const verification = verifyHits(cache, { tools: { search: true }, share: 1, mostMismatches: null });
    let version = 1;
    let compared = 0;
    const verify = async () => {
      await clock.advance(minute);
      await cache.getOrSet('search', 1, () => version);
      compared += 1;
      await vi.waitFor(() => expect(verification.stats()[0]!.compared).toBe(compared));
    };
    await cache.getOrSet('search', 1, () => version);
    await verify();
    version = 2;
    for (let hit = 0; hit < 10; hit += 1) await verify();
    expect(only(adviser.advice())).toMatchObject({ answers: 1, now: { share: 1, known: 1 } });
    // It may even come to say again what it did: that is another answer.
    version = 1;
    await verify();
    expect(only(adviser.advice()).answers).toBe(1);
    await cache.set('search', 1, 2);
    for (let hit = 0; hit < 3; hit += 1) await verify();
    expect(only(adviser.advice()).answers).toBe(2);
    await cache.refresh('search', 1, () => version);
    await verify();
    expect(only(adviser.advice()).answers).toBe(3);
  });

  it('takes for equal what those do who verify hits, whatever the order of fields', async () => {
    class Point {
      constructor(readonly x: number) {}
    }
    const codecs = [
      {
        tag: 'Point',
        test: (value: unknown) => value instanceof Point,
        encode: ({ x }: Point) => x,
        decode: (x: unknown) => new Point(x as number),
      },
    ];
    for (const values of ['copy', 'reference'] as const) {
      const cache = new CacheManager({ clock, ttl: minute, values, codecs });
      const adviser = adviseTtl(cache);
      for (let round = 0; round < 6; round += 1) {
        for (let id = 0; id < 60; id += 1) {
          await cache.getOrSet('fields', id, () =>
            round % 2 ? { x: 1, y: [{ a: 1, b: 2 }] } : { y: [{ b: 2, a: 1 }], x: 1 },
          );
          await cache.getOrSet('order', id, () => (round % 2 ? [1, 2] : [2, 1]));
          await cache.getOrSet('dates', id, () => ({ at: new Date(0), x: new Map([[1, round]]) }));
          await cache.getOrSet('points', id, () => [new Point(id)]);
        }
        await clock.advance(minute + 1000);
      }
      const shares = adviser.advice().map(({ method, now }) => [method, Math.round(now!.share)]);
      expect(Object.fromEntries(shares), values).toEqual({ fields: 0, order: 1, dates: 1, points: 0 });
    }
  });

  it('leaves it to the function of a tool what is equal, where it has one', async () => {
    const cache = new CacheManager({ clock, ttl: 10 * minute });
    const adviser = adviseTtl(cache);
    const equals = (cached: unknown, fresh: unknown) =>
      (cached as { id: number }).id === (fresh as { id: number }).id;
    const verification = verifyHits(cache, { tools: { search: { equals } }, share: 1, concurrency: 100 });
    const ask = (id: number) => cache.getOrSet('search', id, () => ({ id, askedAt: clock.now() }));
    let compared = 0;
    for (let round = 0; round < 4; round += 1) {
      for (let id = 0; id < 50; id += 1) await ask(id);
      // All are verified at half their time, half of them near its end.
      for (const [at, every] of [
        [5, 1],
        [4.8, 2],
      ] as const) {
        await clock.advance(at * minute);
        for (let id = 0; id < 50; id += every) await ask(id);
        compared += 50 / every;
        await vi.waitFor(() => expect(verification.stats()[0]!.compared).toBe(compared));
      }
      await clock.advance(minute);
    }
    const { verdict, now, answers } = only(adviser.advice());
    expect({ verdict, answers }).toEqual({ verdict: 'right', answers: 200 });
    expect(now).toMatchObject({ share: expect.closeTo(0, 3), known: 100 });
  });

  it('does not count against a ttl what was deleted, cleared or invalidated', async () => {
    const cache = new CacheManager({ clock, ttl: 60 * minute });
    const adviser = adviseTtl(cache);
    let version = 0;
    const load = (id: number) => cache.getOrSet('search', id, () => version, { tags: ['t'] });
    for (const change of [
      () => cache.delete('search', 1),
      () => cache.clear('search'),
      () => cache.invalidateTags(['t']),
    ]) {
      await load(1);
      await change();
      version += 1;
      await load(1);
      await cache.delete('search', 1);
    }
    expect(only(adviser.advice()).answers).toBe(0);
  });

  it('keeps a bounded sample of keys, drawn from all of them', async () => {
    const cache = new CacheManager({ clock, ttl: minute, maxSize: 10 });
    const adviser = adviseTtl(cache);
    for (let round = 0; round < 2; round += 1) {
      for (let id = 0; id < 2500; id += 1) await cache.getOrSet('search', id, () => id);
      await clock.advance(2 * minute);
    }
    const { answers } = only(adviser.advice());
    expect(answers).toBeGreaterThan(300);
    expect(answers).toBeLessThanOrEqual(1000);
  });

  it('is not worked out again until more is known of a tool', async () => {
    const cache = new CacheManager({ clock, ttl: minute });
    const adviser = adviseTtl(cache);
    await use(cache, { keys: 30, rounds: 3, every: 2 * minute, changes: 0.3 });
    const { curve } = only(adviser.advice());
    await cache.getOrSet('search', 'new', () => 1);
    expect(only(adviser.advice()).curve).toBe(curve);
    await use(cache, { keys: 30, rounds: 1, every: 2 * minute, changes: 0.3 });
    expect(only(adviser.advice()).curve).not.toBe(curve);
  });

  it('is learnt by nobody at a hit, and by nobody at all once it is stopped', async () => {
    const cache = new CacheManager({ clock, ttl: minute });
    const adviser = adviseTtl(cache);
    const core = coreOf(cache)!;
    expect(core.observers).toBeUndefined();
    expect(() => adviseTtl(cache)).toThrow('call `stop()` of what does first');
    adviser.stop();
    expect(core.ages).toBeUndefined();
    expect(
      ['delete', 'remove', 'clear', 'invalidateTags'].filter((name) => core.events.isHeard(name as 'clear')),
    ).toEqual([]);
    await cache.getOrSet('search', 1, () => 1);
    expect(adviser.advice()).toEqual([]);
    adviseTtl(cache).stop();
  });

  it('has one line for each tool in reports, by who learns now', async () => {
    const cache = new CacheManager({ clock, ttl: minute });
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const load = async () => {
      for (let round = 0; round < 2; round += 1) {
        await cache.getOrSet('search', 1, () => 1);
        await clock.advance(2 * minute);
      }
    };
    const lines = () => cache.report().match(/search: ttl/g)?.length ?? 0;
    const first = adviseTtl(cache);
    await load();
    expect(lines()).toBe(1);
    first.stop();
    expect(lines()).toBe(0);
    expect(only(first.advice()).answers).toBe(1);
    adviseTtl(cache);
    await load();
    expect(lines()).toBe(1);
  });

  it('says of wrong options what they should be', () => {
    const cache = new CacheManager();
    expect(() => adviseTtl(cache, { mostChanged: 0 })).toThrow(
      'Expected `mostChanged` to be a share above 0 and below 1, got `0`',
    );
    expect(() => adviseTtl(cache, { most: 1 } as never)).toThrow('Unknown option `most`');
    expect(() => adviseTtl({} as never)).toThrow('Expected `adviseTtl(cache)` with a `CacheManager`');
  });
});
