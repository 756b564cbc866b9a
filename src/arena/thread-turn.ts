/** Loading in turn: of all threads one loads a key, and the others wait for what comes of it. */

import type { Clock } from '../clock.js';
import type { LeaseVerdict, LoadLease, LoadLeaseRequest } from '../tier.js';
import type { KeyWords } from './key-words.js';
import { counter } from './members.js';
import type { SharedArena } from './shared-arena.js';

/** How often a thread that waits looks again by itself, in ms. It is woken sooner. */
const pollMs = 50;

/** The longest that a load waits for another thread's, in ms. Then it loads by itself. */
const longestWaitMs = 60_000;

/** Until a turn that could not be given back in time is given back again, in ms. */
const retryMs = 5;

/** `Atomics.waitAsync`, which the types of ES2022 lack. */
type WaitAsync = (
  words: Int32Array,
  at: number,
  value: number,
  timeout: number,
) => { readonly value: Promise<unknown> | string };

/** One load's turn. A thread that is dead has none: who waits for it takes its place. */
export class ThreadTurn implements LoadLease {
  readonly #load: LoadLeaseRequest;
  readonly #arena: SharedArena;
  readonly #key: KeyWords;
  readonly #clock: Clock;
  readonly #since: number;
  /** Tells this turn from others; 0 without it. */
  #token = 0;
  /** The stamp of the newest entry that this load has looked at, and can't take. */
  #known: number;

  constructor(
    load: LoadLeaseRequest,
    init: { readonly arena: SharedArena; readonly key: KeyWords; readonly clock: Clock },
  ) {
    this.#load = load;
    this.#arena = init.arena;
    this.#key = init.key;
    this.#clock = init.clock;
    this.#since = init.clock.elapsed();
    this.#known = load.known?.time ?? 0;
  }

  async next(): Promise<LeaseVerdict> {
    let hasWaited = false;
    while (!this.#arena.isOver) {
      const change = this.#arena.stripeOf(this.#key).loadChange();
      const turn = hasWaited ? this.#whose() : this.#take();
      if (turn === 'mine') return 'load';
      if (turn === 'nobody') return 'look-again';
      const isLate = this.#clock.elapsed() - this.#since >= longestWaitMs;
      if (turn === undefined || this.#load.isNested || this.#load.signal.aborted || isLate)
        return 'load-alone';
      if (!hasWaited) this.#arena.counters[counter.coalesced]! += 1;
      hasWaited = true;
      await this.#wait(change);
    }
    return 'load-alone';
  }

  end(): void {
    if (this.#token === 0 || this.#arena.isOver) return;
    const stripe = this.#arena.stripeOf(this.#key);
    const token = this.#token;
    const isGiven = stripe.withLoads((loads) => {
      loads.end(this.#key, token);
      return true;
    });
    if (isGiven) this.#token = 0;
    else this.#clock.schedule(() => this.end(), retryMs);
  }

  /** Takes the turn where nobody else has it; `undefined` where that can't be known in time, or is this thread's own. */
  #take(): 'mine' | 'others' | 'nobody' | undefined {
    const { id, counters } = this.#arena;
    return this.#arena.stripeOf(this.#key).withLoads((loads, stampOf) => {
      const { holder, died } = loads.turnOf(this.#key);
      if (holder !== 0) return holder === id ? undefined : 'others';
      // Another has stored it since this load has looked. What it finds may be outdated: it looks at each once.
      const stamp = stampOf(this.#key);
      if (stamp > this.#known) {
        this.#known = stamp;
        return 'nobody';
      }
      if (died) counters[counter.takenOver]! += 1;
      this.#token = this.#arena.nextStamp(0);
      loads.begin(this.#key, this.#token, true);
      return 'mine';
    });
  }

  #whose(): 'nobody' | 'others' | undefined {
    const { id, counters } = this.#arena;
    return this.#arena.stripeOf(this.#key).withLoads((loads) => {
      const { holder, died } = loads.turnOf(this.#key);
      if (died) counters[counter.takenOver]! += 1;
      return holder === 0 ? 'nobody' : holder === id ? undefined : 'others';
    });
  }

  /** Waits until a load of the stripe has ended, or for a moment. */
  async #wait({ words, at, seen }: { words: Int32Array; at: number; seen: number }): Promise<void> {
    const waitAsync = (Atomics as unknown as { readonly waitAsync?: WaitAsync }).waitAsync;
    const woken = waitAsync?.(words, at, seen, pollMs).value;
    if (typeof woken === 'string') return;
    await new Promise<void>((resolve) => {
      const done = () => {
        timer.cancel();
        this.#load.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#clock.schedule(done, pollMs, { holdsProcess: true });
      this.#load.signal.addEventListener('abort', done, { once: true });
      woken?.then(done);
    });
  }
}
