/**
 * How often keys were used lately, in a few bits each: a count-min sketch whose counts are halved now and then.
 *
 * Gil Einziger, Roy Friedman, Ben Manes: TinyLFU: A Highly Efficient Cache Admission Policy, ACM Transactions on Storage
 * 13(4), 2017. What is held is counted beside its key instead, exactly and in a tenth of the time; the sketch remembers what has left.
 */

/** A count has four bits: a byte of its own in the sketch, the last ones of a tally. */
const most = 15;
const tallyBits = 4;
/** A key has a count in each of four rows of one block, so that all of them are in one line of the processor's cache. */
const rows = 4;
const rowLength = 16;
const blockBits = 6;
/** Counts are halved after so many uses an entry. */
const usesPerEntry = 10;

/**
 * Counts uses by the hashes of keys. It grows with the cache, and needs 4 to 8 bytes an entry. A key that is held has a tally, a
 * number that only the sketch can read: how often the key was used, and up to which halving.
 */
export class FrequencySketch {
  #counts = new Uint8Array(2 ** (blockBits + 4));
  #uses = 0;
  #halvings = 0;

  /** The tally of a key that has come in, which counts as a use. @param entries of the cache, with this one */
  enter(hash: number, entries: number): number {
    while (rows * entries > this.#counts.length) this.#grow();
    return this.#count(this.of(hash), entries);
  }

  /** The tally of a key that is used once more. */
  use(tally: number, entries: number): number {
    return this.#count(this.usesIn(tally), entries);
  }

  /** Remembers a key that leaves. */
  leave(hash: number, tally: number): void {
    const counts = this.#counts;
    const mixed = mix(hash);
    const block = blockOf(mixed, counts.length);
    const uses = this.usesIn(tally);
    // One by one: a loop over the rows takes V8 twice as long.
    raise(counts, block + place0(mixed), uses);
    raise(counts, block + place1(mixed), uses);
    raise(counts, block + place2(mixed), uses);
    raise(counts, block + place3(mixed), uses);
  }

  /** How often a key was used that is held: at most 15. */
  usesIn(tally: number): number {
    const missed = this.#halvings - (tally >>> tallyBits);
    return missed > tallyBits ? 0 : (tally & most) >> missed;
  }

  /** How often a key was used that is not held: at least that often, but for the halving, and at most 15. */
  of(hash: number): number {
    const counts = this.#counts;
    const mixed = mix(hash);
    const block = blockOf(mixed, counts.length);
    return lesser(
      lesser(counts[block + place0(mixed)]!, counts[block + place1(mixed)]!),
      lesser(counts[block + place2(mixed)]!, counts[block + place3(mixed)]!),
    );
  }

  /** One use more than so many, as a tally. */
  #count(uses: number, entries: number): number {
    const tally = this.#halvings << tallyBits;
    if (uses >= most) return tally + most;
    this.#uses += 1;
    if (this.#uses >= usesPerEntry * entries) this.#halve();
    return tally + uses + 1;
  }

  /** A key's block among twice as many is the old one or as far behind it: both begin with its counts. */
  #grow(): void {
    const old = this.#counts;
    this.#counts = new Uint8Array(2 * old.length);
    this.#counts.set(old);
    this.#counts.set(old, old.length);
  }

  #halve(): void {
    const words = new Uint32Array(this.#counts.buffer);
    for (let at = 0; at < words.length; at += 1) words[at] = (words[at]! >>> 1) & 0x07070707;
    this.#uses >>>= 1;
    this.#halvings += 1;
  }
}

function mix(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
}

/** Where the counts of a key begin. */
function blockOf(mixed: number, length: number): number {
  return ((Math.imul(mixed, 0x9e3779b1) >>> 5) << blockBits) & (length - 1);
}

// The place in each row has four bits of the hash of its own.
const place0 = (mixed: number) => (mixed >>> 16) & (rowLength - 1);
const place1 = (mixed: number) => rowLength + ((mixed >>> 20) & (rowLength - 1));
const place2 = (mixed: number) => 2 * rowLength + ((mixed >>> 24) & (rowLength - 1));
const place3 = (mixed: number) => 3 * rowLength + (mixed >>> 28);

function raise(counts: Uint8Array, at: number, uses: number): void {
  const count = counts[at]!;
  counts[at] = count + uses - lesser(count, uses);
}

/** Without a branch, whose way the processor would guess wrong too often. */
function lesser(a: number, b: number): number {
  return b + ((a - b) & ((a - b) >> 31));
}
