/** A node that sees to the dead, with commands that are made up: what comes between can be put there by hand. */

import { CacheError } from '../../src/errors.js';
import { HeldSessions } from '../../src/session/held-sessions.js';
import { NodeLease } from '../../src/session/node-lease.js';
import type { SessionCommands } from '../../src/session/session-commands.js';
import type { Holding } from '../../src/session/session-replies.js';
import { Takeover } from '../../src/session/takeover.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

export const over = new CacheError('ERR_SESSION_LOST', 'over');
export const orphan: Holding = { member: 'schat', fence: '17' };
/** The server's clock, in microseconds; who was found dead at 0 may be forgotten. */
export const minutes = 120_000_000;
export const patienceMs = 20_000;

/** A survivor, and what it has asked for, by name. */
export function survivor(answers: Partial<SessionCommands>, { isAdopting = true } = {}) {
  const asked: string[] = [];
  const clock = new FakeClock();
  const newLease = (incarnation: string) =>
    new NodeLease(incarnation, { clock, ttl: 60_000, sentAt: clock.elapsed(), time: minutes });
  const state = { isUsable: true, lease: newLease('a.1') };
  const defaults = { shards: 1, shardOf: () => 0, holdingSizes: () => Promise.resolve([1]) };
  const commands = new Proxy({ ...defaults, ...answers } as unknown as SessionCommands, {
    get: (target, name: keyof SessionCommands) => {
      const found = target[name];
      if (typeof found !== 'function' || name === 'shardOf' || name === 'holdingSizes') return found;
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
    ...{ commands, held, clock, claimMs: 1_000, isAdopting, patienceMs },
    lease: () => state.lease,
    isUsable: () => state.isUsable,
    onAdopted: (_lease, { id }) => void adopted.push(id),
    onFreed: () => Promise.resolve(),
    onError: ({ message }) => void errors.push(message),
  });
  return { asked, state, clock, newLease, commands, held, takeover, adopted, errors };
}

/** Lets everything that waits for nothing else go on. */
export const settled = () => new Promise<void>((resolve) => void setImmediate(resolve));
