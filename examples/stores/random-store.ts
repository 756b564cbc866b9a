/**
 * A store of your own: random replacement, made by a factory, registered under a name and checked by the contract
 * suite. Run it with `npx tsx random-store.ts`.
 */

import {
  BoundedStore,
  CacheManager,
  KeyedOrder,
  type OrderNode,
  registerStore,
  type StoreEntry,
  type StoreFactory,
} from 'toolstash';
import { storeContract } from 'toolstash/testing';

declare module 'toolstash' {
  interface StoreNames {
    random: true;
  }
}

interface Node<E> extends OrderNode<E> {
  at: number;
}

/** Which entry leaves is drawn at random. Finding entries, bounds and callbacks are the base's affair. */
class RandomOrder<E extends StoreEntry> extends KeyedOrder<E, Node<E>> {
  readonly #nodes: Node<E>[] = [];
  readonly #random: () => number;

  constructor(maxSize: number, random: () => number) {
    super(maxSize);
    this.#random = random;
  }

  protected link(entry: E): Node<E> {
    const node = { entry, at: this.#nodes.length };
    this.#nodes.push(node);
    return node;
  }

  protected read(): void {}

  overwritten(): void {}

  /** The last node takes its slot, so that a draw stays O(1). */
  protected unlink(node: Node<E>): void {
    const last = this.#nodes.pop();
    if (last === undefined || last === node) return;
    last.at = node.at;
    this.#nodes[last.at] = last;
  }

  protected victim(reserved: Node<E> | undefined): Node<E> | undefined {
    const count = this.#nodes.length;
    const drawn = Math.floor(this.#random() * count);
    const node = this.#nodes[drawn];
    return node === reserved ? this.#nodes.find((each) => each !== reserved) : node;
  }

  protected unlinkAll(): void {
    this.#nodes.length = 0;
  }
}

export const randomStore: StoreFactory = (options) =>
  new BoundedStore(options, new RandomOrder(options.maxSize, options.random));

registerStore('random', randomStore);

const checks = storeContract('random');
for (const { run } of checks) run();
console.log(`The random store passes all ${checks.length} checks of the store contract.`);

const cache = new CacheManager({ eviction: 'random', maxSize: 100 });
for (let n = 0; n < 1000; n += 1) cache.setSync('square', n, n ** 2);
console.log(`A cache with it keeps ${cache.stats().entries} of 1000 entries.`);
