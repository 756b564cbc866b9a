/**
 * How a node stays among the living: it joins, renews its lease in one command per `refresh`, notices when it is over, and
 * joins again under another incarnation, as whatever it held before is lost.
 */

import { randomBytes } from 'node:crypto';
import { type Clock, inBackground, type Timer } from '../clock.js';
import { CacheError } from '../errors.js';
import { onNextTurn } from '../next-turn.js';
import type { LinkSession, RedisLink } from '../remote/redis-link.js';
import { NodeLease } from './node-lease.js';
import type { SessionCommands } from './session-commands.js';
import { asCacheError } from './session-errors.js';

/** What a node lives by. Times in ms. */
export interface NodeLifeInit {
  readonly link: RedisLink;
  readonly commands: SessionCommands;
  readonly clock: Clock;
  readonly ttl: number;
  readonly refresh: number;
  /** A lease has begun. */
  readonly onJoined: (lease: NodeLease) => void;
  /** A lease is over. */
  readonly onLapsed: (lease: NodeLease, cause: CacheError) => void;
  /** The lease has outlived a connection: what the server says that it holds is to be compared with what it does. */
  readonly onReconnected: (lease: NodeLease, session: LinkSession) => Promise<void>;
  /** It was renewed, and these incarnations are dead: since when, by the server's clock in microseconds. */
  readonly onBeat: (lease: NodeLease, dead: ReadonlyMap<string, number>, time: number) => void;
  readonly onError: (error: CacheError) => void;
}

/** The longest pause after a renewal that failed, in ms. */
const longestRetryMs = 1_000;

export class NodeLife {
  /** Begins the names of all its incarnations. */
  readonly id = randomBytes(8).toString('hex');
  readonly #init: NodeLifeInit;
  #lease: NodeLease | undefined;
  #count = 0;
  #beatTimer: Timer | undefined;
  #lapseTimer: Timer | undefined;
  #isBeating = false;
  /** Until when the lease would hold if the renewal that is under way got through. */
  #hopeUntil = 0;
  #isClosed = false;

  constructor(init: NodeLifeInit) {
    this.#init = init;
  }

  /** The lease, if it is held at this very moment. */
  get lease(): NodeLease | undefined {
    const lease = this.#lease;
    if (lease === undefined || lease.isHeld) return lease;
    // Its timer is late: we have stalled.
    this.expire(lease);
    return undefined;
  }

  /** The lease is over by the clock. */
  expire(lease: NodeLease): void {
    this.lapse(lease, expired());
  }

  /** @throws CacheError where this node is not among the living */
  need(): NodeLease {
    const { lease } = this;
    if (lease !== undefined) return lease;
    const { link } = this.#init;
    throw link.isUsable
      ? new CacheError('ERR_STORAGE', 'This node has not joined the others yet, or again: await `open()`')
      : link.problem;
  }

  /** What a new connection begins with. */
  async connected(session: LinkSession): Promise<void> {
    const { lease } = this;
    if (lease !== undefined && (await this.#renew(lease, session))) {
      await this.#init.onReconnected(lease, session);
      if (lease.isHeld) {
        this.#schedule(this.#init.refresh);
        return;
      }
    }
    await this.#join(session);
    this.#schedule(this.#init.refresh);
  }

  /** Nothing can be renewed for now. */
  disconnected(): void {
    this.#beatTimer?.cancel();
  }

  /** The lease is over, be it by the clock or as others have found it so. */
  lapse(lease: NodeLease, cause: CacheError): void {
    if (lease.lostBy !== undefined) return;
    lease.end(cause);
    if (this.#lease === lease) this.#lease = undefined;
    this.#lapseTimer?.cancel();
    this.#init.onLapsed(lease, cause);
    // It joins again soon, if it can; a new connection does so by itself.
    if (!this.#isClosed && this.#init.link.isReady) this.#schedule(0);
  }

  /** Leaves at once, so that others need not wait. */
  async leave(cause: CacheError): Promise<void> {
    this.#isClosed = true;
    this.#beatTimer?.cancel();
    const lease = this.#lease;
    if (lease === undefined) return;
    this.lapse(lease, cause);
    await this.#init.commands.bury(lease.incarnation, true);
  }

  #schedule(ms: number): void {
    this.#beatTimer?.cancel();
    if (this.#isClosed) return;
    this.#beatTimer = this.#init.clock.schedule(() => void inBackground(() => this.#beat()), ms);
  }

  async #beat(): Promise<void> {
    const { link, refresh, onError } = this.#init;
    if (this.#isBeating || !link.isReady) return;
    this.#isBeating = true;
    let pause = refresh;
    try {
      const { lease } = this;
      if (lease === undefined || !(await this.#renew(lease))) await this.#join();
    } catch (error) {
      // Of an outage the link tells, once.
      if (link.isUsable) onError(asCacheError(error, 'This node could not tell Redis that it is alive'));
      pause = Math.min(refresh / 4, longestRetryMs) * (0.5 + Math.random());
    } finally {
      this.#isBeating = false;
      if (link.isReady) this.#schedule(pause);
    }
  }

  /** Whether the lease is held on. */
  async #renew(lease: NodeLease, via?: LinkSession): Promise<boolean> {
    const { commands, clock, ttl, onBeat } = this.#init;
    const sentAt = clock.elapsed();
    this.#hopeUntil = sentAt + ttl;
    try {
      const { isLive, time, dead } = await commands.beat('renew', lease.incarnation, via);
      if (lease.lostBy !== undefined) return false;
      if (!isLive) {
        this.lapse(
          lease,
          new CacheError(
            'ERR_SESSION_LOST',
            'Redis does not know this node any more: it was given up, or lost data',
          ),
        );
        return false;
      }
      lease.renewed(sentAt, time);
      this.#watch(lease);
      if (lease.isHeld) onBeat(lease, dead, time);
      return lease.isHeld;
    } finally {
      this.#hopeUntil = 0;
    }
  }

  async #join(via?: LinkSession): Promise<void> {
    if (this.#isClosed) return;
    const { commands, clock, ttl, onJoined, onBeat } = this.#init;
    const incarnation = `${this.id}.${++this.#count}`;
    const sentAt = clock.elapsed();
    const { isLive, time, dead } = await commands.beat('join', incarnation, via);
    const lease = new NodeLease(incarnation, { clock, ttl, sentAt, time });
    // A new connection may have joined meanwhile: one stay at a time, and this one ends by itself.
    if (!isLive || !lease.isHeld || this.#isClosed || this.lease !== undefined) return;
    this.#lease = lease;
    this.#watch(lease);
    onJoined(lease);
    onBeat(lease, dead, time);
  }

  #watch(lease: NodeLease): void {
    this.#lapseTimer?.cancel();
    const { clock } = this.#init;
    const end = () => {
      if (!lease.isHeld) this.expire(lease);
      else this.#watch(lease);
    };
    const due = () => {
      // If we have stalled, the answer to a renewal that was sent in time may lie unread.
      if (!lease.isHeld && this.#hopeUntil > clock.elapsed()) onNextTurn(end);
      else end();
    };
    this.#lapseTimer = clock.schedule(due, Math.max(0, lease.msLeft));
  }
}

function expired(): CacheError {
  return new CacheError(
    'ERR_SESSION_LOST',
    'The lease of this node has run out: Redis did not answer in time, or this process stood still',
  );
}
