import { describe, expect, it } from 'vitest';
import { isNothing, ttlOfResult } from '../../src/guard/negative.js';

describe('isNothing', () => {
  it.each([null, undefined])('holds for %o', (value) => {
    expect(isNothing(value)).toBe(true);
  });

  it.each([0, '', false, Number.NaN, [[]], {}])('does not hold for %o, which is an answer', (value) => {
    expect(isNothing(value)).toBe(false);
  });
});

describe('ttlOfResult', () => {
  it('is the short one for nothing and the usual one for an answer', () => {
    const ttls = { ttl: 60_000, negativeTtl: 5000 };
    expect(ttlOfResult(null, ttls)).toBe(5000);
    expect(ttlOfResult({ rows: [] }, ttls)).toBe(60_000);
  });

  it('takes a test of the caller instead of the default one', () => {
    const isNegative = (value: unknown) => Array.isArray(value) && value.length === 0;
    const ttls = { ttl: 60_000, negativeTtl: 5000, isNegative };
    expect(ttlOfResult([], ttls)).toBe(5000);
    expect(ttlOfResult(null, ttls)).toBe(60_000);
  });

  it('treats nothing like any other result, untested, when no negative ttl is given', () => {
    const isNegative = () => expect.fail('tested');
    expect(ttlOfResult(null, { ttl: 60_000, negativeTtl: undefined, isNegative })).toBe(60_000);
  });

  it('tells a negative ttl of 0 and one without end from none', () => {
    expect(ttlOfResult(null, { ttl: 60_000, negativeTtl: 0 })).toBe(0);
    expect(ttlOfResult<number | null>(null, { ttl: 60_000, negativeTtl: null })).toBe(null);
  });
});
