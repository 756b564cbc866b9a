/** Waits until replicas have what was written: makes a failover that loses it rarer. */

import { CacheError } from '../errors.js';
import type { RedisLink } from '../remote/redis-link.js';

export interface ReplicaWaitInit {
  readonly link: RedisLink;
  /** How many must have it. */
  readonly replicas: number;
  /** How long they have, in ms. */
  readonly waitMs: number;
}

/** Of one server: one `WAIT` at a time, as renewals wait behind it; what is written meanwhile shares the next. */
interface ServerWaits {
  last: Promise<unknown>;
  next: Promise<unknown> | undefined;
}

export class ReplicaWait {
  readonly #init: ReplicaWaitInit;
  /** The connections that were written over: of what went over others, they tell nothing. */
  #connections: object | undefined;
  #servers = new Map<number, ServerWaits>();

  constructor(init: ReplicaWaitInit) {
    this.#init = init;
  }

  /**
   * Resolves once replicas of the server that has a key have what was written there.
   * @throws CacheError where too few have it in time
   */
  async until(key: string): Promise<void> {
    const { link, replicas } = this.#init;
    if (replicas === 0) return;
    const { connections } = link;
    if (connections !== this.#connections) [this.#connections, this.#servers] = [connections, new Map()];
    const at = link.nodeOf(key);
    const server = this.#servers.get(at) ?? { last: Promise.resolve(), next: undefined };
    this.#servers.set(at, server);
    server.next ??= server.last.then(() => {
      server.next = undefined;
      const reply = this.#ask(connections, at);
      const isOver = () => undefined;
      server.last = reply.then(isOver, isOver);
      return reply;
    });
    const reply = Number(await server.next);
    if (reply >= replicas) return;
    throw new CacheError('ERR_STORAGE', `Expected ${replicas} replicas to have it in time, got ${reply}`);
  }

  #ask(connections: object | undefined, at: number): Promise<unknown> {
    const { link, replicas, waitMs } = this.#init;
    if (link.connections === connections)
      return link.inTime(() => link.command(['WAIT', String(replicas), String(waitMs)], at));
    const message = 'The connection was lost before it was known how many replicas have it';
    return Promise.reject(new CacheError('ERR_STORAGE', message));
  }
}
