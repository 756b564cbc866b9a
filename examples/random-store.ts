/**
 * A store of your own: random replacement, made by a factory, registered under a name and checked by the contract
 * suite. Run it with `npx tsx random-store.ts`.
 */

import {
  type RemovalReason,
  registerStore,
  type Store,
  type StoreEntry,
  type StoreFactory,
  type StoreOptions,
} from 'toolstash';
import { storeContract } from 'toolstash/testing';

/** Evicts an entry drawn by lot. An array beside the map makes the draw O(1). */
class RandomStore<E extends StoreEntry> implements Store<E> {
  readonly #options: StoreOptions<E>;
  readonly #slots = new Map<string, number>();
  readonly #entries: E[] = [];
  #bytes = 0;

  constructor(options: StoreOptions<E>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): E | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#entries[slot];
  }

  peek(key: string): E | undefined {
    return this.get(key);
  }

  has(key: string): boolean {
    return this.#slots.has(key);
  }

  set(entry: E): boolean {
    const { maxSize, maxBytes, random } = this.#options;
    if (entry.bytes > maxBytes) {
      this.delete(entry.key, 'refuse');
      return false;
    }
    this.delete(entry.key, 'replace');
    while (this.size >= maxSize || this.bytes + entry.bytes > maxBytes) {
      this.#removeAt(Math.floor(random() * this.size), 'evict');
    }
    this.#slots.set(entry.key, this.#entries.length);
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    return true;
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#removeAt(slot, reason);
    return true;
  }

  clear(): void {
    while (this.size > 0) this.#removeAt(this.size - 1, 'clear');
  }

  entries(): IterableIterator<E> {
    return this.#entries.values();
  }

  #removeAt(slot: number, reason: RemovalReason): void {
    const entry = this.#entries[slot];
    const last = this.#entries.pop();
    if (entry === undefined || last === undefined) return;
    if (last !== entry) {
      this.#entries[slot] = last;
      this.#slots.set(last.key, slot);
    }
    this.#slots.delete(entry.key);
    this.#bytes -= entry.bytes;
    this.#options.onRemove(entry, reason);
  }
}

export const randomStore: StoreFactory = (options) => new RandomStore(options);

registerStore('random', randomStore);

const checks = storeContract('random');
for (const { run } of checks) run();
console.log(`The random store passes all ${checks.length} checks of the store contract.`);
