/** Turns to load a key, among all machines: who has the token loads, the others are woken by message. */

import { randomBytes } from 'node:crypto';
import { type Clock, systemClock, type Timer } from '../clock.js';
import type { Stamp } from '../stamp.js';
import type { LeaseVerdict, LoadLease, LoadLeaseRequest, LoadTicket } from '../tier.js';
import { stampFrom } from './redis-value.js';

/** What turns are taken with. */
export interface RedisTurnsInit {
  readonly writer: string;
  readonly clock: Clock;
  /** How long a token holds without being renewed, in ms. */
  readonly leaseMs: number;
  /** How long one load waits for another, in ms. */
  readonly waitTimeout: number;
  readonly leases: Leases;
}

/** How tokens are had from the server. */
export interface Leases {
  /** Asks for one; `unknown` where there is no answer, which was counted. */
  take(request: LeaseArguments): Promise<LeaseReply>;
  release(ticket: RedisTicket): Promise<void>;
  /** Whether the token is still there. */
  renew(ticket: RedisTicket): Promise<boolean>;
}

/** How a lease ended. */
export interface LeaseReply {
  readonly outcome: 'load' | 'renew' | 'held' | 'value' | 'foreign' | 'unknown';
  /** Of the token, 16 digits; of the value where one is there, 32 characters. */
  readonly stamp: string;
}

export interface LeaseArguments {
  readonly key: string;
  readonly token: string;
  readonly mode: 'n' | 'f' | 'u';
  readonly known: Stamp | undefined;
}

/** The right to store one result. */
export class RedisTicket implements LoadTicket {
  readonly key: string;
  readonly method: string;
  readonly token: string;
  readonly stamp: Stamp;
  /** Whether the token lies under the key itself, or beside the value that is renewed. */
  readonly outcome: 'load' | 'renew' | 'held';
  /** Which of this machine's loads it is of. */
  readonly order: number;
  isVoid = false;
  /** Whether a value is being stored under it, or it was given back. */
  isUsed = false;

  constructor(init: Pick<RedisTicket, 'key' | 'method' | 'token' | 'stamp' | 'outcome' | 'order'>) {
    this.key = init.key;
    this.method = init.method;
    this.token = init.token;
    this.stamp = init.stamp;
    this.outcome = init.outcome;
    this.order = init.order;
  }

  get mayFill(): boolean {
    return this.outcome !== 'held' && !this.isVoid && !this.isUsed;
  }
}

interface Attempt {
  readonly outcome: LeaseReply['outcome'];
  readonly ticket?: RedisTicket;
  /** The stamp of the value that is there. */
  readonly found?: Stamp;
}

/** Without a message, who waits asks again after about so long, in ms. */
const pollMs = 400;

export class RedisTurns {
  readonly #init: RedisTurnsInit;
  readonly #held = new Map<string, RedisTicket>();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Keys of which a value was found that can't be read. */
  readonly #unreadable = new Set<string>();
  #renewal: Timer | undefined;
  #number = 0;
  #turns = 0;

  constructor(init: RedisTurnsInit) {
    this.#init = init;
  }

