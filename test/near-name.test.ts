import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearestName } from '../src/near-name.js';

/** The definition, without a table. */
function distanceByDefinition(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const [x, y] = [a.slice(1), b.slice(1)];
  const change = distanceByDefinition(x, y) + (a[0] === b[0] ? 0 : 1);
  const distances = [change, distanceByDefinition(x, b) + 1, distanceByDefinition(a, y) + 1];
  if (a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0])
    distances.push(distanceByDefinition(a.slice(2), b.slice(2)) + 1);
  return Math.min(...distances);
}

describe('the distance of two names', () => {
  it('is the least number of letters added, left out, changed or swapped', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
    fc.assert(fc.property(name, name, (a, b) => editDistance(a, b) === distanceByDefinition(a, b)));
  });
});

describe('the nearest name', () => {
  it.each([
    ['TTL', 'ttl'],
    ['max-size', 'maxSize'],
    ['sized', undefined],
    ['evict', 'eviction'],
    ['x', undefined],
    ['', undefined],
  ])('of %o is %o', (name, nearest) => {
    expect(nearestName(name, ['ttl', 'maxSize', 'eviction'])).toBe(nearest);
  });
});
