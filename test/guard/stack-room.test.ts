/** The room on the stack without which nothing begins. */

import { expect, it } from 'vitest';
import { needStackRoom } from '../../src/guard/stack-room.js';

/** So many calls within each other that do next to nothing. */
function callsWithin(left: number): number {
  return left === 0 ? 0 : callsWithin(left - 1) + 1;
}

it('throws a RangeError where a load would not have room, and nowhere else', () => {
  let [refused, overflown, admitted] = [0, 0, 0];
  const dive = (): void => {
    try {
      dive();
    } catch {
      // Overflown: ask on the way up.
    }
    try {
      needStackRoom();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      refused++;
      return;
    }
    admitted++;
    try {
      callsWithin(100);
    } catch {
      overflown++;
    }
  };
  // Compiled before, since that takes room too.
  needStackRoom();
  callsWithin(1);
  dive();
  expect(overflown).toBe(0);
  expect(refused).toBeGreaterThan(0);
  expect(admitted).toBeGreaterThan(refused);
});
