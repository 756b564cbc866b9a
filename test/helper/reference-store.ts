/** Every store as an array that is searched from end to end: slow, and plain to see right. */

import type { RemovalReason, StoreEntry } from '../../src/store/store.js';

interface Row<E> {
  entry: E;
  uses: number;
  /** Uses, and the priority of the last evicted row at the time of the latest. */
  priority: number;
  lastUse: number;
  lastSet: number;
  readonly firstSet: number;
}

type Order = (row: Row<StoreEntry>) => readonly number[];

const expiry = (row: Row<StoreEntry>) => row.entry.expiresAt ?? Number.POSITIVE_INFINITY;

/** What decides who leaves: the row whose numbers are the smallest, the first number first. */
const orders: Record<ReferencePolicy, Order> = {
  lru: (row) => [row.lastUse],
  lfu: (row) => [row.priority, row.lastUse],
  fifo: (row) => [row.firstSet],
  ttl: (row) => [expiry(row), row.lastSet],
};

export type ReferencePolicy = 'lru' | 'lfu' | 'fifo' | 'ttl';

export class ReferenceStore<E extends StoreEntry> {
  rows: Row<E>[] = [];
  readonly removed: [entry: E, reason: RemovalReason][] = [];
  readonly #order: Order;
  readonly #bounds: { readonly maxSize: number; readonly maxBytes: number };
  #tick = 0;
  #age = 0;

  constructor(policy: ReferencePolicy, bounds: { readonly maxSize: number; readonly maxBytes: number }) {
    this.#order = orders[policy];
    this.#bounds = bounds;
  }

  get bytes(): number {
    return this.rows.reduce((sum, row) => sum + row.entry.bytes, 0);
  }

  get(key: string): E | undefined {
    const row = this.#find(key);
    if (row) this.#use(row);
    return row?.entry;
  }

  peek(key: string): E | undefined {
    return this.#find(key)?.entry;
  }

  set(entry: E): boolean {
    if (entry.bytes > this.#bounds.maxBytes) {
      this.delete(entry.key, 'refuse');
      return false;
    }
    const tick = this.#tick;
    const row = this.#find(entry.key) ?? {
      entry,
      uses: 0,
      priority: 0,
      lastUse: tick,
      lastSet: tick,
      firstSet: tick,
    };
    this.delete(entry.key, 'replace');
    while (this.rows.length >= this.#bounds.maxSize || this.bytes + entry.bytes > this.#bounds.maxBytes) {
      const victim = this.#victim();
      this.#age = victim.priority;
      this.delete(victim.entry.key, 'evict');
    }
    row.entry = entry;
    row.lastSet = tick;
    this.#use(row);
    this.rows.push(row);
    return true;
  }

  delete(key: string, reason: RemovalReason): boolean {
    const row = this.#find(key);
    if (!row) return false;
    this.rows = this.rows.filter((other) => other !== row);
    this.removed.push([row.entry, reason]);
    return true;
  }

  clear(): void {
    for (const { entry } of this.rows) this.delete(entry.key, 'clear');
    this.#age = 0;
  }

  #find(key: string): Row<E> | undefined {
    return this.rows.find((row) => row.entry.key === key);
  }

  #use(row: Row<E>): void {
    row.uses += 1;
    row.priority = row.uses + this.#age;
    row.lastUse = this.#tick++;
  }

  #victim(): Row<E> {
    return this.rows.reduce((victim, row) => (this.#goesBefore(row, victim) ? row : victim));
  }

  #goesBefore(row: Row<E>, other: Row<E>): boolean {
    const [numbers, others] = [this.#order(row), this.#order(other)];
    const index = numbers.findIndex((number, at) => number !== others[at]);
    return index >= 0 && numbers[index]! < others[index]!;
  }
}