  /** A value of this key could not be read: its load may take its place. */
  noteUnreadable(key: string): void {
    if (this.#unreadable.size < 10_000) this.#unreadable.add(key);
  }

  take(load: LoadLeaseRequest, maySkip: () => boolean): LoadLease {
    this.#turns += 1;
    return new RedisTurn(this, { load, maySkip, order: this.#turns });
  }

  /** A load of this key is over, or it was changed. */
  wake(key: string): void {
    for (const wake of [...(this.#waiting.get(key) ?? [])]) wake();
  }

  /** This machine has changed a key: what is being loaded for it is not to be stored. */
  voidOf(key: string): void {
    const ticket = this.#held.get(key);
    if (ticket === undefined) return;
    ticket.isVoid = true;
    this.#held.delete(key);
  }

  /** The connection was lost, and with it the right to store. */
  voidAll(): void {
    for (const ticket of this.#held.values()) ticket.isVoid = true;
    this.#held.clear();
    for (const key of [...this.#waiting.keys()]) this.wake(key);
  }

  /** A value is being stored under a ticket: it is not renewed any more. */
  use(ticket: RedisTicket): void {
    ticket.isUsed = true;
    if (this.#held.get(ticket.key) === ticket) this.#held.delete(ticket.key);
  }

  /** Gives a ticket back under which nothing was stored. */
  end(ticket: RedisTicket | undefined): void {
    if (ticket?.mayFill !== true) return;
    this.use(ticket);
    void this.#init.leases.release(ticket);
  }

  /** Gives all back, as nothing will be stored any more: others need not wait until they end. */
  async endAll(): Promise<void> {
    const tickets = [...this.#held.values()];
    for (const ticket of tickets) this.use(ticket);
    await Promise.all(tickets.map((ticket) => this.#init.leases.release(ticket)));
  }

  /** One attempt to get the token of a key. */
  async attempt(load: LoadLeaseRequest, known: Stamp | undefined, order: number): Promise<Attempt> {
    const { key, method, isForced = false } = load;
    const { writer } = this.#init;
    const other = this.#held.get(key);
    // Of two loads of this machine the earlier was overtaken. It may wait for the later, which must not wait for it.
    if (other !== undefined && other.order > order) return { outcome: 'unknown' };
    this.end(other);
    const token = `T0${randomBytes(8).toString('hex')}${(++this.#number).toString(36)}`;
    const mode = isForced ? 'f' : this.#unreadable.delete(key) ? 'u' : 'n';
    const { outcome, stamp } = await this.#init.leases.take({ key, token, mode, known });
    if (outcome === 'value') return { outcome, found: stampFrom(stamp) };
    if (outcome === 'foreign' || outcome === 'unknown') return { outcome };
    const own = { time: Number(stamp), writer };
    const ticket = new RedisTicket({ key, method, token, stamp: own, outcome, order });
    if (outcome === 'held') return { outcome, ticket };
    this.voidOf(key);
    this.#held.set(key, ticket);
    this.#scheduleRenewal();
    return { outcome, ticket };
  }

  get times(): Pick<RedisTurnsInit, 'clock' | 'waitTimeout'> {
    return this.#init;
  }

  /** Resolves when the key is over, after a while, or when nobody waits any more. Begin before asking. */
  listen(key: string, signal: AbortSignal): { wait(ms: number): Promise<void>; end(): void } {
    let isWoken = false;
    let resolve: (() => void) | undefined;
    const wake = () => {
      isWoken = true;
      resolve?.();
    };
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(wake));
    signal.addEventListener('abort', wake, { once: true });
    return {
      wait: (ms) =>
        new Promise<void>((resolved) => {
          // A tool call waits for it.
          const timer = systemClock.schedule(() => resolve?.(), ms, { holdsProcess: true });
          resolve = () => {
            timer.cancel();
            isWoken = false;
            resolved();
          };
          if (isWoken || signal.aborted) resolve();
        }),
      end: () => {
        signal.removeEventListener('abort', wake);
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      },
    };
  }

  #scheduleRenewal(): void {
    if (this.#renewal !== undefined) return;
    this.#renewal = systemClock.schedule(() => void this.#renewAll(), this.#init.leaseMs / 3);
  }

  async #renewAll(): Promise<void> {
    const tickets = [...this.#held.values()];
    await Promise.all(
      tickets.map(async (ticket) => {
        const isThere = await this.#init.leases.renew(ticket).catch(() => true);
        if (isThere) return;
        ticket.isVoid = true;
        if (this.#held.get(ticket.key) === ticket) this.#held.delete(ticket.key);
      }),
    );
    this.#renewal = undefined;
    if (this.#held.size > 0) this.#scheduleRenewal();
  }
}

class RedisTurn implements LoadLease {
  ticket: RedisTicket | undefined;
  readonly #turns: RedisTurns;
  readonly #load: LoadLeaseRequest;
  readonly #maySkip: () => boolean;
  readonly #order: number;
  #known: Stamp | undefined;
  readonly #until: number;

  constructor(
    turns: RedisTurns,
    init: { readonly load: LoadLeaseRequest; readonly maySkip: () => boolean; readonly order: number },
  ) {
    const { load } = init;
    this.#turns = turns;
    this.#load = load;
    this.#maySkip = init.maySkip;
    this.#order = init.order;
    this.#known = load.known;
    const { clock, waitTimeout } = turns.times;
    this.#until = clock.elapsed() + waitTimeout;
  }

  async next(): Promise<LeaseVerdict> {
    const { key, signal, isNested } = this.#load;
    const listening = this.#turns.listen(key, signal);
    try {
      for (;;) {
        if (this.#maySkip()) return 'load-alone';
        const { outcome, ticket, found } = await this.#turns.attempt(this.#load, this.#known, this.#order);
        this.ticket = ticket;
        if (outcome === 'load' || outcome === 'renew') return 'load';
        // If it won't do, only something newer will.
        this.#known = found ?? this.#known;
        if (outcome === 'value') return 'look-again';
        if (outcome !== 'held') return 'load-alone';
        const left = this.#until - this.#turns.times.clock.elapsed();
        if (left <= 0 || isNested || signal.aborted) return 'load-alone';
        await listening.wait(Math.min(left, pollMs * (0.75 + Math.random() / 2)));
      }
    } finally {
      listening.end();
    }
  }

  end(): void {
    this.#turns.end(this.ticket);
  }
}
