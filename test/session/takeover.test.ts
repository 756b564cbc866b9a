/** What a survivor does about the dead, when something comes between: with commands that are made up. */

import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { CacheError } from '../../src/errors.js';
import { HeldSessions } from '../../src/session/held-sessions.js';
import { NodeLease } from '../../src/session/node-lease.js';
import type { SessionCommands } from '../../src/session/session-commands.js';
import type { Holding } from '../../src/session/session-replies.js';
import { Takeover } from '../../src/session/takeover.js';

const clock = systemClock;
const over = new CacheError('ERR_SESSION_LOST', 'over');
const orphan: Holding = { member: 'schat', fence: '17' };
const old = new Map([['ghost.1', 0]]);
const minutes = 120_000_000;

/** A survivor, and what it has asked for, by name. */
function survivor(answers: Partial<SessionCommands>) {
  const asked: string[] = [];
  const state = { isUsable: true };
  const lease = new NodeLease('a.1', { clock, ttl: 60_000, sentAt: clock.elapsed(), time: minutes });
  const commands = new Proxy({ shards: 1, shardOf: () => 0, ...answers } as unknown as SessionCommands, {
    get: (target, name: keyof SessionCommands) => {
      const found = target[name];
      if (typeof found !== 'function' || name === 'shardOf') return found;
      return (...args: never[]) => {
        asked.push(name);
        return (found as (...args: never[]) => unknown)(...args);
      };
    },
  });
  const adopted: string[] = [];
  const errors: string[] = [];
  const held = new HeldSessions({ commands, clock, claimMs: 1_000, settleMs: 0 });
  const takeover = new Takeover({
    ...{ commands, held, clock, claimMs: 1_000, isAdopting: true },
    lease: () => lease,
    isUsable: () => state.isUsable,
    onAdopted: (_lease, { id }) => void adopted.push(id),
    onFreed: () => Promise.resolve(),
    onError: ({ message }) => void errors.push(message),
  });
  return { asked, state, lease, held, takeover, adopted, errors };
}

it('a dead one whose sweep was cut short is not forgotten', async () => {
  const a = survivor({
    take: async () => {
      a.lease.end(over);
      return [];
    },
    forget: () => Promise.resolve(),
  });
  a.takeover.noteAll(old, minutes);
  await expect.poll(() => a.asked).toEqual(['take']);
  await new Promise((resolve) => setImmediate(resolve));
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
      a.lease.end(over);
      return [orphan];
    },
    adopt: () => Promise.resolve([{ id: 'chat', fence: '18', user: '' }]),
  });
  a.takeover.note('ghost.1');
  await expect.poll(() => a.asked).toEqual(['take']);
  await new Promise((resolve) => setImmediate(resolve));
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
  await a.held.settle(a.lease);
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
  await a.held.settle(a.lease);
  await a.held.compareAll(a.lease, undefined as never);
  expect(a.asked).toEqual(['take', 'holdings']);
  go([orphan]);
  await expect.poll(() => a.adopted).toEqual(['chat']);
  expect(a.asked).toEqual(['take', 'holdings', 'adopt']);
});

it('a release that failed is sent again before what Redis has is compared', async () => {
  const a = survivor({ holdings: () => Promise.resolve([]) });
  a.held.noteUnsure(0, { before: async () => void a.asked.push('release') });
  await a.held.settle(a.lease);
  await a.held.settle(a.lease);
  expect(a.asked).toEqual(['release', 'holdings']);
});

it('while Redis can not be asked nothing is sent, and nothing reported', async () => {
  const a = survivor({ take: () => Promise.resolve([]) });
  a.state.isUsable = false;
  a.takeover.note('ghost.1');
  await new Promise((resolve) => setImmediate(resolve));
  expect(a.asked).toEqual([]);
  a.state.isUsable = true;
  await expect.poll(() => a.asked).toEqual(['take']);
  expect(a.errors).toEqual([]);
});
