/** A trace of lookups in arrays that threads share: keys as numbers from 0, with sizes and costs. */

import { UsageError } from '../usage-error.js';

/** Lookups in their order. Arrays lie in shared memory. */
export interface AccessTrace {
  /** Where it comes from, for people. */
  readonly name: string;
  /** The key of each lookup: numbers from 0 on, in the order of their first lookup. */
  readonly keys: Int32Array;
  /** What each lookup would cost without a cache, in ms. All 0 where that is not known. */
  readonly costs: Float32Array;
  /** Bytes of each key's value, as of its first lookup. All 1 where sizes are not known. */
  readonly bytes: Float64Array;
  /** The tool of each key, by its place in `methods`; -1 where there is none. */
  readonly methodOf: Int32Array;
  readonly methods: readonly string[];
  readonly hasSizes: boolean;
  readonly hasCosts: boolean;
}

/** One lookup. */
export interface Access {
  /** Two lookups of one key have equal ones. */
  readonly key: string | number;
  readonly costMs?: number | undefined;
  /** Asked at a key's first lookup alone. */
  readonly bytes?: (() => number) | undefined;
  readonly method?: string | undefined;
}

type Numbers = Int32Array | Float32Array | Float64Array;

/** Numbers in shared memory, whose room doubles. */
class SharedNumbers<T extends Numbers> {
  readonly #make: (buffer: SharedArrayBuffer, length?: number) => T;
  #values: T;
  #length = 0;

  constructor(make: (buffer: SharedArrayBuffer, length?: number) => T) {
    this.#make = make;
    this.#values = make(new SharedArrayBuffer(2 ** 16));
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = this.#make(new SharedArrayBuffer(this.#values.byteLength * 2));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** Those that were pushed. */
  all(): T {
    return this.#make(this.#values.buffer as SharedArrayBuffer, this.#length);
  }
}

const int32 = (buffer: SharedArrayBuffer, length?: number) => new Int32Array(buffer, 0, length);
const float32 = (buffer: SharedArrayBuffer, length?: number) => new Float32Array(buffer, 0, length);
const float64 = (buffer: SharedArrayBuffer, length?: number) => new Float64Array(buffer, 0, length);

/** As many as a `Map` holds. */
const mostKeys = 2 ** 24;

/** Collects lookups; each key is hashed here, once for all simulations. */
export class AccessTraceBuilder {
  readonly #ids = new Map<string | number, number>();
  readonly #keys = new SharedNumbers(int32);
  readonly #costs = new SharedNumbers(float32);
  readonly #bytes = new SharedNumbers(float64);
  readonly #methodOf = new SharedNumbers(int32);
  readonly #methods = new Map<string, number>();
  #hasSizes = false;
  #hasCosts = false;

  add({ key, costMs = 0, bytes, method }: Access): void {
    let id = this.#ids.get(key);
    if (id === undefined) {
      if (this.#ids.size === mostKeys)
        throw new UsageError(
          `Expected a trace of at most ${mostKeys.toLocaleString('en')} keys: take a sample of the keys, with all their lookups`,
        );
      id = this.#ids.size;
      this.#ids.set(key, id);
      this.#bytes.push(bytes === undefined ? 1 : Math.max(1, bytes()));
      this.#methodOf.push(method === undefined ? -1 : this.#methodNumber(method));
      if (bytes !== undefined) this.#hasSizes = true;
    }
    if (costMs > 0) this.#hasCosts = true;
    this.#keys.push(id);
    this.#costs.push(costMs);
  }

  build(name: string): AccessTrace {
    return {
      name,
      keys: this.#keys.all(),
      costs: this.#costs.all(),
      bytes: this.#bytes.all(),
      methodOf: this.#methodOf.all(),
      methods: [...this.#methods.keys()],
      hasSizes: this.#hasSizes,
      hasCosts: this.#hasCosts,
    };
  }

  #methodNumber(method: string): number {
    const known = this.#methods.get(method);
    if (known !== undefined) return known;
    this.#methods.set(method, this.#methods.size);
    return this.#methods.size - 1;
  }
}

/**
 * Bytes of all keys together: a cache of that size never evicts.
 * @throws UsageError where they are too many to be counted one by one
 */
export function footprintOf({ bytes }: AccessTrace): number {
  let sum = 0;
  for (const each of bytes) sum += each;
  if (sum > Number.MAX_SAFE_INTEGER)
    throw new UsageError(
      `Expected sizes of less than 2^53 bytes in all, got ${sum}: give them in KiB, or MiB`,
    );
  return sum;
}
