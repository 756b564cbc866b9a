/** What a survivor does about the dead, when something comes between: with commands that are made up. */

import { describe, expect, it } from 'vitest';
import type { Holding } from '../../src/session/session-replies.js';
import { minutes, orphan, over, patienceMs, settled, survivor } from './survivor.js';

const old = new Map([['ghost.1', 0]]);

it('a dead one whose sweep was cut short is not forgotten', async () => {
  const a = survivor({
    take: async () => {
      a.state.lease.end(over);
      return [];
    },
    forget: () => Promise.resolve(),
  });
  a.takeover.noteAll(old, minutes);
  await expect.poll(() => a.asked).toEqual(['take']);
  await settled();
  expect(a.asked).toEqual(['take']);
});

it('one that was seen through is forgotten', async () => {
  const a = survivor({ take: () => Promise.resolve([]), forget: () => Promise.resolve() });
  a.takeover.noteAll(old, minutes);
  await expect.poll(() => a.asked).toEqual(['take', 'forget']);
});

it('a survivor that has lapsed claims nothing of what it has taken', async () => {
  const a = survivor({
    take: async () => {
      a.state.lease.end(over);
      return [orphan];
    },
    adopt: () => Promise.resolve([{ id: 'chat', fence: '18', user: '' }]),
  });
  a.takeover.note('ghost.1');
  await expect.poll(() => a.asked).toEqual(['take']);
  await settled();
  expect(a.asked).toEqual(['take']);
  expect(a.adopted).toEqual([]);
});

it('orphans whose adoption got no answer are adopted later, and not set free', async () => {
  const modes: string[] = [];
  const a = survivor({
    take: () => Promise.resolve([orphan]),
    adopt: (_by, { mode }) => {
      modes.push(mode);
      return modes.length === 1
        ? Promise.reject(new Error('no answer'))
        : Promise.resolve([{ id: 'chat', fence: '18', user: '' }]);
    },
    holdings: () => Promise.resolve([orphan]),
  });
  a.takeover.note('ghost.1');
  await expect.poll(() => a.errors).toHaveLength(1);
  a.takeover.close();
  await a.held.settle(a.state.lease);
  expect(modes).toEqual(['adopt', 'adopt']);
  expect(a.adopted).toEqual(['chat']);
});

it('what is being taken is not set free by a comparison that sees it first', async () => {
  let go: (taken: Holding[]) => void = () => undefined;
  const a = survivor({
    take: () =>
      new Promise((resolve) => {
        go = resolve;
      }),
    adopt: () => Promise.resolve([{ id: 'chat', fence: '18', user: '' }]),
    holdings: () => Promise.resolve([orphan]),
  });
  a.held.noteUnsure(0);
  a.takeover.note('ghost.1');
  await expect.poll(() => a.asked).toEqual(['take']);
  await a.held.settle(a.state.lease);
  await a.held.compareAll(a.state.lease, undefined as never);
  expect(a.asked).toEqual(['take', 'holdings']);
  go([orphan]);
  await expect.poll(() => a.adopted).toEqual(['chat']);
  expect(a.asked).toEqual(['take', 'holdings', 'adopt']);
});

it('a release that failed is sent again before what Redis has is compared', async () => {
  const a = survivor({ holdings: () => Promise.resolve([]) });
  a.held.noteUnsure(0, { before: async () => void a.asked.push('release') });
  await a.held.settle(a.state.lease);
  await a.held.settle(a.state.lease);
  expect(a.asked).toEqual(['release', 'holdings']);
});

it('while Redis can not be asked nothing is sent, and nothing reported', async () => {
  const a = survivor({ take: () => Promise.resolve([]) });
  a.state.isUsable = false;
  a.takeover.note('ghost.1');
  await settled();
  expect(a.asked).toEqual([]);
  a.state.isUsable = true;
  a.clock.advance(100);
  await expect.poll(() => a.asked).toEqual(['take']);
  expect(a.errors).toEqual([]);
});

it('of the dead one at a time is forgotten, and each is seen to once', async () => {
  const swept: string[] = [];
  let go: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    go = resolve;
  });
  const forgotten: string[] = [];
  const a = survivor({
    holdingSizes: async (incarnation) => {
      swept.push(incarnation);
      await first;
      return [0];
    },
    forget: async (incarnation) => void forgotten.push(incarnation),
  });
  const dead = new Map(['ghost.1', 'ghost.2', 'ghost.3'].map((each) => [each, 0]));
  for (let beats = 0; beats < 3; beats += 1) a.takeover.noteAll(dead, minutes);
  go();
  await expect.poll(() => forgotten).toHaveLength(1);
  await settled();
  // The one to be forgotten may also be looked at as one that was not known yet.
  expect(new Set(swept)).toEqual(new Set(dead.keys()));
  expect(swept.length).toBeLessThanOrEqual(4);
  expect(forgotten).toHaveLength(1);
});

it('where Redis is far away, shards are seen to side by side, and empty ones not at all', async () => {
  const waiting = new Map<number, () => void>();
  const a = survivor({
    shards: 8,
    holdingSizes: () => Promise.resolve([1, 0, 1, 1, 1, 0, 1, 1]),
    take: (_by, shard) => new Promise((resolve) => void waiting.set(shard, () => resolve([]))),
  });
  a.takeover.note('ghost.1');
  await expect.poll(() => waiting.size).toBe(4);
  await settled();
  expect(a.asked).toHaveLength(4);
  for (const go of waiting.values()) go();
  await expect.poll(() => waiting.size).toBe(6);
  expect([...waiting.keys()].sort()).toEqual([0, 2, 3, 4, 6, 7]);
});

describe('a node that does not adopt', () => {
  const freed = { take: () => Promise.resolve([orphan]), adopt: () => Promise.resolve([]) };

  it('sets orphans free at once where nobody does', async () => {
    const a = survivor({ ...freed, hasAdopters: () => Promise.resolve(false) }, { isAdopting: false });
    a.takeover.note('ghost.1');
    await expect.poll(() => a.asked).toEqual(['hasAdopters', 'take', 'adopt']);
  });

  it('leaves them to those who do, and sets free what they have not taken in time', async () => {
    const modes: string[] = [];
    const adopt: (typeof a.commands)['adopt'] = (_by, { mode }) => {
      modes.push(mode);
      return Promise.resolve([]);
    };
    const a: ReturnType<typeof survivor> = survivor(
      { ...freed, adopt, hasAdopters: () => Promise.resolve(true) },
      { isAdopting: false },
    );
    a.takeover.note('ghost.1');
    await expect.poll(() => a.clock.pending).toBe(1);
    // What every renewal tells again changes nothing.
    a.takeover.noteAll(new Map([['ghost.1', minutes]]), minutes);
    a.clock.advance(patienceMs - 1);
    await settled();
    expect(a.asked).toEqual(['hasAdopters']);
    a.clock.advance(1);
    await expect.poll(() => modes).toEqual(['free']);
  });
});
