/** How this node comes by sessions, and gives them back. */

import type { CacheError } from '../errors.js';
import type { ValueCodec } from '../value/codec.js';
import type { HeldSessions } from './held-sessions.js';
import type { NodeLease } from './node-lease.js';
import type { NodeLife } from './node-life.js';
import type { SessionCommands } from './session-commands.js';
import { asCacheError, SessionLostError } from './session-errors.js';
import { SessionLease, type SessionLeaseHost } from './session-lease.js';
import type { AdoptReply, ClaimReply } from './session-replies.js';
import type { UserPlace, UserPlaces } from './user-places.js';

/** What sessions are claimed with. */
export interface SessionClaimsInit {
  readonly commands: SessionCommands;
  readonly codec: ValueCodec;
  readonly held: HeldSessions;
  readonly life: NodeLife;
  readonly places: UserPlaces;
  /** How long a claim that was sent may still take effect, in ms. */
  readonly claimMs: number;
  readonly onError: (error: CacheError) => void;
}

/** How often a claim is tried again when another has come between. */
const tries = 5;

export class SessionClaims {
  readonly #init: SessionClaimsInit;
  /** Claims under way, by session: one goes after the other. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #placeOf = new WeakMap<SessionLease, UserPlace>();
  readonly #host: SessionLeaseHost;

  constructor(init: SessionClaimsInit) {
    this.#init = init;
    const { commands, codec, held } = init;
    this.#host = {
      commands,
      codec,
      onExpired: (node) => init.life.expire(node),
      onLost: (lease) => held.removeSession(lease),
      giveBack: (lease, keepState) => this.#giveBack(lease, keepState),
    };
  }

  /** `undefined` where somebody holds it. */
  async claim(
    id: string,
    whose: { user: string | undefined; limit: number | undefined },
  ): Promise<SessionLease | undefined> {
    for (;;) {
      const before = this.#underWay.get(id);
      if (before === undefined) break;
      await before;
    }
    const claimed = this.#claim(id, whose);
    const settled = claimed.then(
      () => undefined,
      () => undefined,
    );
    this.#underWay.set(id, settled);
    try {
      return await claimed;
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** An orphan has come to this node. */
  adopted(node: NodeLease, { id, fence, user }: AdoptReply): SessionLease | undefined {
    if (!node.isHeld) return undefined;
    return this.#hold(node, id, fence, user);
  }

  async #claim(
    id: string,
    { user, limit }: { user: string | undefined; limit: number | undefined },
  ): Promise<SessionLease | undefined> {
    const { held, life, places, commands, onError } = this.#init;
    const node = life.need();
    if (held.session(id) !== undefined) return undefined;
    const place = user === undefined ? undefined : await places.take(user, id, limit);
    // Until the lease is held here, nobody is to take what Redis lists for something that nobody knows of.
    const [reply, lease] = await held.pending([`s${id}`], async () => {
      try {
        const answer = await this.#ask(node, id, place);
        if (answer.outcome !== 'claimed' || !node.isHeld) return [answer, undefined] as const;
        return [answer, this.#hold(node, id, answer.fence, answer.user)] as const;
      } catch (error) {
        // It may have been claimed: then it is set free by and by, and its place too.
        held.noteUnsure(commands.shardOf(id), {
          ...(place !== undefined && { after: () => places.giveBackUnheld(place) }),
        });
        throw error;
      }
    });
    if (reply.outcome !== 'claimed') {
      if (place !== undefined) await inBackground(places.giveBack(place), onError);
      return undefined;
    }
    if (lease === undefined)
      throw new SessionLostError(id, `The session \`${id}\` was claimed, but this node has lapsed meanwhile`);
    if (place !== undefined) this.#placeOf.set(lease, place);
    if (reply.formerUser !== '' && reply.formerUser !== reply.user)
      void inBackground(places.giveBackUnused(reply.formerUser, node.serverNow), onError);
    return lease;
  }

  async #ask(node: NodeLease, id: string, place: UserPlace | undefined): Promise<ClaimReply> {
    const { commands, claimMs } = this.#init;
    let dead = '';
    for (let left = tries; ; left -= 1) {
      // Whoever is dead may have been seen to already: what it claimed now, nobody would find.
      if (!node.isHeld) throw new SessionLostError(id, `This node has lapsed before \`${id}\` was claimed`);
      const { incarnation, notAfter } = node.claimant(claimMs);
      const by = { incarnation, notAfter: Math.min(notAfter, place?.keptUntil ?? notAfter) };
      const reply = await commands.claim(by, { id, user: place?.user, dead });
      if (reply.outcome === 'claimed' || left <= 1) return reply;
      // What it holds without knowing of it was a claim of which no answer came.
      const isFree = reply.incarnation === incarnation || (await commands.bury(reply.incarnation));
      if (!isFree) return reply;
      dead = reply.fence;
    }
  }

  #hold(node: NodeLease, id: string, fence: string, user: string): SessionLease {
    const { held } = this.#init;
    held.session(id)?.lose(undefined, 'it was claimed anew');
    const lease = new SessionLease(this.#host, node, {
      id,
      fence: Number(fence),
      user: user === '' ? undefined : user,
    });
    held.addSession(lease);
    return lease;
  }

  async #giveBack(lease: SessionLease, keepState: boolean): Promise<void> {
    const { commands, held, places, life, onError } = this.#init;
    const { id, incarnation, fence, user } = lease;
    const place = this.#placeOf.get(lease);
    try {
      await commands.release(id, { incarnation, fence, keepState });
      const now = life.lease?.serverNow;
      if (user !== undefined && now !== undefined)
        await places.giveBackOf(user, id, { known: place?.text, now });
    } catch (error) {
      // Sent again before anything is compared: else it would be set free with its state.
      held.noteUnsure(commands.shardOf(id), {
        before: (via) => commands.release(id, { incarnation, fence, keepState }, via),
        ...(place !== undefined && { after: () => places.giveBackUnheld(place) }),
      });
      onError(asCacheError(error, `The session \`${id}\` could not be given back yet`));
    }
  }
}

function inBackground(task: Promise<void>, onError: (error: CacheError) => void): Promise<void> {
  return task.catch((error: unknown) =>
    onError(asCacheError(error, 'The place of a session could not be given back yet')),
  );
}
