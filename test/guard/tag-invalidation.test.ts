import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TagMarkers } from '../../src/guard/tag-invalidation.js';
import { compareStamps, type Stamp } from '../../src/stamp.js';

const at = (time: number, writer = 'a'): Stamp => ({ time, writer });
const newer = (a: Stamp, b: Stamp) => compareStamps(a, b) > 0;

/** Every invalidation ever, asked one by one; the watermark is the newest of those that had to be folded. */
class SlowMarkers {
  readonly marks: { tag: string; stamp: Stamp }[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get watermark(): Stamp | undefined {
    const newest = new Map<string, Stamp>();
    for (const { tag, stamp } of this.marks) {
      const known = newest.get(tag);
      if (known === undefined || newer(stamp, known)) newest.set(tag, stamp);
    }
    const stamps = [...newest.values()].sort(compareStamps);
    return stamps[stamps.length - this.#max - 1];
  }

  wasInvalidated(tags: string[], stamp: Stamp): boolean {
    return this.marks.some((mark) => tags.includes(mark.tag) && !newer(stamp, mark.stamp));
  }
}

const stampOf = fc.record({ time: fc.nat(30), writer: fc.constantFrom('a', 'b') });
const marksOf = fc.array(fc.record({ tag: fc.constantFrom(...'stuvwxyz'), stamp: stampOf }), {
  maxLength: 30,
});
const entriesOf = fc.array(
  fc.record({ tags: fc.uniqueArray(fc.constantFrom(...'stuvwxyz'), { maxLength: 3 }), stamp: stampOf }),
  { maxLength: 10 },
);

describe('TagMarkers', () => {
  it('makes entries invalid that carry the tag and are not newer, and no others', () => {
    const markers = new TagMarkers();
    markers.mark('user:7', at(100, 'b'));
    expect(markers.isInvalid(['user:7'], at(99))).toBe(true);
    expect(markers.isInvalid(['user:7'], at(100, 'a'))).toBe(true);
    expect(markers.isInvalid(['user:7'], at(100, 'b'))).toBe(true);
    expect(markers.isInvalid(['user:7'], at(100, 'c'))).toBe(false);
    expect(markers.isInvalid(['user:7'], at(101))).toBe(false);
    expect(markers.isInvalid(['user:8', 'team'], at(1))).toBe(false);
    expect(markers.isInvalid(['user:8', 'user:7'], at(1))).toBe(true);
    expect(markers.isInvalid([], at(1))).toBe(false);
    expect(markers.isInvalid(undefined, at(1))).toBe(false);
  });

  it('never lets an older invalidation that arrives late undo a newer one', () => {
    const markers = new TagMarkers();
    markers.mark('t', at(100));
    markers.mark('t', at(50));
    expect(markers.isInvalid(['t'], at(75))).toBe(true);
  });

  it('keeps an entry invalid after a hundred thousand other tags were invalidated', () => {
    const markers = new TagMarkers();
    markers.mark('victim', at(1));
    for (let i = 2; i <= 250_000; i++) markers.mark(`other:${i}`, at(i));
    expect(markers.size).toBe(100_000);
    expect(markers.watermark).toEqual(at(150_000));
    expect(markers.isInvalid(['victim'], at(0))).toBe(true);
    expect(markers.isInvalid(['never marked'], at(150_000))).toBe(true);
    expect(markers.isInvalid(['never marked'], at(150_001))).toBe(false);
    expect(markers.isInvalid([], at(0))).toBe(false);
  });

  it('keeps one marker for a tag however often it is invalidated', () => {
    const markers = new TagMarkers({ maxMarkers: 2 });
    for (let i = 1; i <= 1000; i++) markers.mark(i % 2 ? 'odd' : 'even', at(i));
    expect(markers.size).toBe(2);
    expect(markers.isInvalid(['odd'], at(999))).toBe(true);
    expect(markers.isInvalid(['odd'], at(1000))).toBe(false);
    expect(markers.isInvalid(['even'], at(1000))).toBe(true);
    expect(markers.watermark).toBeUndefined();
  });

  it('agrees with a list of all invalidations as long as there is room for all tags', () => {
    fc.assert(
      fc.property(marksOf, entriesOf, (marks, entries) => {
        const markers = new TagMarkers({ maxMarkers: 8 });
        const slow = new SlowMarkers(8);
        for (const mark of marks) {
          markers.mark(mark.tag, mark.stamp);
          slow.marks.push(mark);
        }
        for (const { tags, stamp } of entries) {
          expect(markers.isInvalid(tags, stamp)).toBe(slow.wasInvalidated(tags, stamp));
        }
      }),
    );
  });

  it('for want of room folds the oldest and errs only towards invalid', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), marksOf, entriesOf, (maxMarkers, marks, entries) => {
        const markers = new TagMarkers({ maxMarkers });
        const slow = new SlowMarkers(maxMarkers);
        let highest: Stamp | undefined;
        for (const mark of marks) {
          markers.mark(mark.tag, mark.stamp);
          slow.marks.push(mark);
          expect(markers.size).toBeLessThanOrEqual(maxMarkers);
          const { watermark } = slow;
          if (watermark && (!highest || newer(watermark, highest))) highest = watermark;
          expect(markers.watermark).toEqual(highest);
        }
        for (const { tags, stamp } of entries) {
          const isFolded = tags.length > 0 && highest !== undefined && !newer(stamp, highest);
          expect(markers.isInvalid(tags, stamp)).toBe(slow.wasInvalidated(tags, stamp) || isFolded);
        }
      }),
    );
  });
});
