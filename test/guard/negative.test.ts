import { describe, expect, it } from 'vitest';
import { isNothing } from '../../src/guard/negative.js';

describe('isNothing', () => {
  it.each([null, undefined])('holds for %o', (value) => {
    expect(isNothing(value)).toBe(true);
  });

  it.each([0, '', false, Number.NaN, [[]], {}])('does not hold for %o, which is an answer', (value) => {
    expect(isNothing(value)).toBe(false);
  });
});
