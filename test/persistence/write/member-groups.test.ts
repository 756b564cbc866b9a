/** Whoever wants one entry inflates all of its member, so small ones share a small one. */

import { describe, expect, it } from 'vitest';
import {
  type EncodedEntry,
  encodedSize,
  encodeTombstone,
  encodeValue,
} from '../../../src/persistence/format/member-body.js';
import { appendMembers, memberBatches, memberGroups } from '../../../src/persistence/write/member-groups.js';
import { makeRecord } from '../../helper/disk-tier.js';

const stamp = { time: 1, writer: '1'.repeat(16) };

function entry(key: unknown, bytes: number): EncodedEntry {
  return encodeValue(makeRecord({ method: 'search', params: key, value: 'x'.repeat(bytes), stamp, now: 1 }));
}

function entries(count: number, bytes: number): EncodedEntry[] {
  return Array.from({ length: count }, (_, key) => entry(key, bytes));
}

const sizeOf = (group: readonly EncodedEntry[]) => group.reduce((sum, each) => sum + encodedSize(each), 0);

describe('entries', () => {
  it('share a member of 8 KB at most, and most of one', () => {
    const groups = [...memberGroups(entries(100, 1_000))];
    expect(groups.flat()).toHaveLength(100);
    for (const group of groups) expect(sizeOf(group)).toBeLessThanOrEqual(8_192);
    for (const group of groups.slice(0, -1)) expect(sizeOf(group)).toBeGreaterThan(6_500);
  });

  it('that take more stand alone', () => {
    const groups = [...memberGroups([entry(1, 100), entry(2, 9_000), entry(3, 100), entry(4, 100)])];
    expect(groups.map((group) => group.length)).toEqual([1, 1, 2]);
  });

  it('of some KB each share a member of 16 KB in pairs', () => {
    const groups = [...memberGroups(entries(7, 5_000))];
    expect(groups.map((group) => group.length)).toEqual([2, 2, 2, 1]);
    const mixed = [3_000, 9_000, 9_000, 9_000, 2_500, 2_500, 2_500, 1_000, 1_000, 15_000];
    const sizes = [...memberGroups(mixed.map((bytes, key) => entry(key, bytes)))];
    expect(sizes.map((group) => group.length)).toEqual([2, 1, 2, 4, 1]);
    for (const group of sizes) expect(sizeOf(group)).toBeLessThanOrEqual(16_384);
  });

  it('are appended so many members at once that a reader checks them all', () => {
    const deletions = Array.from({ length: 60_000 }, (_, key) =>
      encodeTombstone(key.toString(16).padStart(32, '0'), stamp),
    );
    for (const each of [entries(2_000, 1_000), entries(300, 7_000), deletions]) {
      const batches = [...memberBatches(each)];
      expect(batches.flat(2)).toHaveLength(each.length);
      for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(appendMembers);
      expect(batches.length).toBeLessThan(each.length / 20);
    }
    // A walk through a file checks 64 members of its last append.
    expect(appendMembers).toBeLessThanOrEqual(64);
  });

  it('that are large are appended a few at once', () => {
    const batches = [...memberBatches(entries(10, 1_000_000))];
    expect(batches.map((batch) => batch.length)).toEqual([4, 4, 2]);
  });
});
