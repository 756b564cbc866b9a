/**
 * Changes that Redis has not acknowledged yet. Each waits until it has: what could not be sent goes first after the next
 * connection. Those that can't be sent are bounded: too many become a clearing of everything.
 */

import { compareStamps } from '../stamp.js';
import type { RemoteChange, TierRecord } from '../tier.js';

/** A change as it is made. */
export type NewChange = Exclude<RemoteChange, { kind: 'unknown' }>;

/** A change that is to reach Redis. */
export interface PendingChange {
  readonly change: NewChange;
  /** It could not be sent at once: whoever holds the key, this machine too, lets go of it when it gets through. */
  isLate: boolean;
  /** The connections that it was sent over and may still be answered on. */
  over: object | undefined;
}

export class RedisOutbox {
  readonly #limit: number;
  readonly #changes = new Map<string, PendingChange>();
  readonly #settled = new Set<(failure: unknown) => void>();
  /** How many of them are clearings. */
  #clearings = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#changes.size;
  }

  /** Whether a method, a tag or everything is still to be cleared. */
  get hasClearing(): boolean {
    return this.#clearings > 0;
  }

  /** All of those. */
  clearings(): PendingChange[] {
    return this.all().filter(({ change }) => change.kind !== 'key');
  }

  /** Takes a change in; of one key or name the newest counts. */
  add(change: NewChange, isLate = false): PendingChange {
    const id = idOf(change);
    const known = this.#changes.get(id);
    if (known !== undefined && compareStamps(known.change.stamp, change.stamp) > 0) return known;
    const pending = { change, isLate, over: undefined };
    if (known === undefined && change.kind !== 'key') this.#clearings += 1;
    // In the order in which they came.
    this.#changes.delete(id);
    this.#changes.set(id, pending);
    return pending;
  }

  /** Makes too many changes one clearing of everything: for those that can't be sent, as what is on its way leaves soon. */
  bound(): void {
    const [first, ...others] = this.#changes.size > this.#limit ? this.#changes.values() : [];
    if (first === undefined) return;
    let { stamp } = first.change;
    for (const { change } of others) if (compareStamps(change.stamp, stamp) > 0) ({ stamp } = change);
    this.clear();
    this.add({ kind: 'method', method: undefined, stamp }, true);
  }

  /** Whether a change is still to be made, and no newer one has taken its place. */
  has(pending: PendingChange): boolean {
    return this.#changes.get(idOf(pending.change)) === pending;
  }

  /** Redis has acknowledged a change. */
  acknowledge(pending: PendingChange): void {
    if (this.has(pending)) {
      this.#changes.delete(idOf(pending.change));
      if (pending.change.kind !== 'key') this.#clearings -= 1;
    }
    this.#wake();
  }

  ofKey(key: string): PendingChange | undefined {
    return this.#changes.get(`k${key}`);
  }

  /** Whether what was read is older than a clearing that is still to be made. */
  covers({ method, tags = [] }: Pick<TierRecord, 'method' | 'tags'>): boolean {
    if (this.#changes.size === 0) return false;
    return ['a', `m${method}`, ...tags.map((tag) => `t${tag}`)].some((id) => this.#changes.has(id));
  }

  all(): PendingChange[] {
    return [...this.#changes.values()];
  }

  /** Forgets all of them. */
  clear(): void {
    this.#changes.clear();
    this.#clearings = 0;
  }

  /** Resolves when anything was acknowledged or has failed, to why that was. */
  progress(): Promise<unknown> {
    return new Promise((resolve) => void this.#settled.add(resolve));
  }

  /** Tells who waits for progress that something has failed. */
  fail(failure: unknown): void {
    this.#wake(failure);
  }

  #wake(failure?: unknown): void {
    for (const resolve of [...this.#settled]) resolve(failure);
    this.#settled.clear();
  }
}

/** The name of a clearing in Redis, and the key of a change here. */
export function markerOf(change: Extract<NewChange, { kind: 'method' | 'tag' }>): string {
  if (change.kind === 'tag') return `t${change.tag}`;
  return change.method === undefined ? 'a' : `m${change.method}`;
}

function idOf(change: NewChange): string {
  return change.kind === 'key' ? `k${change.key}` : markerOf(change);
}
