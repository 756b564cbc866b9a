/** What a node holds by its own account and by the server's, when something comes between: with commands that are made up. */

import { describe, expect, it } from 'vitest';
import type { NodeLife } from '../../src/session/node-life.js';
import { SessionClaims } from '../../src/session/session-claims.js';
import type { SessionCommands } from '../../src/session/session-commands.js';
import { SessionLimitError } from '../../src/session/session-errors.js';
import type { ClaimReply } from '../../src/session/session-replies.js';
import { UserPlaces } from '../../src/session/user-places.js';
import { createValueCodec } from '../../src/value/codec.js';
import { orphan, over, survivor } from './survivor.js';

const nothing = undefined as never;

describe('a comparison with what Redis has', () => {
  it('is made later where orphans were being taken on a new connection', async () => {
    const a = survivor({ holdings: () => Promise.resolve([]) });
    let go: () => void = () => undefined;
    const taking = a.held.taking(
      0,
      () =>
        new Promise<void>((resolve) => {
          go = resolve;
        }),
    );
    await a.held.compareAll(a.state.lease, nothing);
    await a.held.settle(a.state.lease);
    expect(a.asked).toEqual(['holdings']);
    go();
    await taking;
    await a.held.settle(a.state.lease);
    expect(a.asked).toEqual(['holdings', 'holdings']);
  });

  it('that a lapse has cut short is made by the next stay, and sets nothing free before', async () => {
    const a = survivor({
      holdings: async () => {
        if (a.state.lease.incarnation === 'a.1') a.state.lease.end(over);
        return [orphan];
      },
      adopt: () => Promise.resolve([]),
    });
    a.held.noteUnsure(0, { after: async () => void a.asked.push('after') });
    await a.held.settle(a.state.lease);
    expect(a.asked).toEqual(['holdings']);
    a.state.lease = a.newLease('a.2');
    await a.held.settle(a.state.lease);
    expect(a.asked).toEqual(['holdings', 'holdings', 'adopt', 'after']);
  });

  it('takes no session whose claim was answered in the same turn', async () => {
    let answer: (reply: ClaimReply) => void = () => undefined;
    const a = survivor({
      claim: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      holdings: () => Promise.resolve([orphan]),
      adopt: () => Promise.resolve([]),
    });
    const claims = claimsOf(a);
    const claiming = claims.claim('chat', { user: undefined, limit: undefined });
    await expect.poll(() => a.asked).toEqual(['claim']);
    answer({ outcome: 'claimed', fence: '17', user: '', formerUser: '' });
    // One comparison for each step that the answer takes on its way.
    const comparisons = Array.from({ length: 40 }, async (_, steps) => {
      for (let step = 0; step < steps; step += 1) await undefined;
      await a.held.compareAll(a.state.lease, nothing);
    });
    await Promise.all(comparisons);
    expect((await claiming)!.isHeld).toBe(true);
    expect(a.asked).not.toContain('adopt');
  });
});

it('orphans whose adoption has failed twice are set free', async () => {
  const modes: string[] = [];
  const a = survivor({
    take: () => Promise.resolve([orphan]),
    adopt: (_by, { mode }) => {
      modes.push(mode);
      return mode === 'adopt' ? Promise.reject(new Error('no answer')) : Promise.resolve([]);
    },
    holdings: () => Promise.resolve([orphan]),
  });
  a.takeover.note('ghost.1');
  await expect.poll(() => a.errors).toHaveLength(1);
  a.takeover.close();
  await expect(a.held.settle(a.state.lease)).rejects.toThrow('no answer');
  await a.held.settle(a.state.lease);
  expect(modes).toEqual(['adopt', 'adopt', 'free']);
});

describe('the place of a user', () => {
  const places = (answers: Partial<SessionCommands>) => {
    const a = survivor({ timeAtUser: (_user, time) => time, ...answers });
    return { ...a, places: new UserPlaces(a.commands, 8_000, () => 'token') };
  };

  it('is given back though somebody has overwritten it who died before the claim', async () => {
    const vacated: unknown[] = [];
    const a = places({
      vacate: async (_user, which) => {
        vacated.push(which);
        return which[0]![1] === '0 ghost' ? 1 : 0;
      },
      places: () => Promise.resolve([['chat', '0 ghost']]),
      fields: () => Promise.resolve([[null, null]]),
    });
    await a.places.giveBackOf('ann', 'chat', { known: '0 token', now: 60_000_000 });
    expect(vacated).toEqual([[['chat', '0 token']], [['chat', '0 ghost']]]);
  });

  it('is given back where the claim got no answer, once it can have no effect any more', async () => {
    const vacated: unknown[] = [];
    const a = places({
      reserve: () => Promise.resolve({ outcome: 'reserved', time: 5, former: '' }),
      claim: () => Promise.reject(new Error('no answer')),
      holdings: () => Promise.resolve([]),
      fields: () => Promise.resolve([[null, null]]),
      vacate: async (user, which) => {
        vacated.push([user, ...which]);
        return 1;
      },
    });
    await expect(claimsOf(a).claim('chat', { user: 'ann', limit: 1 })).rejects.toThrow('no answer');
    expect(vacated).toEqual([]);
    await a.held.settle(a.state.lease);
    expect(vacated).toEqual([['ann', ['chat', '5 token']]]);
  });

  it('that somebody else was quicker to take is not asked for again', async () => {
    const a = places({
      reserve: () => Promise.resolve({ outcome: 'full', time: 60_000_000, former: '' }),
      places: () => Promise.resolve([['old', '0 ghost']]),
      fields: () => Promise.resolve([[null, null]]),
      vacate: () => Promise.resolve(0),
    });
    await expect(a.places.take('ann', 'chat', 1)).rejects.toThrow(SessionLimitError);
    expect(a.asked.filter((name) => name === 'reserve')).toHaveLength(1);
  });
});

function claimsOf({ commands, held, state }: ReturnType<typeof survivor>): SessionClaims {
  const life = { need: () => state.lease, lease: state.lease } as unknown as NodeLife;
  const places = new UserPlaces(commands, 8_000, () => 'token');
  const codec = createValueCodec([]);
  return new SessionClaims({ commands, codec, held, life, places, claimMs: 1_000, onError: () => undefined });
}
