/** The memory that threads share, and one thread's place in it. */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { CacheError } from '../errors.js';
import type { ArenaHandle, ArenaStats } from '../store/arena-options.js';
import { type ChangeListener, ChangeLog, logBytes, logHeader } from './change-log.js';
import type { KeyWords } from './key-words.js';
import { type ArenaShape, allocateStripe, shapeOf, viewStripe } from './layout.js';
import { allocateMembers, Members, type MembersMemory, mostMembers } from './members.js';
import { Stripe } from './stripe.js';
import { StripeLock } from './stripe-lock.js';

/** All memory of an arena. */
export interface ArenaMemory {
  readonly shape: ArenaShape;
  readonly stripes: readonly SharedArrayBuffer[];
  readonly members: MembersMemory;
  readonly log: SharedArrayBuffer;
  /** The newest stamp that was given out. */
  readonly stamps: SharedArrayBuffer;
}

/** What the watching thread is told: somebody to watch as well. */
interface WatchRequest {
  readonly id: number;
  readonly port: MessagePort;
}

/**
 * One thread's place in an arena. The thread that has made the arena watches the others by their ports: `close` alone says
 * that a thread has ended. If that thread ends itself, there is nobody left to tell, and all go by the arena.
 */
export class SharedArena {
  readonly memory: ArenaMemory;
  readonly id: number;
  readonly counters: Float64Array;
  readonly members: Members;
  readonly stripes: readonly Stripe[];
  /** Whether nothing is read or stored any more. */
  isOver = false;
  /** To the thread that watches; `undefined` in that thread. */
  readonly #port: MessagePort | undefined;
  readonly #newest: BigInt64Array;

  private constructor(memory: ArenaMemory, id: number, port: MessagePort | undefined) {
    this.memory = memory;
    this.id = id;
    this.members = new Members(memory.members);
    this.counters = this.members.countersOf(id);
    this.#newest = new BigInt64Array(memory.stamps);
    const { shape } = memory;
    const { members } = this;
    this.stripes = memory.stripes.map((each) => new Stripe(viewStripe(each, shape), { shape, members, id }));
    this.#port = port;
    port?.on('close', () => {
      this.isOver = true;
    });
    port?.unref();
  }

  /** Makes an arena. */
  static create(bounds: { readonly maxBytes: number; readonly maxSize: number }): SharedArena {
    const { randomInt } = process.getBuiltinModule('node:crypto');
    const shape = shapeOf(bounds.maxBytes, bounds.maxSize, randomInt(2 ** 32) | 0);
    const members = allocateMembers();
    const memory = {
      ...{ shape, members, log: new SharedArrayBuffer(logBytes), stamps: new SharedArrayBuffer(8) },
      stripes: Array.from({ length: shape.stripes }, () => allocateStripe(shape)),
    };
    const arena = new SharedArena(memory, new Members(members).join()!, undefined);
    for (const stripe of arena.stripes) stripe.initialize();
    return arena;
  }

  /** Takes the place that a handle is for. */
  static attach({ memory, id, port }: ArenaHandle): SharedArena {
    return new SharedArena(memory as ArenaMemory, id, port);
  }

  /** A handle for another thread. @throws CacheError when there are too many */
  share(): ArenaHandle {
    const id = this.members.join();
    if (id === undefined)
      throw new CacheError(
        'ERR_STORAGE',
        `An arena serves at most ${mostMembers} threads at a time: end some, or make another arena`,
      );
    const { port1, port2 } = new MessageChannel();
    const request: WatchRequest = { id, port: port1 };
    if (this.#port === undefined) this.#watch(request);
    else this.#port.postMessage(request, [port1]);
    return { port: port2, id, memory: this.memory };
  }

  /** The changes of other threads, told to the listener. */
  log(listener: ChangeListener): ChangeLog {
    const { members, id } = this;
    return new ChangeLog(this.memory.log, { members, id, listener });
  }

  stripeOf(key: KeyWords): Stripe {
    return this.stripes[key[3]! & (this.stripes.length - 1)]!;
  }

  /** The time of a stamp: later than any that a thread was given before. */
  nextStamp(now: number): number {
    for (;;) {
      const newest = Atomics.load(this.#newest, 0);
      const next = BigInt(Math.max(Math.floor(now), Number(newest) + 1));
      if (Atomics.compareExchange(this.#newest, 0, newest, next) === newest) return Number(next);
    }
  }

  stats(): ArenaStats {
    let [entries, bytes] = [0, 0];
    for (const stripe of this.stripes) {
      entries += stripe.entries;
      bytes += stripe.bytes;
    }
    return { ...this.members.sums(), entries, bytes, threads: this.members.size };
  }

  /** Leaves the arena. The thread that has made it goes on watching the others. */
  close(): void {
    this.isOver = true;
    this.members.leave(this.id);
    this.#port?.close();
  }

  #watch({ id, port }: WatchRequest): void {
    port.on('message', (request: WatchRequest) => this.#watch(request));
    port.on('close', () => this.#ended(id));
    port.unref();
  }

  #ended(id: number): void {
    this.members.leave(id);
    new StripeLock(logHeader(this.memory.log), this.members, this.id).repair(id);
    for (const stripe of this.stripes) {
      stripe.repair(id);
      stripe.wake();
    }
  }
}
