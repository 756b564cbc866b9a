/** What deletes entries without naming them is bounded in memory, and nothing it deleted comes back. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryKind } from '../../../src/persistence/format/member-header.js';
import { hashMethod } from '../../../src/persistence/format/partition-name.js';
import { TombstoneTable } from '../../../src/persistence/index/tombstone-table.js';
import type { Stamp } from '../../../src/stamp.js';
import { measured, usedBytes } from '../../helper/used-memory.js';

const at = (time: number): Stamp => ({ time, writer: 'a'.repeat(16) });
const keyOf = (scope: string) => hashMethod(scope);
const kinds = [
  { of: 'tags', kind: entryKind.invalidateTag, covers: 'isTagInvalid', has: 'hasTags' },
  { of: 'methods', kind: entryKind.clearMethod, covers: 'isCleared', has: 'hasClears' },
] as const;

describe.each(kinds)('the markers of $of', ({ kind, covers, has }) => {
  const invalidate = (table: TombstoneTable, scope: string, time: number) =>
    table.add(kind, keyOf(scope), at(time));

  it('fold into a watermark where they are too many: what they made void stays so, what is newer lives', () => {
    const table = new TombstoneTable({ maxScopes: 2 });
    for (const [tag, time] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ] as const)
      invalidate(table, tag, time);
    const isVoid = (tag: string, time: number) => table[covers](keyOf(tag), at(time));
    expect(isVoid('never invalidated', 1)).toBe(false);
    // More than twice as many as are told apart in any case.
    invalidate(table, 'e', 5);
    expect(isVoid('a', 1)).toBe(true);
    expect(isVoid('never invalidated', 3)).toBe(true);
    expect(isVoid('never invalidated', 4)).toBe(false);
    expect(isVoid('d', 4)).toBe(true);
    expect(isVoid('e', 6)).toBe(false);
    expect(table[has]).toBe(true);
  });

  it('are superfluous where one of a file covers them, and not for the watermark, which is in none', () => {
    const table = new TombstoneTable({ maxScopes: 2 });
    for (const [number, scope] of ['a', 'b', 'c', 'd', 'e'].entries()) invalidate(table, scope, number + 1);
    const isKnown = (scope: string, time: number) => table.isKnown(kind, keyOf(scope), at(time));
    expect(table[covers](keyOf('a'), at(1))).toBe(true);
    expect(isKnown('a', 1)).toBe(false);
    expect(isKnown('e', 5)).toBe(true);
    expect(isKnown('e', 6)).toBe(false);
    expect(isKnown('never invalidated', 1)).toBe(false);
  });

  it('take no objects', measured, async () => {
    const many = 50_000;
    const table = new TombstoneTable();
    const scopes = Array.from({ length: many }, (_, number) => keyOf(`${number}`));
    const before = await usedBytes();
    for (const [number, scope] of scopes.entries())
      table.add(kind, scope, { time: number, writer: scope.slice(0, 16) });
    const after = await usedBytes();
    // As objects they took 200 bytes each on the heap.
    expect(after.heap - before.heap).toBeLessThan(many * 25);
    expect(after.all - before.all).toBeLessThan(many * 100);
    expect(table[covers](scopes[7]!, { time: 7, writer: scopes[7]!.slice(0, 16) })).toBe(true);
    expect(table[covers](scopes[7]!, at(8))).toBe(false);
  });

  it('make void whatever an unbounded table would, in whatever order they come', () => {
    const markers = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.nat(30)));
    fc.assert(
      fc.property(markers, fc.integer({ min: 1, max: 4 }), (all, maxScopes) => {
        const bounded = new TombstoneTable({ maxScopes });
        const whole = new TombstoneTable();
        for (const [tag, time] of all) {
          invalidate(bounded, tag, time);
          invalidate(whole, tag, time);
        }
        const newest = Math.max(-1, ...all.map(([, time]) => time));
        for (const tag of 'abcdef') {
          for (let time = 0; time <= 31; time++) {
            const isVoid = bounded[covers](keyOf(tag), at(time));
            if (whole[covers](keyOf(tag), at(time))) expect(isVoid).toBe(true);
            if (time > newest) expect(isVoid).toBe(false);
          }
        }
      }),
    );
  });
});
