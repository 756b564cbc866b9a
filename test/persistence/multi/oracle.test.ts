/** The judge of the runs with many processes: what it complains of, and what it lets pass. */

import { describe, expect, it } from 'vitest';
import type { Message } from '../../helper/child-process.js';
import { type Change, Oracle, type Seen } from './oracle.js';

const stamp = (time: number) => ({ time, writer: 'a'.repeat(16) });
const set = (time: number, number = 0): Change => ({
  kind: 'set',
  number,
  value: `value ${time}`,
  tag: 'tag',
  stamp: stamp(time),
});
const seen = (time: number | null, number = 0): Seen => ({
  number,
  value: time === null ? null : `value ${time}`,
  stamp: time === null ? null : stamp(time),
});

/** What an oracle says that was told these changes, `true` standing for acknowledged. */
function judging(...told: [change: Change, isAcknowledged: boolean][]): Oracle {
  const oracle = new Oracle();
  oracle.take(
    told.flatMap(([change, isAcknowledged], round): Message[] =>
      isAcknowledged
        ? [
            ['attempt', round, [change]],
            ['acknowledged', round],
          ]
        : [['attempt', round, [change]]],
    ),
  );
  return oracle;
}

describe('the oracle', () => {
  const deletion: Change = { kind: 'delete', number: 0, stamp: stamp(2) };
  const clearing: Change = { kind: 'clear', method: 'search', stamp: stamp(2) };
  const invalidation: Change = { kind: 'invalidate', tag: 'tag', stamp: stamp(2) };

  it('complains of acknowledged values that are lost, or older than they were', () => {
    const missing = judging([set(1), true]);
    missing.judgeAtRest(seen(null));
    expect(missing.wrong).toEqual([expect.stringContaining('lost')]);
    const older = judging([set(1), true], [set(2), true]);
    older.judgeAtRest(seen(1));
    expect(older.wrong).toEqual([expect.stringContaining('lost')]);
  });

  it('complains of what an acknowledged deletion, clearing or invalidation has taken away', () => {
    for (const taking of [deletion, clearing, invalidation]) {
      const oracle = judging([set(1), true], [taking, true]);
      oracle.judgeAtRest(seen(1));
      expect(oracle.wrong.length).toBeGreaterThan(0);
      expect(oracle.wrong[0]).toContain('resurrected');
    }
  });

  it('lets what was not acknowledged be there or not, but not come and go at rest', () => {
    for (const taking of [deletion, clearing, invalidation]) {
      for (const found of [null, 1]) {
        const oracle = judging([set(1), true], [taking, false]);
        oracle.judgeAtRest(seen(found));
        expect(oracle.wrong).toEqual([]);
        oracle.judgeAtRest(seen(found === null ? 1 : null));
        expect(oracle.wrong).toHaveLength(1);
      }
    }
    const newer = judging([set(1), true], [set(2), false]);
    newer.judgeAtRest(seen(1));
    expect(newer.wrong).toEqual([]);
    newer.judgeAtRest(seen(2));
    expect(newer.wrong).toHaveLength(1);
  });

  it('complains of what nobody wrote, and of a value under the stamp of another', () => {
    const oracle = judging([set(1), true], [set(2, 2), true]);
    oracle.judgeAtRest(seen(3));
    oracle.judgeAtRest({ ...seen(1), value: 'another' });
    oracle.judgeAtRest(seen(2, 4));
    expect(oracle.wrong).toHaveLength(3);
  });

  it('complains of a reader to whom an entry is missing that is there, or that sees it go back', () => {
    const oracle = judging([set(1), true], [set(2), true]);
    oracle.startReader('first');
    oracle.judgeReader('first', [seen(2), seen(null)]);
    expect(oracle.wrong).toEqual([expect.stringContaining('lost')]);
    oracle.startReader('second');
    oracle.judgeReader('second', [seen(2), seen(1)]);
    expect(oracle.wrong).toHaveLength(2);
  });

  it('complains of a reader that misses an entry before anybody has deleted it', () => {
    const at = 1_000;
    const oracle = judging(
      [set(1), true],
      [{ kind: 'delete', number: 0, stamp: stamp((at + 500) * 1_000) }, true],
    );
    oracle.startReader('early');
    oracle.judgeReader('early', [{ ...seen(null), at }]);
    expect(oracle.wrong).toHaveLength(0);
    oracle.judgeOwnRead({ ...seen(null), at }, stamp(1));
    expect(oracle.wrong).toEqual([expect.stringContaining('lost')]);
    oracle.judgeOwnRead({ ...seen(null), at: at + 600 }, stamp(1));
    expect(oracle.wrong).toHaveLength(1);
  });

  it('complains of a reader that sees an entry again after its deletion was seen', () => {
    const oracle = judging([set(1), true], [deletion, true]);
    oracle.startReader('reader');
    oracle.judgeReader('reader', [seen(null), seen(1)]);
    expect(oracle.wrong).toEqual([expect.stringContaining('resurrected')]);
  });

  it('complains of a writer whose stamps go back', () => {
    expect(judging([set(2), true], [set(1), true]).wrong).toHaveLength(1);
  });
});
