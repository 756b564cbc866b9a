/**
 * A log-linear histogram, after HdrHistogram (Gil Tene, hdrhistogram.org): each power of two is an octave of equal
 * buckets, so that the relative error is the same for small numbers and large ones.
 */

/** Buckets an octave: a bucket is at most 1/64 of its numbers wide, and its middle within 1/128 of them. */
export const octaveBuckets = 64;
const octaveBits = 6;

/** What a bucket counts at most. */
const mostInBucket = 2 ** 32 - 1;

/** What a histogram has counted: buckets from that of a number on, and the largest number. */
export interface HistogramState {
  readonly counts: Uint32Array;
  readonly firstOctave: number;
  readonly max: number;
}

const none: HistogramState = { counts: new Uint32Array(0), firstOctave: 0, max: 0 };

/**
 * Counts integers from 0 to 2^32 - 1. Takes 256 bytes an octave, from the lowest to the highest that it has met. Octave 0
 * holds the numbers below 64, one a bucket; octave `n` those from 64 × 2^(n-1) on.
 */
export class LogLinearHistogram {
  /** The octaves from `#firstOctave` on. */
  #counts: Uint32Array;
  #firstOctave: number;
  #max: number;

  /** @param state what another has counted, elsewhere */
  constructor({ counts, firstOctave, max }: HistogramState = none) {
    this.#counts = counts;
    this.#firstOctave = firstOctave;
    this.#max = max;
  }

  /** All that it has counted, as it is: not to be changed, and gone with the next number. */
  get state(): HistogramState {
    return { counts: this.#counts, firstOctave: this.#firstOctave, max: this.#max };
  }

  record(value: number): void {
    const octave = Math.max(0, 32 - Math.clz32(value) - octaveBits);
    const place = octave === 0 ? value : (value >>> (octave - 1)) - octaveBuckets;
    this.#makeRoom(octave, octave);
    const bucket = (octave - this.#firstOctave) * octaveBuckets + place;
    this.#counts[bucket] = Math.min((this.#counts[bucket] as number) + 1, mostInBucket);
    if (value > this.#max) this.#max = value;
  }

  /** The largest number recorded, exactly; 0 for none. */
  get max(): number {
    return this.#max;
  }

  /** Counts what another has counted too. */
  add(other: LogLinearHistogram): void {
    const octaves = other.#counts.length / octaveBuckets;
    if (octaves === 0) return;
    this.#makeRoom(other.#firstOctave, other.#firstOctave + octaves - 1);
    const shift = (other.#firstOctave - this.#firstOctave) * octaveBuckets;
    for (const [index, count] of other.#counts.entries())
      this.#counts[shift + index] = Math.min((this.#counts[shift + index] as number) + count, mostInBucket);
    this.#max = Math.max(this.#max, other.#max);
  }

  /**
   * The smallest recorded number that is not below this share (0 to 1) of all, within 1/128 of it and never above
   * `max`; 0 if nothing was recorded.
   */
  quantile(share: number): number {
    let total = 0;
    for (const count of this.#counts) total += count;
    const rank = Math.max(1, Math.ceil(share * total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(this.#middleOf(index), this.#max);
    }
    return 0;
  }

  #makeRoom(lowest: number, highest: number): void {
    const octaves = this.#counts.length / octaveBuckets;
    const end = this.#firstOctave + octaves;
    if (octaves > 0 && lowest >= this.#firstOctave && highest < end) return;
    const first = octaves === 0 ? lowest : Math.min(lowest, this.#firstOctave);
    const counts = new Uint32Array((Math.max(highest + 1, end) - first) * octaveBuckets);
    counts.set(this.#counts, octaves === 0 ? 0 : (this.#firstOctave - first) * octaveBuckets);
    this.#counts = counts;
    this.#firstOctave = first;
  }

  #middleOf(index: number): number {
    const octave = this.#firstOctave + Math.floor(index / octaveBuckets);
    const place = index % octaveBuckets;
    if (octave === 0) return place;
    const width = 2 ** (octave - 1);
    return (octaveBuckets + place) * width + (width - 1) / 2;
  }
}
