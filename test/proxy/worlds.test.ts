/** What a proxy keeps of what was done. */

import { expect, it, vi } from 'vitest';
import { resolveRollouts, rolloutOf } from '../../src/proxy/rollout-names.js';
import { Change, Doubts, World } from '../../src/proxy/tool-world.js';
import { resourceOf } from '../../src/tools/resource.js';

it('keeps of a world no more the more is done in others', () => {
  const doubts = new Doubts();
  const [one, other] = [new World(false, doubts), new World(false, doubts)];
  const before = other.history.partFor('a');
  for (let count = 0; count < 100; count += 1) new Change(one, [], doubts).answered({});
  other.heed();
  expect(other.history.size).toBe(1);
  expect(other.history.partFor('a')).not.toBe(before);
});

it('keeps little of a name of any length', () => {
  const names = resolveRollouts({}, String);
  const ids = ['x', 'y'].map((end) => {
    const _meta = { 'toolstash/task': 't', 'toolstash/rollout': 'long '.repeat(1_000) + end };
    return rolloutOf(names, { _meta }, undefined).id;
  });
  expect(ids).toEqual([expect.stringMatching(/^[\da-f]{64}$/), expect.stringMatching(/^[\da-f]{64}$/)]);
  expect(ids[0]).not.toBe(ids[1]);
});

it('takes a message that nobody answers to be over after a while', () => {
  vi.useFakeTimers();
  try {
    const world = new World(true);
    new Change(world, []).unanswered();
    vi.advanceTimersByTime(9_999);
    expect(world.isUnsettledOn([resourceOf('a')])).toBe(true);
    vi.advanceTimersByTime(1);
    expect(world.isUnsettledOn([resourceOf('a')])).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});
