/** What deletes entries without naming them is bounded in memory, and nothing it deleted comes back. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MarkerTable } from '../../src/persistence/marker-table.js';
import { entryKind } from '../../src/persistence/partition-codec.js';
import type { Stamp } from '../../src/stamp.js';

const at = (time: number): Stamp => ({ time, writer: 'w' });
const invalidate = (table: MarkerTable, tag: string, time: number) =>
  table.add(entryKind.invalidateTag, tag, at(time));

describe('the markers of tags', () => {
  it('fold into a watermark where they are too many: what they made void stays so, what is newer lives', () => {
    const table = new MarkerTable({ maxTags: 2 });
    for (const [tag, time] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ] as const)
      invalidate(table, tag, time);
    expect(table.isTagInvalid('a', at(1))).toBe(true);
    expect(table.isTagInvalid('never invalidated', at(2))).toBe(true);
    expect(table.isTagInvalid('never invalidated', at(3))).toBe(false);
    expect(table.isTagInvalid('c', at(3))).toBe(true);
    expect(table.isTagInvalid('d', at(5))).toBe(false);
    expect(table.hasTags).toBe(true);
  });

  it('make void whatever an unbounded table would, in whatever order they come', () => {
    const markers = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.nat(30)));
    fc.assert(
      fc.property(markers, fc.integer({ min: 1, max: 4 }), (all, maxTags) => {
        const bounded = new MarkerTable({ maxTags });
        const whole = new MarkerTable();
        for (const [tag, time] of all) {
          invalidate(bounded, tag, time);
          invalidate(whole, tag, time);
        }
        const newest = Math.max(-1, ...all.map(([, time]) => time));
        for (const tag of 'abcdef') {
          for (let time = 0; time <= 31; time++) {
            const isVoid = bounded.isTagInvalid(tag, at(time));
            if (whole.isTagInvalid(tag, at(time))) expect(isVoid).toBe(true);
            if (time > newest) expect(isVoid).toBe(false);
          }
        }
      }),
    );
  });
});
