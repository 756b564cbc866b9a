/** What is asked of the server: the names of keys, and each script with its arguments. */

import { CacheError } from '../errors.js';
import type { LinkSession } from '../remote/redis-link.js';
import { ReplicaWait } from './replica-wait.js';
import { SessionKeys } from './session-keys.js';
import {
  type AdoptReply,
  type Claimant,
  type ClaimReply,
  type Holding,
  holdingsFrom,
  pairsFrom,
} from './session-replies.js';
import { sessionScripts as scripts } from './session-scripts.js';
import { SessionServer, type SessionServerInit } from './session-server.js';

/** What is asked with. */
export interface SessionCommandsInit extends SessionServerInit {
  readonly prefix: string;
  readonly database: number;
  readonly shards: number;
  readonly node: string;
  readonly ttl: number;
  readonly timeout: number;
  readonly wait: number;
  readonly stateTtl: number;
  readonly isAdopting: boolean;
}

/** A connection, what it is listed under, and its number. */
interface ListedConnection extends Holding {
  readonly sessionId: string;
  readonly id: string;
}

/** So many are handed over, or read, in one step: more would hold the server up. */
export const slice = 100;

export class SessionCommands {
  /** Where nodes tell who has died, and what was orphaned. */
  readonly events: string;
  readonly shards: number;
  readonly #init: SessionCommandsInit;
  readonly #keys: SessionKeys;
  /** The highest fencing number that this node has seen. */
  #seen = 0;
  readonly #server: SessionServer;
  readonly #replicas: ReplicaWait;
  constructor(init: SessionCommandsInit) {
    this.#init = init;
    this.shards = init.shards;
    this.#keys = new SessionKeys(init);
    this.#server = new SessionServer(init, this.#keys.living[0]);
    this.events = this.channel('events');
    // Less than the deadline: a blocked connection answers nobody.
    const waitMs = Math.ceil(init.timeout / 2);
    this.#replicas = new ReplicaWait({ link: init.link, replicas: init.wait, waitMs });
  }

  /** What the clock of the server says that has a user's places, when that by which nodes know the time says this. */
  timeAtUser(user: string, time: number): number {
    return this.#server.timeAt(this.#keys.user(user), time);
  }

  channel(name: string): string {
    return this.#keys.channel(name);
  }

  /** To be done first over new connections. */
  compareClocks(session: LinkSession): Promise<void> {
    return this.#server.compareClocks(session);
  }

  /** In which shard a session is. */
  shardOf(id: string): number {
    return this.#keys.shardOf(id);
  }

