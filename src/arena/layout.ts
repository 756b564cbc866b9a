/** Where everything lies in the memory that threads share. */

/** What a part (stripe) of the arena is made of: words of 32 bits. */
export interface StripeMemory {
  readonly header: Int32Array;
  /**
   * Lines of 16 words, as long as one of the processor's caches: where the entries of 15 buckets begin, 0 being none, and bits
   * that tell whether one of them was read since the hand passed over it. Those any thread may write, at any time: what is
   * marked in error stays a little longer, and a mark that is lost is missed as little.
   */
  readonly index: Int32Array;
  /** Loads under way. */
  readonly loads: Int32Array;
  /** The stamps of those loads. */
  readonly loadStamps: Float64Array;
  /** The entries, one after the other. */
  readonly ring: Int32Array;
  /** The same memory, for numbers that take two words. */
  readonly ringNumbers: Float64Array;
  /** The same memory. */
  readonly bytes: Buffer;
}

/** How large everything is. Whoever attaches takes it as it is. */
export interface ArenaShape {
  /** A power of two. */
  readonly stripes: number;
  /** Words of a stripe's index. */
  readonly indexWords: number;
  /** Words of a stripe's ring. */
  readonly ringWords: number;
  /** The most entries of a stripe. */
  readonly maxEntries: number;
  /** Makes the buckets of keys unpredictable, so that nobody can choose keys that share one. */
  readonly seed: number;
}

/** Words of a stripe's header. Each is written by the thread that holds the lock, unless it says otherwise. */
export const at = {
  /** The id of the thread that holds the lock; 0 is nobody. */
  lock: 0,
  /** Odd while the stripe is being changed. */
  sequence: 1,
  /** Counts how often the sequence came around. */
  round: 2,
  /** What is to be done before anything else, see `due`. Written by all. */
  due: 3,
  head: 16,
  tail: 17,
  /** Words between tail and head. */
  used: 18,
  /** Words of live entries. */
  live: 19,
  entries: 20,
  /** Load records that are in use. */
  loads: 21,
  /** The load record that is overwritten next when none is free. */
  nextLoad: 22,
  /** Changes whenever a load ends, so that others can wait for that. Written by all. */
  loadChange: 23,
  /** The first of the words that name keys to be deleted. Written by all. */
  deletions: 32,
} as const;

/** What is due in a stripe: bits of `at.due`. */
export const due = { deletions: 1, reset: 2 } as const;

/** Keys that can wait to be deleted; more make the stripe be emptied. */
export const mostDeletions = 32;

const headerWords = 64;

/** Words of a load record: four of the key, the holder, whether it is a turn, two to spare. */
export const loadWords = 8;

/** Load records of a stripe. */
export const mostLoads = 128;

/** An entry begins at an even word, the first of which is never used: place 0 means none. */
export const ringStart = 2;

/** Words of an entry before its payload. */
export const entry = {
  /** Words in all, even; negative once nobody finds it any more. */
  size: 0,
  /** The next entry of the bucket. */
  next: 1,
  /** Four words. */
  key: 2,
  /** Epoch ms, as a 64-bit number. */
  expiresAt: 6,
  /** The time of its stamp, as a 64-bit number. */
  stamp: 8,
  /** Bytes in all. */
  bytes: 10,
  /** Whatever the payload needs. */
  flags: 11,
  payload: 12,
} as const;

/** Words of a line of the index, the last of which is none of a bucket. */
export const indexLine = 16;

/** The memory of one stripe. */
export function allocateStripe({ indexWords, ringWords }: ArenaShape): SharedArrayBuffer {
  return new SharedArrayBuffer(placesOf(indexWords).ring + ringWords * 4);
}

/** The parts of a stripe's memory. */
export function viewStripe(memory: SharedArrayBuffer, { indexWords, ringWords }: ArenaShape): StripeMemory {
  const places = placesOf(indexWords);
  return {
    header: new Int32Array(memory, 0, headerWords),
    loads: new Int32Array(memory, places.loads, mostLoads * loadWords),
    loadStamps: new Float64Array(memory, places.loadStamps, mostLoads),
    index: new Int32Array(memory, places.index, indexWords),
    ring: new Int32Array(memory, places.ring, ringWords),
    ringNumbers: new Float64Array(memory, places.ring, ringWords / 2),
    bytes: Buffer.from(memory, places.ring, ringWords * 4),
  };
}

/** Byte offsets, each a multiple of 64, so that no two parts share a cache line. */
function placesOf(indexWords: number) {
  const loads = headerWords * 4;
  const loadStamps = loads + mostLoads * loadWords * 4;
  const index = loadStamps + mostLoads * 8;
  return { loads, loadStamps, index, ring: index + indexWords * 4 };
}

/** The next multiple of `step`. */
export function roundUp(size: number, step: number): number {
  return Math.ceil(size / step) * step;
}

const smallestRing = 4 * 2 ** 20;
const fewestEntries = 4096;
const mostStripes = 64;
const bucketsPerEntry = 1.25;

/** No stripe is larger, in bytes: places are 32-bit numbers, and views of more memory are refused by some versions of Node. */
const largestStripe = 2 ** 30;

/** How large everything is for these bounds: more stripes, so that threads seldom meet, as long as each holds a lot. */
export function shapeOf(maxBytes: number, maxSize: number, seed: number): ArenaShape {
  const wanted = Math.min(mostStripes, maxBytes / smallestRing, maxSize / fewestEntries);
  const needed = Math.min(maxSize, 2 * (maxBytes / largestStripe));
  const stripes = 2 ** Math.floor(Math.log2(Math.max(1, wanted, needed)));
  const maxEntries = Math.floor(maxSize / stripes);
  const indexWords = Math.ceil((maxEntries * bucketsPerEntry) / (indexLine - 1)) * indexLine;
  const stripeBytes = Math.min(largestStripe, maxBytes / stripes);
  const ringWords = Math.floor((stripeBytes - placesOf(indexWords).ring) / 8) * 2;
  return { stripes, indexWords, ringWords, maxEntries, seed };
}
