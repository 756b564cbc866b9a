/** Tokens of loads, as the server gives, renews and takes them back. */

import type { RedisChanges } from './redis-changes.js';
import type { RedisLink } from './redis-link.js';
import { texts } from './redis-script.js';
import { redisScripts } from './redis-scripts.js';
import type { RedisSpaces } from './redis-spaces.js';
import type { LeaseArguments, LeaseReply, Leases, RedisTicket } from './redis-turns.js';
import { stampText } from './redis-value.js';

/** What they are asked for with. */
export interface RedisLeasesInit {
  readonly link: RedisLink;
  readonly space: RedisSpaces;
  readonly changes: RedisChanges;
  readonly leaseMs: number;
  readonly onLostEpoch: () => void;
  readonly onError: (cause: unknown, message: string) => void;
}

export class RedisLeases implements Leases {
  readonly #init: RedisLeasesInit;

  constructor(init: RedisLeasesInit) {
    this.#init = init;
  }

  async take({ key, token, mode, known }: LeaseArguments): Promise<LeaseReply> {
    const { link, onLostEpoch, onError } = this.#init;
    try {
      const reply = await link.inTime(() => {
        const cleared = this.#init.changes.cleared();
        const take = () => this.#take({ key, token, mode, known });
        return cleared === undefined ? take() : cleared.then(take);
      });
      const [outcome, stamp = ''] = texts(reply, 1);
      if (outcome !== 'epoch') return { outcome: outcome as LeaseReply['outcome'], stamp };
      onLostEpoch();
    } catch (error) {
      onError(error, `Asking Redis for the right to load ${key} failed`);
    }
    return { outcome: 'unknown', stamp: '' };
  }

  #take({ key, token, mode, known }: LeaseArguments): Promise<unknown> {
    const { link, space, leaseMs } = this.#init;
    const { keys, args } = space.ofKey(key);
    // In a cluster another server has stamped the markers: what is loaded now is newer.
    const floor = Math.max(known?.time ?? 0, space.markerTime());
    const rest = [
      token,
      String(leaseMs),
      mode,
      known === undefined ? '' : stampText(known),
      floor === 0 ? '' : String(floor),
      space.epochOf(key),
    ];
    return link.run(redisScripts.lease, keys, [...args, ...rest]);
  }

  async release({ key, token }: RedisTicket): Promise<void> {
    const { link, space } = this.#init;
    if (!link.isReady) return;
    const { keys, args } = space.ofKey(key);
    // Without it the token ends by itself.
    await link.run(redisScripts.release, keys, [...args, token, key]).catch(() => undefined);
  }

  async renew({ key, token }: RedisTicket): Promise<boolean> {
    const { link, space, leaseMs } = this.#init;
    const { keys, args } = space.ofKey(key);
    return (await link.run(redisScripts.renew, keys, [...args, token, String(leaseMs)])) !== 0;
  }
}
