/**
 * What becomes of a dead node's sessions: each survivor takes slices of them, so that none is taken twice, and claims them or
 * sets them free. What a survivor has taken lies under its own name: if it dies too, the next one finds it there.
 */

import { type Clock, inBackground } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { HeldSessions } from './held-sessions.js';
import type { NodeLease } from './node-lease.js';
import { type SessionCommands, slice } from './session-commands.js';
import { asCacheError } from './session-errors.js';
import { connectionFrom } from './session-keys.js';
import type { AdoptReply, Holding } from './session-replies.js';

/** What orphans are taken with. */
export interface TakeoverInit {
  readonly commands: SessionCommands;
  readonly held: HeldSessions;
  readonly clock: Clock;
  /** How long what was sent may still take effect, in ms. */
  readonly claimMs: number;
  readonly lease: () => NodeLease | undefined;
  /** Whether Redis can be asked at present. */
  readonly isUsable: () => boolean;
  /** Whether this node wants sessions, or only sees to it that they are free. */
  readonly isAdopting: boolean;
  /** How long it leaves them to those who want them, in ms, if there are any. */
  readonly patienceMs: number;
  readonly onAdopted: (lease: NodeLease, orphan: AdoptReply) => void;
  readonly onFreed: (lease: NodeLease, users: ReadonlySet<string>) => Promise<void>;
  readonly onError: (error: CacheError) => void;
}

/** Dead ones are looked at again, and forgotten, after so long, in ms: nothing that they have sent takes effect any more. */
const rememberMs = 60_000;
/** More at once would leave nothing to other survivors; fewer would be late where Redis is far away. */
const shardsAtOnce = 4;
const retryMs = 500;
/** How soon it is looked again whether Redis can be asked, in ms. */
const linkMs = 100;

export class Takeover {
  readonly #init: TakeoverInit;
  /** The dead whose sessions were seen to, or are being seen to. */
  readonly #seen = new Set<string>();
  #last = Promise.resolve();
  #isForgetting = false;
  #isClosed = false;

