/** The sessions and connections that this node holds, by its own account, and how that is compared with the server's. */

import type { Clock } from '../clock.js';
import type { CacheError } from '../errors.js';
import type { LinkSession } from '../remote/redis-link.js';
import type { NodeLease } from './node-lease.js';
import { type SessionCommands, slice } from './session-commands.js';
import { connectionFrom, connectionMember } from './session-keys.js';
import type { SessionLease } from './session-lease.js';
import type { Holding } from './session-replies.js';

/** A connection that this node has registered. */
interface HeldConnection {
  readonly sessionId: string;
  readonly id: string;
  lose(cause: CacheError | undefined, why?: string): void;
}

interface Held {
  readonly fence: string;
  /** In which order it was taken in. */
  readonly order: number;
  readonly lose: (cause: CacheError | undefined, why?: string) => void;
}

/** What is compared with what. */
export interface HeldSessionsInit {
  readonly commands: SessionCommands;
  readonly clock: Clock;
  /** How long what is sent may still take effect, in ms. */
  readonly claimMs: number;
  /** When something uncertain is looked at, in ms: nothing that was sent before takes effect any more. */
  readonly settleMs: number;
}

export class HeldSessions {
  readonly #init: HeldSessionsInit;
  readonly #sessions = new Map<string, SessionLease>();
  /** By member, as the server lists them. */
  readonly #held = new Map<string, Held>();
  /** Members that are being claimed, or adopted: what becomes of them is not known yet. */
  readonly #pending = new Map<string, number>();
  /** Shards where something was sent of which nobody knows whether it took effect, and when that was. */
  readonly #unsure = new Map<number, number>();
  #order = 0;

  constructor(init: HeldSessionsInit) {
    this.#init = init;
  }

  session(id: string): SessionLease | undefined {
    return this.#sessions.get(id);
  }

  /** The leases of all sessions. */
  sessions(): SessionLease[] {
    return [...this.#sessions.values()];
  }

  addSession(lease: SessionLease): void {
    this.#sessions.set(lease.id, lease);
    this.#add(`s${lease.id}`, String(lease.fence), (cause, why) => lease.lose(cause, why));
  }

  removeSession(lease: SessionLease): void {
    if (this.#sessions.get(lease.id) !== lease) return;
    this.#sessions.delete(lease.id);
    this.#held.delete(`s${lease.id}`);
  }

  addConnection(lease: HeldConnection, number: number): void {
    const member = connectionMember(lease.sessionId, lease.id);
    this.#held.get(member)?.lose(undefined, 'another of its name has taken its place');
    this.#add(member, String(number), (cause, why) => lease.lose(cause, why));
  }

  removeConnection(lease: HeldConnection, number: number): void {
    const member = connectionMember(lease.sessionId, lease.id);
    if (this.#held.get(member)?.fence === String(number)) this.#held.delete(member);
  }

  /** The node is dead: nothing is held any more. */
  loseAll(cause: CacheError): void {
    for (const { lose } of [...this.#held.values()]) lose(cause);
    this.#held.clear();
    this.#sessions.clear();
  }

  /** Runs what may put members under this node's name. */
  async pending<T>(members: readonly string[], run: () => Promise<T>): Promise<T> {
    for (const member of members) this.#pending.set(member, (this.#pending.get(member) ?? 0) + 1);
    try {
      return await run();
    } finally {
      for (const member of members) {
        const left = this.#pending.get(member)! - 1;
        if (left === 0) this.#pending.delete(member);
        else this.#pending.set(member, left);
      }
    }
  }

  /** Something was sent about this shard, and nobody knows whether it took effect. */
  noteUnsure(shard: number): void {
    this.#unsure.set(shard, this.#init.clock.elapsed());
  }

  /** Looks at the shards where something was uncertain, once nothing that was sent then can take effect any more. */
  async settle(lease: NodeLease): Promise<void> {
    const now = this.#init.clock.elapsed();
    for (const [shard, since] of this.#unsure) {
      if (now - since < this.#init.settleMs) continue;
      this.#unsure.delete(shard);
      try {
        await this.#compare(lease, shard);
      } catch (error) {
        this.#unsure.set(shard, since);
        throw error;
      }
    }
  }

  /** After a new connection: the server may have lost data, or have older data. */
  async compareAll(lease: NodeLease, via: LinkSession): Promise<void> {
    const shards = Array.from({ length: this.#init.commands.shards }, (_, shard) => shard);
    await Promise.all(shards.map((shard) => this.#compare(lease, shard, via)));
  }

  async #compare(lease: NodeLease, shard: number, via?: LinkSession): Promise<void> {
    const { commands } = this.#init;
    const before = this.#order;
    const listed = new Map<string, string>();
    for (const { member, fence } of await commands.holdings(shard, lease.incarnation, via))
      listed.set(member, fence);
    if (!lease.isHeld) return;
    for (const [member, { fence, order, lose }] of [...this.#held]) {
      const isHere = commands.shardOf(sessionOf(member)) === shard && order <= before;
      if (isHere && listed.get(member) !== fence) lose(undefined, 'Redis has lost it');
    }
    // What this node does not know of, nobody would ever give back.
    const excess: Holding[] = [];
    for (const [member, fence] of listed)
      if (!this.#held.has(member) && !this.#pending.has(member)) excess.push({ member, fence });
    for (let at = 0; at < excess.length; at += slice)
      await this.#giveUp(lease, shard, excess.slice(at, at + slice), via);
  }

  async #giveUp(lease: NodeLease, shard: number, list: readonly Holding[], via?: LinkSession): Promise<void> {
    const { commands, claimMs } = this.#init;
    const { incarnation } = lease;
    const held = list.filter(({ member }) => member.startsWith('s'));
    const connections = list.filter(({ member }) => member.startsWith('c'));
    if (held.length > 0)
      await commands.adopt(lease.claimant(claimMs), { shard, from: incarnation, held, mode: 'free' }, via);
    if (connections.length > 0) {
      const gone = connections.map(({ member }) => connectionFrom(member));
      await commands.detach(shard, incarnation, { from: incarnation, list: gone }, via);
    }
  }

  #add(member: string, fence: string, lose: Held['lose']): void {
    this.#held.set(member, { fence, order: ++this.#order, lose });
  }
}

/** The session that a member is about. */
function sessionOf(member: string): string {
  return member.startsWith('s') ? member.slice(1) : connectionFrom(member).sessionId;
}
