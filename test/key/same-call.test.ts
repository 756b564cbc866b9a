/** Keys are equal exactly when the calls are, over random values of every kind that can be cloned. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson } from '../../src/key/canonical-json.js';
import { hashKey } from '../../src/key/key-hasher.js';
import { inForm } from '../helper/form.js';
import { clonableValue } from './arbitrary.js';
import { changedCopy } from './changed-copy.js';
import { isSame } from './same-value.js';

const runs = { numRuns: inForm({ short: 1_500, long: 10_000 }), seed: 20_261_122 };

it('gives a value and its structured clone the same key exactly when they are the same', () => {
  let same = 0;
  fc.assert(
    fc.property(clonableValue, (value) => {
      const clone = structuredClone(value);
      if (isSame(value, clone)) same++;
      expect(hashKey('tool', value) === hashKey('tool', clone)).toBe(isSame(value, clone));
    }),
    runs,
  );
  expect(same).toBeGreaterThan(0.9 * runs.numRuns);
});

it('gives a value and a copy changed in one place different keys exactly when they differ', () => {
  let different = 0;
  fc.assert(
    fc.property(clonableValue, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value, at) => {
      const copy = changedCopy(value, at);
      if (!isSame(value, copy)) different++;
      expect(hashKey('tool', value) === hashKey('tool', copy)).toBe(isSame(value, copy));
    }),
    runs,
  );
  expect(different).toBeGreaterThan(0.5 * runs.numRuns);
});

it('gives two values the same key exactly when they are the same', () => {
  fc.assert(
    fc.property(clonableValue, clonableValue, (a, b) => {
      expect(canonicalJson(a) === canonicalJson(b)).toBe(isSame(a, b));
    }),
    runs,
  );
});

it('gives printable ASCII that is JSON exactly when the value is', () => {
  fc.assert(
    fc.property(clonableValue, (value) => {
      const text = canonicalJson(value);
      expect(text).toMatch(/^[ -~]+$/);
      const withoutStrings = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
      const withoutPythonNumbers = withoutStrings.replace(/-?\b(?:NaN|Infinity)\b/g, '0');
      expect(isJson(withoutPythonNumbers)).toBe(!withoutStrings.includes('@'));
    }),
    runs,
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
