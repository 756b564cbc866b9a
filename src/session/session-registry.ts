/** The registry of one node: what it holds, what others hold, and what is told about it. No algorithm. */

import { randomUUID } from 'node:crypto';
import { inBackground } from '../clock.js';
import { CacheClosedError, CacheError, InvalidArgumentError } from '../errors.js';
import { functionOf, integer, objectOf, refuseUnknown, shown } from '../option-checks.js';
import { RedisLink } from '../remote/redis-link.js';
import { locatorOf } from '../remote/redis-remote.js';
import { createValueCodec } from '../value/codec.js';
import { HeldSessions } from './held-sessions.js';
import type { NodeLease } from './node-lease.js';
import { NodeLife } from './node-life.js';
import { SessionClaims } from './session-claims.js';
import { SessionCommands } from './session-commands.js';
import { type ConnectionLease, SessionConnections } from './session-connections.js';
import { asCacheError } from './session-errors.js';
import type { SessionLease } from './session-lease.js';
import { type SessionFilter, SessionListing } from './session-listing.js';
import { SessionMessages } from './session-messages.js';
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  type SessionOptions,
} from './session-options.js';
import type { AdoptReply } from './session-replies.js';
import { sessionScripts } from './session-scripts.js';
import {
  type SessionConnection,
  SessionEventHub,
  type SessionEvents,
  type SessionNode,
  type SessionOwner,
  type SessionTypes,
} from './session-types.js';
import { Takeover } from './takeover.js';
import { UserPlaces } from './user-places.js';

/** How a session is claimed. */
export interface ClaimOptions {
  /** Whose session it is. */
  readonly user?: string | undefined;
  /**
   * How many sessions the user may have at a time, this one included; needs `user`.
   * @default no limit
   */
  readonly limit?: number | undefined;
}

/** How a connection is registered. */
export interface ConnectOptions {
  /**
   * Its id within the session. One that is there already is replaced.
   * @default a random one
   */
  readonly id?: string | undefined;
  /**
   * How many connections the session may have at a time, this one included.
   * @default no limit
   */
  readonly limit?: number | undefined;
}

/**
 * Who holds which session, among all nodes that share a Redis and a `prefix`. Usable at once; claims reject until the node has
 * joined the others, which `open` waits for.
 */
export class SessionRegistry<T extends SessionTypes = SessionTypes> {
  /** The name of this node. */
  readonly node: string;
  /** Messages between the nodes. */
  readonly messages: SessionMessages<T>;
  readonly #adopt: ResolvedSessionOptions<T>['adopt'];
  readonly #link: RedisLink;
  readonly #commands: SessionCommands;
  readonly #held: HeldSessions;
  readonly #life: NodeLife;
  readonly #takeover: Takeover;
  readonly #claims: SessionClaims;
  readonly #connections: SessionConnections;
  readonly #listing: SessionListing;
  readonly #places: UserPlaces;
  readonly #events = new SessionEventHub();
  #closing: Promise<void> | undefined;

  /** One server's part of the registry. @throws InvalidOptionError naming the option, its value and the fix */
  constructor(options: SessionOptions<T> = {}) {
    const resolved = resolveSessionOptions(options);
    const { redis, prefix, node, ttl, refresh, timeout, shards, wait, stateTtl, clock, serverTime } =
      resolved;
    this.node = node;
    this.#adopt = resolved.adopt;
    const codec = createValueCodec(resolved.codecs);
    const onError = (error: CacheError) => this.#failed(error);
    const channels = new Set<string>();
    const link = new RedisLink({
      times: { timeout, heartbeat: Math.min(refresh, 1_000) },
      ...{ clock, channels, scripts: Object.values(sessionScripts), onError },
      locate: locatorOf(redis),
      onMessage: (message, channel) => this.#hear(message, channel),
      onConnected: async (session) => {
        await this.#commands.compareClocks(session);
        await this.#life.connected(session);
      },
      onLost: () => this.#life.disconnected(),
      onUsable: () => undefined,
    });
    const commands = new SessionCommands({
      ...{ link, prefix, database: redis.database, shards, node, ttl, timeout, wait, stateTtl },
      ...{ isAdopting: this.#adopt !== undefined, serverTime },
    });
    channels.add(commands.events);
    // What was sent takes no effect after the one; after the other it is looked at what came of it.
    const [claimMs, settleMs] = [timeout + 1_000, timeout * 2 + 2_000];
    const held = new HeldSessions({ commands, clock, settleMs, claimMs });
    const life = new NodeLife({
      ...{ link, commands, clock, ttl, refresh, onError },
      onJoined: ({ incarnation }) => this.#events.emit('joined', { node, incarnation }),
      onLapsed: (lease, cause) => this.#lapsed(lease, cause),
      onReconnected: (lease, session) => held.compareAll(lease, session),
      onBeat: (lease, dead, time) => this.#beat(lease, dead, time),
    });
    const places = new UserPlaces(commands, claimMs * 4, () => life.id);
    this.#claims = new SessionClaims({ commands, codec, held, life, places, claimMs, onError });
    this.#connections = new SessionConnections({ commands, held, life, claimMs, onError });
    this.#listing = new SessionListing(commands, places);
    this.#takeover = new Takeover({
      ...{ commands, held, clock, claimMs, onError },
      lease: () => life.lease,
      isUsable: () => link.isUsable,
      isAdopting: this.#adopt !== undefined,
      // By then those who adopt have been found dead if they are.
      patienceMs: ttl + refresh,
      onAdopted: (lease, orphan) => this.#adopted(lease, orphan),
      onFreed: async (lease, users) => {
        for (const user of users) await places.giveBackUnused(user, lease.serverNow);
      },
    });
    this.messages = new SessionMessages<T>({
      ...{ commands, codec, clock, node, id: life.id, channels, onError },
      subscribe: () => link.subscribe(),
    });
    [this.#link, this.#commands, this.#held, this.#life, this.#places] = [link, commands, held, life, places];
    link.start();
  }

