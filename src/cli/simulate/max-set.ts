/** A set of whole numbers below a bound that gives its largest: a tree of bits, each word telling of 32 below it. */

/** All is O(log32 n), without allocations. */
export class MaxSet {
  /** The numbers, then which words of the level before have any. */
  readonly #levels: Int32Array[] = [];

  /** @param bound one more than the largest number */
  constructor(bound: number) {
    let bits = bound;
    do {
      bits = Math.ceil(Math.max(1, bits) / 32);
      this.#levels.push(new Int32Array(bits));
    } while (bits > 1);
  }

  add(number: number): void {
    let at = number;
    for (const level of this.#levels) {
      const word = at >>> 5;
      level[word]! |= 1 << (at & 31);
      at = word;
    }
  }

  delete(number: number): void {
    let at = number;
    for (const level of this.#levels) {
      const word = at >>> 5;
      level[word]! &= ~(1 << (at & 31));
      if (level[word] !== 0) return;
      at = word;
    }
  }

  /** Takes the largest out. The set must not be empty. */
  takeMax(): number {
    let at = 0;
    for (let depth = this.#levels.length - 1; depth >= 0; depth -= 1)
      at = at * 32 + 31 - Math.clz32((this.#levels[depth] as Int32Array)[at] as number);
    this.delete(at);
    return at;
  }
}
