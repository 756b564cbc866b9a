/** The names of keys and channels. Those of a shard share a hash tag, so that a script may touch them in a cluster too. */

import { createHash } from 'node:crypto';

export class SessionKeys {
  /** Who is alive, who is dead, what is known about them, and who of the living adopts. */
  readonly living: readonly [living: string, dead: string, about: string, adopters: string];
  readonly #prefix: string;
  readonly #database: number;
  readonly #shards: number;

  constructor({ prefix, database, shards }: { prefix: string; database: number; shards: number }) {
    this.#prefix = prefix;
    this.#database = database;
    this.#shards = shards;
    const ofNodes = (name: string) => `${prefix}:{nodes}:${name}`;
    this.living = [ofNodes('living'), ofNodes('dead'), ofNodes('about'), ofNodes('adopters')];
  }

  /** Channels know no databases: their names do. */
  channel(name: string): string {
    return `${this.#prefix}:{nodes}:${this.#database}:${name}`;
  }

  shardOf(id: string): number {
    return createHash('md5').update(id).digest().readUInt32BE(0) % this.#shards;
  }

  session(id: string): string {
    return `${this.#tag(this.shardOf(id))}:session:${id}`;
  }

  /** The connections of a session. */
  connections(sessionId: string): string {
    return `${this.#tag(this.shardOf(sessionId))}:connections:${sessionId}`;
  }

  /** What an incarnation holds in a shard, by fencing number. */
  heldBy(shard: number, incarnation: string): string {
    return `${this.#tag(shard)}:held:${incarnation}`;
  }

  /** The last fencing number of a shard. */
  last(shard: number): string {
    return `${this.#tag(shard)}:last`;
  }

  /** The places of a user, in the user's own shard. */
  user(user: string): string {
    return `${this.#tag(this.shardOf(user))}:user:${user}`;
  }

  #tag(shard: number): string {
    return `${this.#prefix}:{${shard}}`;
  }
}

/** Of one connection: what the server lists it under. */
export function connectionMember(sessionId: string, id: string): string {
  return `c${sessionId.length}:${sessionId}${id}`;
}

/** The same again. */
export function connectionFrom(member: string): { sessionId: string; id: string; member: string } {
  const colon = member.indexOf(':');
  const end = colon + 1 + Number(member.slice(1, colon));
  return { sessionId: member.slice(colon + 1, end), id: member.slice(end), member };
}
