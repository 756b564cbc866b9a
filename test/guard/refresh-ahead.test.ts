import { describe, expect, it } from 'vitest';
import { shouldRefreshEarly } from '../../src/guard/refresh-ahead.js';
import { seededRandom } from './seeded-random.js';

const seed = 20_150_801;

/** The share of 20,000 reads `gap` ms before the expiry that start a refresh. */
function refreshShare({ gap, loadMs, beta }: { gap: number; loadMs: number; beta: number }): number {
  const random = seededRandom(seed);
  let refreshes = 0;
  for (let read = 0; read < 20_000; read++) {
    if (shouldRefreshEarly({ now: 100_000 - gap, expiresAt: 100_000, loadMs, beta, random })) refreshes++;
  }
  return refreshes / 20_000;
}

/** One key read every 10 ms through its expiry, its load taking 500 ms: loads that start before it is over. */
function readThroughExpiry(beta: number): { refreshedEarly: boolean; waitingReads: number } {
  const random = seededRandom(seed);
  const loadMs = 500;
  let loadedAt = Number.POSITIVE_INFINITY;
  let waitingReads = 0;
  for (let now = 0; now < 62_000; now += 10) {
    const expired = now >= 60_000;
    if (loadedAt === Number.POSITIVE_INFINITY) {
      const starts = shouldRefreshEarly({ now, expiresAt: 60_000, loadMs, beta, random });
      if (starts || expired) loadedAt = now + loadMs;
    }
    if (expired && now < loadedAt) waitingReads++;
  }
  return { refreshedEarly: loadedAt < 60_000, waitingReads };
}

describe('shouldRefreshEarly', () => {
  it.each([
    { gap: 0, loadMs: 200, beta: 1 },
    { gap: 100, loadMs: 200, beta: 1 },
    { gap: 400, loadMs: 200, beta: 1 },
    { gap: 400, loadMs: 200, beta: 3 },
    { gap: 400, loadMs: 2000, beta: 1 },
    { gap: 2000, loadMs: 200, beta: 1 },
  ])('refreshes with the probability of the paper: %o', ({ gap, loadMs, beta }) => {
    expect(refreshShare({ gap, loadMs, beta }), `seed ${seed}`).toBeCloseTo(
      Math.exp(-gap / (loadMs * beta)),
      1.8,
    );
  });

  it('spares the callers of a hot key the wait at its expiry, which they have without it', () => {
    expect(readThroughExpiry(0)).toEqual({ refreshedEarly: false, waitingReads: 50 });
    expect(readThroughExpiry(1), `seed ${seed}`).toEqual({ refreshedEarly: true, waitingReads: 0 });
  });

  it('never refreshes early what never expires, whose load time is unknown, or with beta 0', () => {
    const always = { now: 99_999, expiresAt: 100_000, loadMs: 1e9, beta: 1, random: () => 0.999 };
    expect(shouldRefreshEarly(always)).toBe(true);
    expect(shouldRefreshEarly({ ...always, expiresAt: null })).toBe(false);
    expect(shouldRefreshEarly({ ...always, loadMs: 0 })).toBe(false);
    expect(shouldRefreshEarly({ ...always, beta: 0 })).toBe(false);
  });

  it('always refreshes what has expired', () => {
    const expired = { now: 100_000, expiresAt: 100_000, loadMs: 0, beta: 0, random: () => 0 };
    expect(shouldRefreshEarly(expired)).toBe(true);
  });

  it('takes the outermost lots without going astray', () => {
    const farOff = { now: 0, expiresAt: 1e12, loadMs: 100, beta: 1 };
    expect(shouldRefreshEarly({ ...farOff, random: () => 0 })).toBe(false);
    expect(shouldRefreshEarly({ ...farOff, random: () => 1 - Number.EPSILON / 2 })).toBe(false);
  });
});
