/** Where everything lies in the memory that threads share. */

/** What a part (stripe) of the arena is made of: words of 32 bits. */
export interface StripeMemory {
  readonly header: Int32Array;
  /** Where the entries of each bucket begin; 0 is none. */
  readonly buckets: Int32Array;
  /** Whether an entry of the bucket was read since the hand passed over it. */
  readonly visited: Uint8Array;
  /** Loads under way. */
  readonly loads: Int32Array;
  /** The stamps of those loads. */
  readonly loadStamps: Float64Array;
  /** The entries, one after the other. */
  readonly ring: Int32Array;
  /** The same memory, for numbers that take two words. */
  readonly ringNumbers: Float64Array;
}

/** How large everything is. Whoever attaches takes it as it is. */
export interface ArenaShape {
  /** A power of two. */
  readonly stripes: number;
  /** Buckets of a stripe. */
  readonly buckets: number;
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
  /** Bytes of the payload. */
  bytes: 10,
  payload: 12,
} as const;

/** The memory of one stripe. */
export function allocateStripe({ buckets, ringWords }: ArenaShape): SharedArrayBuffer {
  return new SharedArrayBuffer(placesOf(buckets).ring + ringWords * 4);
}

/** The parts of a stripe's memory. */
export function viewStripe(memory: SharedArrayBuffer, { buckets, ringWords }: ArenaShape): StripeMemory {
  const places = placesOf(buckets);
  return {
    header: new Int32Array(memory, 0, headerWords),
    loads: new Int32Array(memory, places.loads, mostLoads * loadWords),
    loadStamps: new Float64Array(memory, places.loadStamps, mostLoads),
    buckets: new Int32Array(memory, places.buckets, buckets),
    visited: new Uint8Array(memory, places.visited, buckets),
    ring: new Int32Array(memory, places.ring, ringWords),
    ringNumbers: new Float64Array(memory, places.ring, ringWords / 2),
  };
}

/** Byte offsets, each a multiple of 64, so that no two parts share a cache line. */
function placesOf(bucketCount: number) {
  const loads = headerWords * 4;
  const loadStamps = loads + mostLoads * loadWords * 4;
  const buckets = loadStamps + mostLoads * 8;
  const visited = buckets + roundUp(bucketCount * 4, 64);
  return { loads, loadStamps, buckets, visited, ring: visited + roundUp(bucketCount, 64) };
}

/** The next multiple of `step`. */
export function roundUp(size: number, step: number): number {
  return Math.ceil(size / step) * step;
}

const smallestRing = 4 * 2 ** 20;
const fewestEntries = 4096;
const mostStripes = 64;

/** How large everything is for these bounds: more stripes, so that threads seldom meet, as long as each holds a lot. */
export function shapeOf(maxBytes: number, maxSize: number, seed: number): ArenaShape {
  const most = Math.min(mostStripes, maxBytes / smallestRing, maxSize / fewestEntries);
  const stripes = most < 2 ? 1 : 2 ** Math.floor(Math.log2(most));
  const maxEntries = Math.floor(maxSize / stripes);
  const buckets = roundUp(Math.ceil(maxEntries * 1.25), 16);
  const ringWords = Math.floor((maxBytes / stripes - placesOf(buckets).ring) / 8) * 2;
  return { stripes, buckets, ringWords, maxEntries, seed };
}
