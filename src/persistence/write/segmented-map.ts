/**
 * A map of many keys in pieces, in the order they came. V8's Map moves all it holds when it grows or shrinks, which takes
 * 30 ms at half a million keys; a piece takes a few at most.
 */

/** Keys that one piece takes. */
const segmentKeys = 2 ** 16;

export class SegmentedMap<V> {
  /** The last one takes what is new. */
  #segments: Map<string, V>[] = [];
  readonly #segmentKeys: number;
  #size = 0;

  constructor(keys = segmentKeys) {
    this.#segmentKeys = keys;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    for (const segment of this.#segments) {
      const value = segment.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Puts a value in the place of the one there is, or at the end. */
  set(key: string, value: V): void {
    let segment = this.#segments.find((each) => each.has(key));
    if (segment === undefined) {
      this.#size += 1;
      segment = this.#segments.at(-1);
      if (segment === undefined || segment.size >= this.#segmentKeys) {
        segment = new Map();
        this.#segments.push(segment);
      }
    }
    segment.set(key, value);
  }

  delete(key: string): boolean {
    for (const [number, segment] of this.#segments.entries()) {
      if (!segment.delete(key)) continue;
      this.#size -= 1;
      if (segment.size === 0) this.#segments = this.#segments.toSpliced(number, 1);
      return true;
    }
    return false;
  }

  *values(): IterableIterator<V> {
    for (const segment of this.#segments) yield* segment.values();
  }

  *[Symbol.iterator](): IterableIterator<[string, V]> {
    for (const segment of this.#segments) yield* segment;
  }
}
