/**
 * How often keys were used lately, in a few bits each: a count-min sketch whose counts are halved now and then.
 *
 * Gil Einziger, Roy Friedman, Ben Manes: TinyLFU: A Highly Efficient Cache Admission Policy, ACM Transactions on Storage
 * 13(4), 2017.
 */

/** A count of four bits, in a byte of its own. */
const most = 15;
/** A key has a count in each row of one block, so that all of them are in one line of the processor's cache. */
const rows = 4;
const rowBits = 4;
const blockBits = 6;
/** Counts are halved after so many uses an entry. */
const usesPerEntry = 10;

/** Counts uses by the hashes of keys. It grows with the cache, and needs 4 to 8 bytes an entry. */
export class FrequencySketch {
  #counts = new Uint8Array(2 ** (blockBits + 4));
  #uses = 0;

  /** Counts a use in a cache of so many entries. */
  count(hash: number, entries: number): void {
    while (rows * entries > this.#counts.length) this.#grow();
    const mixed = mix(hash);
    let at = this.#blockOf(mixed);
    let isCounted = false;
    for (let row = 0; row < rows; row += 1, at += 2 ** rowBits) {
      const place = at + placeIn(mixed, row);
      if (this.#counts[place]! >= most) continue;
      this.#counts[place]! += 1;
      isCounted = true;
    }
    if (!isCounted) return;
    this.#uses += 1;
    if (this.#uses >= usesPerEntry * Math.max(entries, 1)) this.#halve();
  }

  /** How often a key was used: at least that often, but for the halving, and at most 15. */
  of(hash: number): number {
    const mixed = mix(hash);
    let at = this.#blockOf(mixed);
    let least = most;
    for (let row = 0; row < rows; row += 1, at += 2 ** rowBits)
      least = Math.min(least, this.#counts[at + placeIn(mixed, row)]!);
    return least;
  }

  #blockOf(mixed: number): number {
    return ((Math.imul(mixed, 0x9e3779b1) >>> 5) << blockBits) & (this.#counts.length - 1);
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
  }
}

function mix(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
}

/** Four bits of its own for each row. */
function placeIn(mixed: number, row: number): number {
  return (mixed >>> (16 + rowBits * row)) & (2 ** rowBits - 1);
}
