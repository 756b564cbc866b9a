/** Who holds what, as the server has it: found by the nodes that hold it, never by going through all keys. */

import { type SessionCommands, slice } from './session-commands.js';
import type { SessionConnection, SessionNode, SessionOwner } from './session-types.js';
import type { UserPlaces } from './user-places.js';

/** Which sessions are listed: all, unless one of these is given. */
export interface SessionFilter {
  /** Those of a user. */
  readonly user?: string;
  /** Those that a node holds: its name, or one of its incarnations. */
  readonly node?: string;
}

export class SessionListing {
  readonly #commands: SessionCommands;
  readonly #places: UserPlaces;

  constructor(commands: SessionCommands, places: UserPlaces) {
    this.#commands = commands;
    this.#places = places;
  }

  async owner(id: string): Promise<SessionOwner | undefined> {
    const [owner] = await this.#owners([id]);
    if (owner === undefined) return undefined;
    return { ...owner, isAlive: await this.#commands.isAlive(owner.incarnation) };
  }

  async nodes(): Promise<SessionNode[]> {
    const { living, about } = await this.#commands.nodes();
    return living.map((incarnation) => ({ incarnation, node: nameIn(about.get(incarnation)) }));
  }

  async connections(sessionId: string): Promise<SessionConnection[]> {
    const found = await this.#commands.connections(sessionId);
    return found.map(([id, about]) => {
      const [, incarnation = '', since = '', node = ''] = /^(\S+) (\d+) (.*)$/s.exec(about) ?? [];
      return { id, node, incarnation, since: msFrom(since) };
    });
  }

  async *list({ user, node }: SessionFilter): AsyncGenerator<SessionOwner, void, void> {
    const { living, dead, about } = await this.#commands.nodes();
    const alive = new Set(living);
    const wanted = (owner: Omit<SessionOwner, 'isAlive'>) =>
      (user === undefined || owner.user === user) &&
      (node === undefined || owner.node === node || owner.incarnation === node);
    const complete = (owners: readonly (Omit<SessionOwner, 'isAlive'> | undefined)[]) =>
      owners.flatMap((owner) =>
        owner !== undefined && wanted(owner) ? [{ ...owner, isAlive: alive.has(owner.incarnation) }] : [],
      );
    if (user !== undefined) {
      yield* complete(await this.#owners(await this.#places.sessionsOf(user)));
      return;
    }
    for (const incarnation of [...living, ...dead]) {
      if (node !== undefined && incarnation !== node && nameIn(about.get(incarnation)) !== node) continue;
      for (let shard = 0; shard < this.#commands.shards; shard += 1) {
        const held = await this.#commands.holdings(shard, incarnation);
        const ids = held.flatMap(({ member }) => (member.startsWith('s') ? [member.slice(1)] : []));
        for (let at = 0; at < ids.length; at += slice) {
          const owners = await this.#owners(ids.slice(at, at + slice));
          // One that has gone on meanwhile is listed with whoever has it.
          yield* complete(owners.filter((owner) => owner?.incarnation === incarnation));
        }
      }
    }
  }

  async #owners(ids: readonly string[]): Promise<(Omit<SessionOwner, 'isAlive'> | undefined)[]> {
    const found = await this.#commands.fields(ids, 'i', 'f', 'n', 'u', 't');
    return found.map(([incarnation, fence, node, user, since], at) => {
      if (incarnation == null) return undefined;
      return {
        id: ids[at]!,
        node: String(node),
        incarnation: String(incarnation),
        fence: Number(fence),
        user: user == null ? undefined : String(user),
        since: msFrom(String(since)),
      };
    });
  }
}

function nameIn(about: string | undefined): string {
  return about?.replace(/^\d+ /, '') ?? '';
}

function msFrom(micros: string): number {
  return Math.floor(Number(micros) / 1_000);
}