  see(fence: number): void {
    if (fence > this.#seen) this.#seen = fence;
  }

  /** Joins the living or stays among them. Rejects where nodes are not set up alike. */
  async beat(
    mode: 'join' | 'renew',
    incarnation: string,
    via?: LinkSession,
  ): Promise<{ isLive: boolean; time: number; dead: Map<string, number> }> {
    const { ttl, node, shards, isAdopting } = this.#init;
    const ttlMicros = String(ttl * 1_000);
    const about = `${ttlMicros} ${node}`;
    const adopts = isAdopting ? '1' : '0';
    const args = [incarnation, ttlMicros, mode, about, this.events, String(shards), adopts];
    const [outcome, time, ...dead] = await this.#server.run(scripts.beat, [...this.#keys.living], args, via);
    if (outcome === 'shards')
      throw new CacheError(
        'ERR_INVALID_OPTION',
        `Expected \`shards\` to be ${time}, as other nodes of \`${this.#init.prefix}\` have it, got ${shards}`,
      );
    const ends = new Map<string, number>();
    for (let at = 0; at < dead.length; at += 2) ends.set(dead[at]!, Number(dead[at + 1]));
    return { isLive: outcome === 'live', time: Number(time), dead: ends };
  }

  /** Whether an incarnation is dead, and from now on for ever. */
  async bury(incarnation: string, isOwn = false, via?: LinkSession): Promise<boolean> {
    const args = [incarnation, isOwn ? '1' : '0', this.events];
    const [outcome] = await this.#server.run(scripts.bury, [...this.#keys.living], args, via);
    return outcome === 'dead';
  }

  /** Whether there are nodes that adopt, as far as they have not been found dead. */
  async hasAdopters(): Promise<boolean> {
    return Number(await this.#server.command(['SCARD', this.#keys.living[3]])) > 0;
  }

  async forget(incarnation: string, deadSince: number): Promise<void> {
    await this.#server.run(scripts.forget, [...this.#keys.living], [incarnation, String(deadSince)]);
  }

  async claim(
    by: Claimant,
    { id, user = '', dead = '' }: { id: string; user?: string | undefined; dead?: string },
  ): Promise<ClaimReply> {
    const shard = this.shardOf(id);
    const keys = [this.#keys.session(id), this.#keys.heldBy(shard, by.incarnation), this.#keys.last(shard)];
    const { node } = this.#init;
    const seen = String(this.#seen);
    const args = [
      this.#server.notAfter(by, keys[0]!),
      id,
      by.incarnation,
      seen,
      dead,
      user,
      node,
      this.events,
    ];
    const [outcome, ...rest] = await this.#server.run(scripts.claim, keys, args);
    const [first = '', second = '', third = ''] = rest;
    if (outcome === 'held') {
      this.see(Number(second));
      return { outcome, incarnation: first, fence: second };
    }
    this.see(Number(first));
    await this.#replicas.until(keys[0]!);
    return { outcome: 'claimed', fence: first, user: second, formerUser: third };
  }

  async release(
    id: string,
    { incarnation, fence, keepState }: { incarnation: string; fence: number; keepState: boolean },
    via?: LinkSession,
  ): Promise<void> {
    const keys = [this.#keys.session(id), this.#keys.heldBy(this.shardOf(id), incarnation)];
    const keep = keepState ? String(this.#init.stateTtl) : '0';
    await this.#server.run(scripts.release, keys, [id, incarnation, String(fence), keep], via);
  }

  /** Whether the state was written: the fencing number was the session's. */
  async write(id: string, incarnation: string, fence: number, state: Buffer): Promise<boolean> {
    const args = [incarnation, String(fence), state];
    const [written] = await this.#server.run(scripts.write, [this.#keys.session(id)], args);
    if (written !== '1') return false;
    await this.#replicas.until(this.#keys.session(id));
    return true;
  }

  /** The named fields of sessions, in their order: `i` incarnation, `f` fence, `n` node, `u` user, `t` since, `d` state. */
  async fields(
    ids: readonly string[],
    ...names: readonly ('i' | 'f' | 'n' | 'u' | 't' | 'd')[]
  ): Promise<(Buffer | null)[][]> {
    const asked = ids.map((id) => this.#server.command(['HMGET', this.#keys.session(id), ...names]));
    return (await Promise.all(asked)) as (Buffer | null)[][];
  }

  /** Takes up to a slice of what a dead incarnation held in a shard; it is to be adopted or dropped. */
  async take(by: Claimant, shard: number, dead: string): Promise<Holding[]> {
    const keys = [this.#keys.heldBy(shard, dead), this.#keys.heldBy(shard, by.incarnation)];
    const [, ...list] = await this.#server.run(scripts.take, keys, [
      this.#server.notAfter(by, keys[0]!),
      String(slice),
    ]);
    return holdingsFrom(list);
  }

  /** Claims orphans, or sets them free. @param held sessions, all of one shard */
  async adopt(
    by: Claimant,
    {
      shard,
      from,
      held,
      mode,
    }: { shard: number; from: string; held: readonly Holding[]; mode: 'adopt' | 'free' },
    via?: LinkSession,
  ): Promise<AdoptReply[]> {
    const ids = held.map(({ member }) => member.slice(1));
    const keys = [
      this.#keys.heldBy(shard, by.incarnation),
      this.#keys.last(shard),
      ...ids.map((id) => this.#keys.session(id)),
    ];
    const { node, stateTtl } = this.#init;
    const args = [
      ...[
        this.#server.notAfter(by, keys[0]!),
        by.incarnation,
        node,
        String(this.#seen),
        mode,
        String(stateTtl),
      ],
      ...[this.events, from, ...held.flatMap(({ fence }, at) => [ids[at]!, fence])],
    ];
    const [, ...list] = await this.#server.run(scripts.adopt, keys, args, via);
    const replies = ids.map((id, at) => ({ id, fence: list[at * 2] ?? '', user: list[at * 2 + 1] ?? '' }));
    for (const { fence } of replies) if (fence !== 'free') this.see(Number(fence));
    if (mode === 'adopt') await this.#replicas.until(keys[0]!);
    return replies;
  }

  /** How much an incarnation holds, by shard. */
  async holdingSizes(incarnation: string): Promise<number[]> {
    const keys = Array.from({ length: this.shards }, (_, shard) => this.#keys.heldBy(shard, incarnation));
    return (await Promise.all(keys.map((key) => this.#server.command(['ZCARD', key])))).map(Number);
  }

  /** What an incarnation holds in a shard, read a piece at a time, in the order of fencing numbers: no two are alike. */
  async holdings(shard: number, incarnation: string, via?: LinkSession, most = 1_000): Promise<Holding[]> {
    const found: Holding[] = [];
    for (let from = '-inf'; ; from = `(${found.at(-1)!.fence}`) {
      const range = [from, '+inf', 'WITHSCORES', 'LIMIT', '0', String(most)];
      const list = await this.#server.command(
        ['ZRANGEBYSCORE', this.#keys.heldBy(shard, incarnation), ...range],
        via,
      );
      found.push(...holdingsFrom((list as Buffer[]).map(String)));
      if ((list as Buffer[]).length < most * 2) return found;
    }
  }

  async reserve(
    user: string,
    id: string,
    limit: number | undefined,
    token: string,
  ): Promise<{ outcome: 'full' | 'reserved'; time: number; former: string }> {
    const args = [id, limit === undefined ? '' : String(limit), token];
    const [outcome, time, former = ''] = await this.#server.run(
      scripts.reserve,
      [this.#keys.user(user)],
      args,
    );
    return { outcome: outcome as 'full' | 'reserved', time: Number(time), former };
  }

  /** The places of a user: session, and what stands there. */
  async places(user: string): Promise<[id: string, place: string][]> {
    return pairsFrom(await this.#server.command(['HGETALL', this.#keys.user(user)]));
  }

  /** How many of them were given back. */
  async vacate(user: string, places: readonly (readonly [id: string, place: string])[]): Promise<number> {
    const [count] = await this.#server.runRaw(scripts.vacate, [this.#keys.user(user)], places.flat());
    return Number(count);
  }

  /** Puts back what a place said before it was taken. */
  async restore(user: string, id: string, { text, former }: { text: string; former: string }): Promise<void> {
    await this.#server.runRaw(scripts.restore, [this.#keys.user(user)], [id, text, former]);
  }

  /** Its number in the shard; `full` where there are as many as there may be. */
  async attach(
    by: Claimant,
    at: { sessionId: string; id: string; limit: number | undefined; member: string },
  ): Promise<'full' | number> {
    const { sessionId, id, limit, member } = at;
    const shard = this.shardOf(sessionId);
    const keys = [
      this.#keys.connections(sessionId),
      this.#keys.heldBy(shard, by.incarnation),
      this.#keys.last(shard),
    ];
    const most = limit === undefined ? '' : String(limit);
    const args = [this.#server.notAfter(by, keys[0]!), id, by.incarnation, this.#init.node, most, member];
    const [outcome, number] = await this.#server.run(scripts.attach, keys, args);
    return outcome === 'full' ? outcome : Number(number);
  }

  /** @param list connections of one shard */
  async detach(
    shard: number,
    by: string,
    { from, list }: { from: string; list: readonly ListedConnection[] },
    via?: LinkSession,
  ): Promise<void> {
    const keys = [
      this.#keys.heldBy(shard, by),
      ...list.map(({ sessionId }) => this.#keys.connections(sessionId)),
    ];
    const args = [from, by, ...list.flatMap(({ id, member, fence }) => [id, member, fence])];
    await this.#server.runRaw(scripts.detach, keys, args, via);
  }

  async connections(sessionId: string): Promise<[id: string, about: string][]> {
    return pairsFrom(await this.#server.command(['HGETALL', this.#keys.connections(sessionId)]));
  }

  /** All incarnations that are alive, or dead and not forgotten yet, and what is known about them. */
  async nodes(): Promise<{ living: string[]; dead: string[]; about: Map<string, string> }> {
    const [living, dead, about] = this.#keys.living;
    const replies = await Promise.all([
      this.#server.command(['ZRANGE', living, '0', '-1']),
      this.#server.command(['ZRANGE', dead, '0', '-1']),
      this.#server.command(['HGETALL', about]),
    ]);
    const [alive, gone] = replies.slice(0, 2).map((list) => (list as Buffer[]).map(String));
    return { living: alive!, dead: gone!, about: new Map(pairsFrom(replies[2])) };
  }

  /** Whether it is alive, by the server's clock. */
  async isAlive(incarnation: string): Promise<boolean> {
    const asked = this.#server.command(['ZSCORE', this.#keys.living[0], incarnation]);
    const [ends, now] = await Promise.all([asked, this.#server.now()]);
    return ends !== null && Number(ends) > now;
  }

  publish(channel: string, message: Buffer): Promise<number> {
    return this.#server.command(['PUBLISH', channel, message]) as Promise<number>;
  }
}
