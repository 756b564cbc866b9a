import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Jitter, jitteredTtl, noJitter, parseJitter } from '../../src/guard/jitter.js';
import { seededRandom } from './seeded-random.js';

const hour = 3_600_000;

/** Of 10,000 keys set in one instant: how many expire within the worst one second. */
function peakPerSecond(jitter: Jitter): number {
  const random = seededRandom(6);
  const perSecond = new Map<number, number>();
  for (let key = 0; key < 10_000; key++) {
    const second = Math.floor(jitteredTtl({ ttlMs: hour, jitter, random }) / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  return Math.max(...perSecond.values());
}

describe('jitter', () => {
  it('spreads 10,000 keys set in one instant, which without it expire in the same second', () => {
    expect(peakPerSecond(noJitter)).toBe(10_000);
    // 10,000 keys over 360 seconds: 28 a second on average.
    expect(peakPerSecond({ fraction: 0.1 })).toBeLessThan(60);
    expect(peakPerSecond({ ms: 360_000 })).toBeLessThan(60);
  });

  it('spreads them evenly', () => {
    const random = seededRandom(7);
    const tenths = new Array<number>(10).fill(0);
    for (let key = 0; key < 10_000; key++) {
      const cut = hour - jitteredTtl({ ttlMs: hour, jitter: { fraction: 0.5 }, random });
      tenths[Math.floor((cut / (hour / 2)) * 10)]!++;
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('only shortens, by no more than asked, and never to nothing', () => {
    const jitters = fc.oneof(
      fc.record({ fraction: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ ms: fc.nat() }),
    );
    const lots = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), jitters, lots, (ttlMs, jitter, lot) => {
        const ttl = jitteredTtl({ ttlMs, jitter, random: () => lot });
        const most = 'ms' in jitter ? jitter.ms : jitter.fraction * ttlMs;
        expect(Number.isInteger(ttl)).toBe(true);
        expect(ttl).toBeLessThanOrEqual(ttlMs);
        expect(ttl).toBeGreaterThanOrEqual(Math.max(1, ttlMs - most));
      }),
    );
  });

  it('leaves a ttl of 0 alone and draws no lot where there is nothing to spread', () => {
    const random = () => expect.fail('drew a lot');
    expect(jitteredTtl({ ttlMs: 0, jitter: { fraction: 0.5 }, random })).toBe(0);
    expect(jitteredTtl({ ttlMs: 1000, jitter: noJitter, random })).toBe(1000);
  });
});

describe('parseJitter', () => {
  it('reads numbers up to 1 as fractions, larger ones and text as durations', () => {
    expect(parseJitter(0.1, 'jitter')).toEqual({ fraction: 0.1 });
    expect(parseJitter(1, 'jitter')).toEqual({ fraction: 1 });
    expect(parseJitter(500, 'jitter')).toEqual({ ms: 500 });
    expect(parseJitter('1ms', 'jitter')).toEqual({ ms: 1 });
    expect(parseJitter('30s', 'jitter')).toEqual({ ms: 30_000 });
  });

  it.each([-0.1, Number.NaN, Number.POSITIVE_INFINITY, '10%' as '1s'])('refuses %o', (value) => {
    expect(() => parseJitter(value, 'jitter')).toThrow(/^Expected `jitter` to be .*got `.+`$/s);
  });
});
