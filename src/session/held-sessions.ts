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

/** What else is to be done about a shard where something is uncertain. */
interface UnsureAbout {
  /** Before it is looked at; it may be done more than once. */
  readonly before?: (via: LinkSession | undefined) => Promise<void>;
  /** Once it has been. */
  readonly after?: () => Promise<void>;
  /** What becomes of that of which this node does not know. By default it is set free. */
  readonly adopt?: ((lease: NodeLease, list: readonly Holding[]) => Promise<void>) | undefined;
}

interface Unsure {
  readonly since: number;
  readonly before: readonly NonNullable<UnsureAbout['before']>[];
  readonly after: readonly NonNullable<UnsureAbout['after']>[];
  readonly adopt: UnsureAbout['adopt'];
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
  readonly #unsure = new Map<number, Unsure>();
  /** Shards in which orphans are being taken: what is listed there is not to be judged. */
  readonly #taking = new Map<number, number>();
  #order = 0;

  constructor(init: HeldSessionsInit) {
    this.#init = init;
  }

  session(id: string): SessionLease | undefined {
    return this.#sessions.get(id);
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

  /** Runs what takes orphans in a shard: until it is over, what is listed there may be one. */
  async taking<T>(shard: number, run: () => Promise<T>): Promise<T> {
    this.#taking.set(shard, (this.#taking.get(shard) ?? 0) + 1);
    try {
      return await run();
    } finally {
      this.#taking.set(shard, this.#taking.get(shard)! - 1);
    }
  }

  /** Something was sent about this shard, and nobody knows whether it took effect. */
  noteUnsure(shard: number, { before, after, adopt }: UnsureAbout = {}): void {
    const known = this.#unsure.get(shard);
    this.#unsure.set(shard, {
      since: this.#init.clock.elapsed(),
      before: [...(known?.before ?? []), ...(before === undefined ? [] : [before])],
      after: [...(known?.after ?? []), ...(after === undefined ? [] : [after])],
      adopt: adopt ?? known?.adopt,
    });
  }

  /** Looks at the shards where something was uncertain, once nothing that was sent then can take effect any more. */
  async settle(lease: NodeLease): Promise<void> {
    const now = this.#init.clock.elapsed();
    // Those that are put back are for the next time.
    for (const [shard, unsure] of [...this.#unsure]) {
      if (!lease.isHeld) return;
      if (this.#unsure.get(shard) !== unsure || this.#isTaking(shard)) continue;
      if (now - unsure.since < this.#init.settleMs) continue;
      this.#unsure.delete(shard);
      try {
        if (!(await this.#compare(lease, shard, { unsure }))) this.#putBack(shard, unsure);
        else for (const each of unsure.after) await each();
      } catch (error) {
        // Those to be adopted are set free if that fails once more.
        this.#putBack(shard, { ...unsure, adopt: undefined });
        throw error;
      }
    }
  }

  /** What is noted meanwhile is waited for anew. */
  #putBack(shard: number, unsure: Unsure): void {
    const later = this.#unsure.get(shard);
    this.#unsure.set(shard, {
      since: later?.since ?? unsure.since,
      before: [...unsure.before, ...(later?.before ?? [])],
      after: [...unsure.after, ...(later?.after ?? [])],
      adopt: later?.adopt ?? unsure.adopt,
    });
  }

  /** After a new connection: the server may have lost data, or have older data. */
  async compareAll(lease: NodeLease, via: LinkSession): Promise<void> {
    const shards = Array.from({ length: this.#init.commands.shards }, (_, shard) => shard);
    const compare = async (shard: number) => {
      if (!(await this.#compare(lease, shard, { unsure: this.#unsure.get(shard), via })))
        this.noteUnsure(shard);
    };
    await Promise.all(shards.map(compare));
  }

  #isTaking(shard: number): boolean {
    return (this.#taking.get(shard) ?? 0) > 0;
  }

  /** Whether it was: what is on its way can't be. */
  async #compare(
    lease: NodeLease,
    shard: number,
    { unsure, via }: { unsure: Unsure | undefined; via?: LinkSession },
  ): Promise<boolean> {
    const { commands } = this.#init;
    for (const each of unsure?.before ?? []) await each(via);
    const before = this.#order;
    const listed = new Map<string, string>();
    for (const { member, fence } of await commands.holdings(shard, lease.incarnation, via))
      listed.set(member, fence);
    if (!lease.isHeld) return false;
    for (const [member, { fence, order, lose }] of [...this.#held]) {
      const isHere = commands.shardOf(sessionOf(member)) === shard && order <= before;
      if (isHere && listed.get(member) !== fence) lose(undefined, 'Redis has lost it');
    }
    // Orphans on their way here, and those whose adoption is to be tried again, are not to be set free.
    if (this.#isTaking(shard) || (via !== undefined && unsure?.adopt !== undefined)) return false;
    // What this node does not know of, nobody would ever give back.
    const excess: Holding[] = [];
    for (const [member, fence] of listed)
      if (!this.#held.has(member) && !this.#pending.has(member)) excess.push({ member, fence });
    for (let at = 0; at < excess.length && lease.isHeld; at += slice) {
      const list = excess.slice(at, at + slice);
      if (unsure?.adopt === undefined) await this.#giveUp(lease, shard, list, via);
      else await unsure.adopt(lease, list);
    }
    return lease.isHeld;
  }

  async #giveUp(lease: NodeLease, shard: number, list: readonly Holding[], via?: LinkSession): Promise<void> {
    const { commands, claimMs } = this.#init;
    const { incarnation } = lease;
    const held = list.filter(({ member }) => member.startsWith('s'));
    const connections = list.filter(({ member }) => member.startsWith('c'));
    if (held.length > 0)
      await commands.adopt(lease.claimant(claimMs), { shard, from: incarnation, held, mode: 'free' }, via);
    if (connections.length > 0) {
      const gone = connections.map((each) => ({ ...connectionFrom(each.member), ...each }));
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
