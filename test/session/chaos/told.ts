/** What a node of a chaos run has told, sorted as it comes: a run of 200 rounds has hundreds of thousands of messages. */

import type { Child } from '../../helper/child-process.js';

/** A lease that a node had. Times in ms, by the clock that all processes share. */
export interface HeldLease {
  readonly id: string;
  readonly fence: number;
  readonly incarnation: string;
  readonly from: number;
  /** When it was held for the last time, as far as the node has looked, and when it was told that it is not any more. */
  heldAt: number;
  lostAt: number;
}

/** An orphan that a node has heard of. */
export interface HeardOrphan {
  readonly id: string;
  /** The incarnation that had it. */
  readonly from: string;
  /** The node that has claimed it; empty for none. */
  readonly takenBy: string;
  readonly at: number;
}

/** A write that the server has accepted, sent and answered at these times. */
export interface AcceptedWrite {
  readonly id: string;
  readonly fence: number;
  readonly began: number;
  readonly ended: number;
  /** By a lease, or behind its node's back under the number of one that was lost. */
  readonly how: 'lease' | 'zombie';
}

/** What one node has told, each list in the order of its times. */
export class Told {
  readonly leases: HeldLease[] = [];
  readonly orphans: HeardOrphan[] = [];
  readonly writes: AcceptedWrite[] = [];
  readonly joined: { readonly incarnation: string; readonly at: number }[] = [];
  readonly lapsed: { readonly at: number }[] = [];
  readonly unhandled: string[] = [];
  /** How many writes under numbers of others were refused. */
  refused = 0;
  /** When it began to close. */
  closingAt = Number.POSITIVE_INFINITY;
  readonly #held = new Map<string, HeldLease>();

  static by(child: Pick<Child, 'on'>): Told {
    const told = new Told();
    child.on('got', ([, id, fence, incarnation, at]) => told.#got([id, fence, incarnation, at] as never));
    child.on('lost', ([, id, fence, heldAt, at]) => told.#lost([id, fence, heldAt, at] as never));
    child.on('orphaned', ([, id, from, takenBy, at]) =>
      told.orphans.push({ id, from, takenBy, at } as HeardOrphan),
    );
    child.on('wrote', ([, id, fence, began, ended, how]) =>
      told.writes.push({ id, fence, began, ended, how } as AcceptedWrite),
    );
    child.on('joined', ([, incarnation, at]) => told.joined.push({ incarnation, at } as never));
    child.on('lapsed', ([, , at]) => told.lapsed.push({ at } as never));
    child.on('unhandled', ([, error]) => told.unhandled.push(String(error)));
    child.on('refused', () => {
      told.refused += 1;
    });
    child.on('closing', ([, at]) => {
      told.closingAt = at as number;
    });
    return told;
  }

  /** The sessions that it has by its own account. */
  get held(): string[] {
    return [...this.#held.values()].map(({ id }) => id);
  }

  #got([id, fence, incarnation, from]: [string, number, string, number]): void {
    const never = Number.POSITIVE_INFINITY;
    const lease: HeldLease = { id, fence, incarnation, from, heldAt: never, lostAt: never };
    this.leases.push(lease);
    this.#held.set(`${id} ${fence}`, lease);
  }

  #lost([id, fence, heldAt, lostAt]: [string, number, number, number]): void {
    const lease = this.#held.get(`${id} ${fence}`);
    if (lease === undefined) throw new Error(`${id} ${fence} was lost before it was got`);
    Object.assign(lease, { heldAt, lostAt });
    this.#held.delete(`${id} ${fence}`);
  }
}