  /** A registry that has joined the others. Rejects where Redis can't be reached. */
  static async open<T extends SessionTypes = SessionTypes>(
    options: SessionOptions<T> = {},
  ): Promise<SessionRegistry<T>> {
    const registry = new SessionRegistry<T>(options);
    try {
      await registry.open();
      return registry;
    } catch (error) {
      await registry.close();
      throw error;
    }
  }

  /** Resolves once this node has joined the others; rejects with why it has not after the first attempt has failed. */
  async open(): Promise<void> {
    this.#assertOpen();
    await this.#link.opened();
    this.#life.need();
  }

  /** This node's stay among the living, while it is alive. */
  get incarnation(): string | undefined {
    return this.#life.lease?.incarnation;
  }

  /**
   * Claims a session that nobody holds, or whose holder is dead. `undefined` where somebody holds it: this node too. Rejects with
   * `SessionLimitError` where the user has as many as there may be, and with `ERR_STORAGE` where Redis does not answer.
   */
  async claim(id: string, options: ClaimOptions = {}): Promise<SessionLease<T> | undefined> {
    this.#assertOpen();
    nameOf(id, 'a session id');
    const { user, limit } = objectOf(options, 'the options of `claim`');
    refuseUnknown(options, ['user', 'limit'], { of: 'claim()' });
    if (user !== undefined) nameOf(user, '`user`');
    if (limit !== undefined) integer(limit, 'limit');
    if (limit !== undefined && user === undefined)
      throw new InvalidArgumentError(
        'Expected `user` with `limit`, got none: say whose sessions are counted',
      );
    return (await this.#claims.claim(id, { user, limit })) as SessionLease<T> | undefined;
  }

  /** The lease of a session that this node holds. */
  held(id: string): SessionLease<T> | undefined {
    const lease = this.#held.session(id);
    return lease?.isHeld === true ? (lease as SessionLease<T>) : undefined;
  }

  /** Who holds a session; `undefined` where nobody does. */
  async owner(id: string): Promise<SessionOwner | undefined> {
    return await this.#listing.owner(nameOf(id, 'a session id'));
  }

  /** All sessions that are held, by whichever nodes; those of one user or node with `{ user }` or `{ node }`. */
  list(filter: SessionFilter = {}): AsyncGenerator<SessionOwner, void, void> {
    refuseUnknown(objectOf(filter, 'the filter of `list`'), ['user', 'node'], { of: 'list()' });
    return this.#listing.list(filter);
  }

  /** How many sessions a user has now. */
  async count(user: string): Promise<number> {
    return (await this.#places.sessionsOf(nameOf(user, '`user`'))).length;
  }

  /** The nodes that are alive. */
  async nodes(): Promise<SessionNode[]> {
    return await this.#listing.nodes();
  }

  /**
   * Registers a connection to a client under a session, which any node may hold. Rejects with `SessionLimitError` where the session
   * has as many as there may be, and with `ERR_STORAGE` where Redis does not answer.
   */
  async connect(sessionId: string, options: ConnectOptions = {}): Promise<ConnectionLease> {
    this.#assertOpen();
    refuseUnknown(objectOf(options, 'the options of `connect`'), ['id', 'limit'], { of: 'connect()' });
    const { id = randomUUID(), limit } = options;
    if (limit !== undefined) integer(limit, 'limit');
    return await this.#connections.attach(nameOf(sessionId, 'a session id'), nameOf(id, '`id`'), limit);
  }

  /** The connections of a session, on whichever nodes. */
  async connections(sessionId: string): Promise<SessionConnection[]> {
    return await this.#listing.connections(nameOf(sessionId, 'a session id'));
  }

  /** Listens to an event; call what it returns, to stop. */
  on<N extends keyof SessionEvents>(event: N, listener: (event: SessionEvents[N]) => unknown): () => void {
    if (!this.#events.knows(event))
      throw new InvalidArgumentError(`Unknown event ${shown(event)}. Known: orphaned, joined, lapsed, error`);
    return this.#events.on(event, functionOf(listener, `the listener of ${event}`));
  }

  /** Gives everything up at once, so that others can take it over within a second, and ends the connections. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes it at the end of its block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const cause = new CacheClosedError('The registry of sessions was closed');
    this.#takeover.close();
    this.messages.close(cause);
    try {
      await this.#life.leave(cause);
    } catch (error) {
      // Others find out when its time is over.
      this.#failed(asCacheError(error, 'This node could not say that it leaves'));
    }
    this.#link.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined)
      throw new CacheClosedError('The registry of sessions is closed: make another one');
  }

  #lapsed({ incarnation }: NodeLease, cause: CacheError): void {
    this.#held.loseAll(cause);
    this.#events.emit('lapsed', { incarnation, cause });
  }

  #beat(lease: NodeLease, dead: ReadonlyMap<string, number>, time: number): void {
    this.#takeover.noteAll(dead, time);
    // A new connection has compared everything already.
    if (!this.#link.isUsable) return;
    this.#held
      .settle(lease)
      .catch((error: unknown) => this.#failed(asCacheError(error, 'What Redis has could not be compared')));
  }

  #adopted(node: NodeLease, orphan: AdoptReply): void {
    const lease = this.#claims.adopted(node, orphan) as SessionLease<T> | undefined;
    if (lease === undefined) return;
    inBackground(async () => {
      try {
        await this.#adopt?.(lease);
      } catch (error) {
        this.#failed(asCacheError(error, `\`adopt\` failed for the session \`${lease.id}\``));
        await lease.release();
      }
    });
  }

  #hear(message: Buffer, channel: Buffer): void {
    if (String(channel) !== this.#commands.events) {
      this.messages.hear(message);
      return;
    }
    try {
      const text = String(message);
      if (text.startsWith('d')) this.#buried(text.slice(1));
      else if (text.startsWith('o')) this.#orphaned(JSON.parse(text.slice(1)) as OrphanNews);
    } catch (error) {
      this.#failed(asCacheError(error, 'What was told of other nodes could not be read'));
    }
  }

  #buried(incarnation: string): void {
    const { lease } = this.#life;
    if (lease?.incarnation !== incarnation) this.#takeover.note(incarnation);
    else this.#life.lapse(lease, new CacheError('ERR_SESSION_LOST', 'Others have given this node up'));
  }

  #orphaned({ from, by, node, sessions }: OrphanNews): void {
    for (const { id, fence, user } of sessions) {
      const own = this.#held.session(id);
      if (own !== undefined && own.incarnation !== by && Number(fence) > own.fence)
        own.lose(undefined, 'somebody else has claimed it');
      this.#events.emit('orphaned', { id, user, from, takenBy: by === '' ? undefined : node });
    }
  }

  #failed(error: CacheError): void {
    this.#events.emit('error', error);
  }
}

/** What scripts publish about orphans. */
interface OrphanNews {
  readonly from: string;
  /** The incarnation that has taken them over, `''` for none. */
  readonly by: string;
  readonly node: string;
  readonly sessions: readonly { readonly id: string; readonly fence: string; readonly user?: string }[];
}

/** @throws InvalidArgumentError for what can't be told apart from another name once it is written as UTF-8 */
function nameOf(name: string, what: string): string {
  if (typeof name === 'string' && name !== '' && name.length <= 512 && name.isWellFormed()) return name;
  throw new InvalidArgumentError(
    `Expected ${what} to be a well-formed string of 1 to 512 letters, got ${shown(name)}`,
  );
}
