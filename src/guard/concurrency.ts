/** Concurrency: a tool runs at most so many times at once; who comes later waits in line, first come first served. */

import { inspect } from 'node:util';
import { InvalidOptionError, QueueFullError } from '../errors.js';
import { LinkedQueue } from './linked-queue.js';

/** How many may run and how many may wait. */
export interface ConcurrencyOptions {
  /** What is limited; it appears in error messages. */
  readonly name: string;
  /** Runs at once. */
  readonly limit: number;
  /** Callers that may wait, `Infinity` included. One more is refused with a `QueueFullError`. */
  readonly queueLimit: number;
}

/** Who is asking for a turn. */
export interface TurnOptions {
  /** Aborting it gives up waiting. It does not end a run. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How many turns are held by those who wait for this one: 0 for a call from outside, 1 for a load that such a call's
   * loader waits for while it runs, …
   *
   * @default 0
   */
  readonly depth?: number;
}

/**
 * A fair limiter, one per tool.
 *
 * Every depth of nesting has `limit` turns and a queue of its own. Therefore a load never waits for a turn that its
 * own parent holds, nor do two tools that call each other: whoever holds a turn waits only for deeper ones, and the
 * deepest waits for none.
 *
 * That covers loads that a loader *starts*. If it *joins* one that started elsewhere and may still be in line, the
 * caller must `hurry` that one's turn, and the turns of those that one waits for.
 */
export class ConcurrencyLimiter {
  readonly #options: ConcurrencyOptions;
  readonly #lanes = new Map<number, Lane>();

  constructor(options: ConcurrencyOptions) {
    checkCount('concurrency.limit', options.limit, 1);
    if (options.queueLimit !== Number.POSITIVE_INFINITY) {
      checkCount('concurrency.queueLimit', options.queueLimit, 0);
    }
    this.#options = options;
  }

  /** Runs under way. */
  get active(): number {
    let active = 0;
    for (const lane of this.#lanes.values()) active += lane.active;
    return active;
  }

  /** Callers in line. */
  get queued(): number {
    let queued = 0;
    for (const lane of this.#lanes.values()) queued += lane.waiting.size;
    return queued;
  }

  /**
   * Asks for a turn. Wait for its `granted`, run, and then `leave` it, whatever happened.
   *
   * @throws QueueFullError when all turns are taken and the queue is full
   */
  enter({ signal, depth = 0 }: TurnOptions = {}): Turn {
    let lane = this.#lanes.get(depth);
    if (lane === undefined) {
      lane = new Lane(this.#options.limit, () => this.#lanes.delete(depth));
      this.#lanes.set(depth, lane);
    }
    if (!signal?.aborted && lane.isFull && lane.waiting.size >= this.#options.queueLimit) {
      const { name, limit, queueLimit } = this.#options;
      throw new QueueFullError(
        `\`${name}\` runs ${limit} times already and ${queueLimit} more are waiting: ` +
          'raise `concurrency`, or call it less often at once',
      );
    }
    return new Turn(lane, signal);
  }

  /** Runs `task` when it is its turn. Rejects with the signal's reason if that is aborted before. */
  async run<T>(task: () => PromiseLike<T> | T, options?: TurnOptions): Promise<T> {
    const turn = this.enter(options);
    if (turn.granted !== undefined) await turn.granted;
    try {
      return await task();
    } finally {
      turn.leave();
    }
  }
}

type TurnState =
  | { readonly kind: 'waiting'; readonly grant: () => void }
  | { readonly kind: 'running' }
  | { readonly kind: 'over' };

/** One caller's place: first in line, then running. */
export class Turn {
  /**
   * Fulfilled when the turn has come; `undefined` when it came at once. Rejects with the signal's reason if that was
   * aborted first; such a turn is over.
   */
  readonly granted: Promise<void> | undefined;
  readonly #lane: Lane;
  #state: TurnState;

  /** @internal Made by `ConcurrencyLimiter.enter`. */
  constructor(lane: Lane, signal: AbortSignal | undefined) {
    this.#lane = lane;
    if (signal?.aborted) {
      this.#state = { kind: 'over' };
      this.granted = heard(Promise.reject(signal.reason));
      lane.closeIfUnused();
      return;
    }
    if (!lane.isFull) {
      this.#state = { kind: 'running' };
      lane.active++;
      return;
    }
    let grant!: () => void;
    const granted = new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.leave();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      grant = () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
    });
    this.granted = heard(granted);
    this.#state = { kind: 'waiting', grant };
    lane.waiting.push(this);
  }

  /** Ends the wait now, over the limit if need be. For a turn whose wait would block who holds another. */
  hurry(): void {
    if (this.#state.kind !== 'waiting') return;
    const { grant } = this.#state;
    this.#state = { kind: 'running' };
    this.#lane.waiting.remove(this);
    this.#lane.active++;
    grant();
  }

  /** Ends the run, or gives up waiting. More than once does no harm. */
  leave(): void {
    const { kind } = this.#state;
    if (kind === 'over') return;
    this.#state = { kind: 'over' };
    if (kind === 'waiting') this.#lane.waiting.remove(this);
    else this.#lane.active--;
    this.#lane.admitNext();
  }
}

/** The turns of one depth. */
class Lane {
  active = 0;
  readonly waiting = new LinkedQueue<Turn>();
  readonly #limit: number;
  readonly #close: () => void;

  constructor(limit: number, close: () => void) {
    this.#limit = limit;
    this.#close = close;
  }

  get isFull(): boolean {
    return this.active >= this.#limit;
  }

  admitNext(): void {
    if (!this.isFull) this.waiting.first?.hurry();
    this.closeIfUnused();
  }

  closeIfUnused(): void {
    if (this.active === 0 && this.waiting.size === 0) this.#close();
  }
}

/** Whoever left a turn may never look at its `granted` again: its rejection must not end the process. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, () => undefined);
  return promise;
}

function checkCount(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new InvalidOptionError(
    `Expected \`${name}\` to be an integer of at least ${least}, got \`${inspect(value)}\``,
  );
}
