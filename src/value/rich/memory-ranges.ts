/** The bytes of ArrayBuffers that a walk has met. */

/** Notes ranges of bytes, to tell whether two of them share memory. */
export class MemoryRanges {
  /** By buffer, the start and end of each range in turn, ascending. */
  readonly #bounds = new Map<ArrayBufferLike, number[]>();

  /** Notes a range, unless it shares bytes with one noted before: then the answer is `false`. */
  add(buffer: ArrayBufferLike, start: number, end: number): boolean {
    if (start === end) return true;
    const bounds = this.#bounds.get(buffer);
    if (bounds === undefined) {
      this.#bounds.set(buffer, [start, end]);
      return true;
    }
    const index = rangesUpTo(start, bounds);
    if ((bounds[2 * index] ?? Number.POSITIVE_INFINITY) < end) return false;
    bounds.splice(2 * index, 0, start, end);
    return true;
  }
}

/** How many ranges end at `start` or before. */
function rangesUpTo(start: number, bounds: readonly number[]): number {
  let low = 0;
  let high = bounds.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[2 * middle + 1] as number) <= start) low = middle + 1;
    else high = middle;
  }
  return low;
}
