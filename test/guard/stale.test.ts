import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freshness, refreshBackoff } from '../../src/guard/stale.js';

const windows = { staleWhileRevalidate: 100, staleIfError: 500 };

describe('freshness', () => {
  it.each([
    [0, 'fresh'],
    [999, 'fresh'],
    [1000, 'stale-while-revalidate'],
    [1099, 'stale-while-revalidate'],
    [1100, 'stale-if-error-only'],
    [1499, 'stale-if-error-only'],
    [1500, 'expired'],
  ] as const)('at %d ms of a life with both windows is %s', (now, expected) => {
    expect(freshness({ now, staleAt: 1000, expiresAt: 1500, ...windows })).toBe(expected);
  });

  it('is expired right after the ttl without windows', () => {
    const off = { staleWhileRevalidate: 0, staleIfError: 0 };
    expect(freshness({ now: 999, staleAt: 1000, expiresAt: 1000, ...off })).toBe('fresh');
    expect(freshness({ now: 1000, staleAt: 1000, expiresAt: 1000, ...off })).toBe('expired');
    expect(freshness({ now: 1000, staleAt: 1000, expiresAt: null, ...off })).toBe('expired');
  });

  it('lets no window outlast the expiry', () => {
    expect(freshness({ now: 1050, staleAt: 1000, expiresAt: 1050, ...windows })).toBe('expired');
  });

  it('is fresh for ever without limits, and until the expiry without a stale limit', () => {
    expect(freshness({ now: 1e15, staleAt: null, expiresAt: null, ...windows })).toBe('fresh');
    expect(freshness({ now: 999, staleAt: null, expiresAt: 1000, ...windows })).toBe('fresh');
    expect(freshness({ now: 1000, staleAt: null, expiresAt: 1000, ...windows })).toBe('expired');
  });

  it('only ever grows worse as time goes by', () => {
    const order = ['fresh', 'stale-while-revalidate', 'stale-if-error-only', 'expired'];
    const limit = fc.option(fc.nat(1000));
    fc.assert(
      fc.property(
        limit,
        limit,
        fc.nat(500),
        fc.nat(500),
        fc.nat(2000),
        fc.nat(500),
        (staleAt, expiresAt, swr, sie, now, later) => {
          const at = (moment: number) =>
            order.indexOf(
              freshness({ now: moment, staleAt, expiresAt, staleWhileRevalidate: swr, staleIfError: sie }),
            );
          expect(at(now + later)).toBeGreaterThanOrEqual(at(now));
        },
      ),
    );
  });
});

describe('refreshBackoff', () => {
  const wait = (failures: number, lot: number) =>
    refreshBackoff({ failures, firstMs: 1000, mostMs: 60_000, random: () => lot });

  it('doubles up to the limit', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1e9].map((failures) => wait(failures, 0) * 2)).toEqual([
      1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000,
    ]);
  });

  it('draws the upper half by lot, so that no refresh is tried at once and they spread', () => {
    expect(wait(3, 0)).toBe(2000);
    expect(wait(3, 0.5)).toBe(3000);
    expect(wait(3, 0.999)).toBe(3998);
  });

  it('asks for no wait while nothing failed', () => {
    expect(wait(0, 0.5)).toBe(0);
  });
});
