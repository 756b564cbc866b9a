import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SegmentedMap } from '../../../src/persistence/write/segmented-map.js';

it('holds what a Map holds, in the same order', () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String);
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }),
    fc.record({ do: fc.constant('delete' as const), key, value: fc.constant(0) }),
  );
  const hold = (steps: { do: 'set' | 'delete'; key: string; value: number }[]) => {
    const map = new SegmentedMap<number>(4);
    const expected = new Map<string, number>();
    for (const each of steps) {
      if (each.do === 'delete') expect(map.delete(each.key)).toBe(expected.delete(each.key));
      else {
        map.set(each.key, each.value);
        expected.set(each.key, each.value);
      }
      expect(map.get(each.key)).toBe(expected.get(each.key));
      expect(map.size).toBe(expected.size);
    }
    expect([...map]).toEqual([...expected]);
    expect([...map.values()]).toEqual([...expected.values()]);
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), hold), { numRuns: 300 });
});

it('keeps in their places what is set while it is gone through', () => {
  const map = new SegmentedMap<number>(2);
  for (const key of ['a', 'b', 'c', 'd', 'e']) map.set(key, 0);
  for (const [key, value] of map) map.set(key, value + 1);
  expect([...map]).toEqual([...'abcde'].map((key) => [key, 1]));
});
