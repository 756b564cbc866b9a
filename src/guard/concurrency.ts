/** Concurrency: a tool runs at most so many times at once; who comes later waits in a queue, first come first served. */

import { QueueFullError } from '../errors.js';
import { type Linked, LinkedList } from '../linked-list.js';
import { integer } from '../option-checks.js';

/** How many may run and how many may wait. */
export interface ConcurrencyOptions {
  /** What is limited; it appears in error messages. */
  readonly name: string;
  /** Runs at once. */
  readonly limit: number;
  /** Callers that may wait, `Infinity` included. One more is refused with a `QueueFullError`. */
  readonly queueLimit: number;
}

/** Who is asking for a permit. */
export interface PermitOptions {
  /** Aborting it gives up waiting. It does not end a run. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How many permits are held by those who wait for this one: 0 for a call from outside, 1 for a load that such a call's
   * loader waits for while it runs, …
   *
   * @default 0
   */
  readonly depth?: number | undefined;
}

/**
 * A fair limiter, one per tool.
 *
 * Every depth of nesting has `limit` permits and a queue of its own. Therefore a load never waits for a permit that its
 * own parent holds, nor do two tools that call each other: whoever holds a permit waits only for deeper ones, and the
 * deepest waits for none.
 *
 * That covers loads that a loader *starts*. If it *joins* one that started elsewhere and may still be queued, the
 * caller must `grantNow` that one's permit, and the permits of those that one waits for.
 */
export class ConcurrencyLimiter {
  readonly #options: ConcurrencyOptions;
  readonly #lanes = new Map<number, Lane>();

  constructor(options: ConcurrencyOptions) {
    integer(options.limit, 'concurrency.limit');
    if (options.queueLimit !== Number.POSITIVE_INFINITY) {
      integer(options.queueLimit, 'concurrency.queueLimit', { from: 0 });
    }
    this.#options = options;
  }

  /** Runs under way. */
  get active(): number {
    let active = 0;
    for (const lane of this.#lanes.values()) active += lane.active;
    return active;
  }

  /** Callers in the queue. */
  get queued(): number {
    let queued = 0;
    for (const lane of this.#lanes.values()) queued += lane.waiting.size;
    return queued;
  }

  /**
   * Asks for a permit. Wait for its `granted`, run, and then `leave` it, whatever happened.
   *
   * @throws QueueFullError when all permits are taken and the queue is full
   */
  enter({ signal, depth = 0 }: PermitOptions = {}): Permit {
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
    return new Permit(lane, signal);
  }
}

type PermitState =
  | { readonly kind: 'waiting'; readonly grant: () => void }
  | { readonly kind: 'running' | 'suspended' | 'over' };

/** One caller's permit: first queued, then running. */
export class Permit implements Linked<Permit> {
  /**
   * Fulfilled when it is granted; `undefined` when it was granted at once. Rejects with the signal's reason if that was
   * aborted first; such a permit is over.
   */
  readonly granted: Promise<void> | undefined;
  /** @internal The lane's queue's alone to change, as is `next`. */
  previous: Permit | undefined = undefined;
  /** @internal */
  next: Permit | undefined = undefined;
  readonly #lane: Lane;
  readonly #signal: AbortSignal | undefined;
  #state: PermitState;

  /** @internal Made by `ConcurrencyLimiter.enter`. */
  constructor(lane: Lane, signal: AbortSignal | undefined) {
    this.#lane = lane;
    this.#signal = signal;
    this.#state = { kind: 'over' };
    if (signal?.aborted) {
      this.granted = heard(Promise.reject(signal.reason));
      lane.closeIfUnused();
      return;
    }
    this.granted = this.#enter();
  }

  /** Takes its place: among those that run, or in the queue. */
  #enter(): Promise<void> | undefined {
    const lane = this.#lane;
    if (!lane.isFull) {
      this.#state = { kind: 'running' };
      lane.active++;
      return undefined;
    }
    const signal = this.#signal;
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
    this.#state = { kind: 'waiting', grant };
    lane.waiting.append(this);
    return heard(granted);
  }

  /** Lets others run in its place until `resume`. */
  suspend(): void {
    if (this.#state.kind !== 'running') return;
    this.#state = { kind: 'suspended' };
    this.#lane.active--;
    this.#lane.suspended++;
    this.#lane.admitNext();
  }

  /** Queues again. Rejects with the signal's reason where that is aborted first; one that is over by now stays so. */
  async resume(): Promise<void> {
    if (this.#state.kind !== 'suspended') return;
    this.#lane.suspended--;
    await this.#enter();
  }

  /** Grants the permit at once, even above the limit, to avoid a deadlock. */
  grantNow(): void {
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
    else if (kind === 'suspended') this.#lane.suspended--;
    else this.#lane.active--;
    this.#lane.admitNext();
  }
}

/** The permits of one depth. */
class Lane {
  active = 0;
  /** Those that will queue again. */
  suspended = 0;
  readonly waiting = new LinkedList<Permit>();
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
    if (!this.isFull) this.waiting.first?.grantNow();
    this.closeIfUnused();
  }

  closeIfUnused(): void {
    if (this.active === 0 && this.suspended === 0 && this.waiting.size === 0) this.#close();
  }
}

/** Whoever left a permit may never look at its `granted` again: its rejection must not end the process. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, () => undefined);
  return promise;
}