  constructor(init: TakeoverInit) {
    this.#init = init;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Somebody is dead, as a message says. */
  note(incarnation: string): void {
    if (this.#seen.has(incarnation)) return;
    this.#seen.add(incarnation);
    const { isAdopting, commands } = this.#init;
    const see = async (lease: NodeLease) => {
      if (isAdopting || !(await commands.hasAdopters())) await this.#sweep(lease, incarnation);
      else this.#leaveToAdopters(incarnation);
    };
    void this.#queue(see, incarnation);
  }

  /** Those who want sessions go first; what they have not taken in time is set free. */
  #leaveToAdopters(incarnation: string): void {
    const { clock, patienceMs } = this.#init;
    const sweep = (lease: NodeLease) => this.#sweep(lease, incarnation);
    clock.schedule(() => void this.#queue(sweep, incarnation), Math.min(patienceMs, rememberMs));
  }

  /** These are dead, since when by the server's clock, which says `now`, in microseconds. */
  noteAll(dead: ReadonlyMap<string, number>, now: number): void {
    for (const each of this.#seen) if (!dead.has(each)) this.#seen.delete(each);
    const old = [...dead].filter(([, since]) => now - since >= rememberMs * 1_000);
    // One at a time, and by chance: all nodes do so.
    const one = this.#isForgetting ? undefined : old[Math.floor(Math.random() * old.length)];
    for (const incarnation of dead.keys()) if (incarnation !== one?.[0]) this.note(incarnation);
    if (one !== undefined) void this.#forget(...one);
  }

  async #forget(incarnation: string, since: number): Promise<void> {
    this.#isForgetting = true;
    await this.#queue(async (lease) => {
      await this.#sweep(lease, incarnation);
      // One that was not seen through is to be found by whoever comes next.
      if (lease.isHeld && !this.#isClosed) await this.#init.commands.forget(incarnation, since);
    });
    this.#isForgetting = false;
  }

  /** One after the other, as long as this node is alive. What fails is tried again. */
  #queue(run: (lease: NodeLease) => Promise<void>, seen?: string): Promise<void> {
    const { lease, clock, onError, isUsable } = this.#init;
    const start = async () => {
      const current = lease();
      if (current === undefined || this.#isClosed) {
        if (seen !== undefined) this.#seen.delete(seen);
        return;
      }
      if (!isUsable()) {
        // An outage is reported once, and not by each that waits for its end.
        if (seen !== undefined) {
          this.#seen.delete(seen);
          clock.schedule(() => this.note(seen), linkMs);
        }
        return;
      }
      try {
        await run(current);
        // What is left is for whoever is alive, this node's next incarnation too.
        if (seen !== undefined && !current.isHeld) this.#seen.delete(seen);
      } catch (error) {
        if (seen !== undefined) this.#seen.delete(seen);
        if (this.#isClosed) return;
        onError(asCacheError(error, 'The sessions of a dead node could not be taken over'));
        if (seen !== undefined) clock.schedule(() => this.note(seen), retryMs * (0.5 + Math.random()));
      }
    };
    this.#last = inBackground(() => this.#last.then(start));
    return this.#last;
  }

  async #sweep(lease: NodeLease, dead: string): Promise<void> {
    // Most of the dead have left nothing any more: that takes one answer, however far away Redis is.
    const sizes = await this.#init.commands.holdingSizes(dead);
    const shards = sizes.flatMap((size, shard) => (size > 0 ? [shard] : []));
    // Each survivor begins somewhere else.
    const first = Math.floor(Math.random() * shards.length);
    const order = [...shards.slice(first), ...shards.slice(0, first)].values();
    const take = async () => {
      for (const shard of order)
        while (lease.isHeld && !this.#isClosed && (await this.#takeSlice(lease, shard, dead)));
    };
    const outcomes = await Promise.allSettled(Array.from({ length: shardsAtOnce }, take));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Whether there may be more. */
  async #takeSlice(lease: NodeLease, shard: number, dead: string): Promise<boolean> {
    const { commands, held, claimMs } = this.#init;
    try {
      return await held.taking(shard, async () => {
        const taken = await commands.take(lease.claimant(claimMs), shard, dead);
        if (taken.length > 0) await this.#settle(lease, { shard, dead, taken });
        return taken.length === slice;
      });
    } catch (error) {
      // What lies under this node's name now is seen to by and by.
      const adopt = (now: NodeLease, taken: readonly Holding[]) =>
        held.taking(shard, () => this.#settle(now, { shard, dead: now.incarnation, taken }));
      held.noteUnsure(shard, { adopt });
      throw error;
    }
  }

  async #settle(
    lease: NodeLease,
    { shard, dead, taken }: { shard: number; dead: string; taken: readonly Holding[] },
  ): Promise<void> {
    const { commands, claimMs, isAdopting, onAdopted, onFreed } = this.#init;
    const sessions = taken.filter(({ member }) => member.startsWith('s'));
    const connections = taken.filter(({ member }) => member.startsWith('c'));
    if (connections.length > 0) {
      const list = connections.map((each) => ({ ...connectionFrom(each.member), ...each }));
      await commands.detach(shard, lease.incarnation, { from: dead, list });
    }
    // Whoever is dead may have been seen to already: what it claimed now, nobody would find.
    if (sessions.length === 0 || !lease.isHeld) return;
    const mode = isAdopting ? 'adopt' : 'free';
    const by = lease.claimant(claimMs);
    const replies = await commands.adopt(by, { shard, from: dead, held: sessions, mode });
    const users = new Set<string>();
    for (const reply of replies) {
      if (reply.fence === 'free') users.add(reply.user);
      else if (reply.fence !== '') onAdopted(lease, reply);
    }
    users.delete('');
    if (users.size > 0) await onFreed(lease, users);
  }
}
