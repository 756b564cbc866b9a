/**
 * The entries of a stripe in a ring, and their index. New entries come in at the head; at the tail a hand lets entries
 * leave, or moves those to the head that were read since it passed over them last.
 *
 * F. J. Corbató: A Paging Experiment with the Multics System, MIT Project MAC, 1968 (CLOCK). Reinsertion in place of a hand
 * that circles is the same order; as entries lie in it one after the other, there are no gaps of odd sizes to fill.
 */

import type { KeyWords } from './key-words.js';
import { type ArenaShape, at, entry, indexLine, ringStart, type StripeMemory } from './layout.js';
import { counter } from './members.js';

/** How many entries the hand moves for one that comes in, before it lets one leave though it was read. */
const mostMoves = 64;

/** And how many words, besides 8 times those that come in. */
const mostWordsMoved = 2 ** 14;

/** The share of the ring that live entries may have before the hand lets one leave rather than clear away what lies between. */
const fullShare = 0.75;

/** The last word of each line of the index: which of its buckets were visited. */
const visits = indexLine - 1;

const markOf = (bucket: number) => 1 << (bucket & visits);

/** Only who holds the lock of the stripe uses one, but for `locate`. */
export class Ring {
  readonly #memory: StripeMemory;
  readonly #shape: ArenaShape;
  readonly #counters: Float64Array;
  readonly #buckets: number;

  /** @param counters of this thread */
  constructor(memory: StripeMemory, shape: ArenaShape, counters: Float64Array) {
    this.#memory = memory;
    this.#shape = shape;
    this.#counters = counters;
    this.#buckets = (shape.indexWords / indexLine) * (indexLine - 1);
  }

  /** The most words an entry may have. */
  get largest(): number {
    return Math.floor((this.#shape.ringWords - ringStart) / 4) * 2;
  }

  /** The word of the index that is the bucket of a key. */
  bucketOf(firstWord: number): number {
    const hash = Math.imul(firstWord ^ this.#shape.seed, 0x9e3779b1) >>> 0;
    const bucket = Math.floor((hash / 2 ** 32) * this.#buckets);
    // Each line has a word more than buckets.
    return bucket + Math.floor(bucket / (indexLine - 1));
  }

  /**
   * The place of a key's entry; 0 is none, -1 a chain that is no chain, which only who doesn't hold the lock can meet.
   * It reads nothing but the stripe, wherever what it reads leads.
   */
  locate(key: KeyWords): number {
    const { index, ring } = this.#memory;
    const first = key[0]!;
    const second = key[1]!;
    const third = key[2]!;
    const fourth = key[3]!;
    let place = index[this.bucketOf(first)]!;
    for (let steps = 0; place !== 0; steps += 1) {
      // Beyond the ring there is `undefined`.
      if (
        ring[place + entry.key] === first &&
        ring[place + entry.key + 1] === second &&
        ring[place + entry.key + 2] === third &&
        ring[place + entry.key + 3] === fourth
      )
        return place;
      if (steps > this.#shape.maxEntries) return -1;
      place = ring[place + entry.next]! | 0;
    }
    return 0;
  }

  /** Notes that an entry was read. Any thread may, at any time: what is marked in error stays a little longer. */
  visit(firstWord: number): void {
    const { index } = this.#memory;
    const bucket = this.bucketOf(firstWord);
    const line = index[bucket | visits]!;
    if ((line & markOf(bucket)) === 0) index[bucket | visits] = line | markOf(bucket);
  }

  /** Puts an entry in that has no older one and is not too large; the words are complete but for their index. */
  insert(words: Int32Array, size: number, now: number): void {
    const { header, ring, index } = this.#memory;
    const place = this.#makeRoom(size, now);
    ring.set(words.subarray(0, size), place);
    const bucket = this.bucketOf(ring[place + entry.key]!);
    ring[place + entry.next] = index[bucket]!;
    index[bucket] = place;
    header[at.live]! += size;
    header[at.entries]! += 1;
  }

  /** Takes an entry out of the index. Its words stay until the hand comes to them. */
  remove(place: number): void {
    const { header, ring } = this.#memory;
    this.#relink(place, ring[place + entry.next]!);
    const size = ring[place + entry.size]!;
    ring[place + entry.size] = -size;
    header[at.live]! -= size;
    header[at.entries]! -= 1;
  }

  /** Takes out all entries of a bucket, that of this first word of a key, whose key's first word is such. */
  removeAll(hasTag: (firstWord: number) => boolean, firstWord: number): void {
    const { ring, index } = this.#memory;
    let place = index[this.bucketOf(firstWord)]!;
    while (place !== 0) {
      const next = ring[place + entry.next]!;
      if (hasTag(ring[place + entry.key]!)) this.remove(place);
      place = next;
    }
  }

  /** Takes out all entries. */
  reset(): void {
    const { header, index } = this.#memory;
    index.fill(0);
    header[at.head] = ringStart;
    header[at.tail] = ringStart;
    header[at.used] = 0;
    header[at.live] = 0;
    header[at.entries] = 0;
  }

  /** The places of the entries of a bucket, which a word of the index is, or is not. */
  placesOf(word: number): number[] {
    const { index, ring } = this.#memory;
    const places: number[] = [];
    if ((word & visits) === visits) return places;
    for (let place = index[word]!; place !== 0; place = ring[place + entry.next]!) places.push(place);
    return places;
  }

  /** Makes whoever points at an entry point elsewhere. */
  #relink(place: number, successor: number): void {
    const { ring, index } = this.#memory;
    const bucket = this.bucketOf(ring[place + entry.key]!);
    let before = index[bucket]!;
    if (before === place) {
      index[bucket] = successor;
      return;
    }
    while (ring[before + entry.next] !== place) before = ring[before + entry.next]!;
    ring[before + entry.next] = successor;
  }

  /** So many words in a row at the head. */
  #makeRoom(size: number, now: number): number {
    const { header } = this.#memory;
    const { ringWords, maxEntries } = this.#shape;
    const capacity = ringWords - ringStart;
    let moves = mostMoves;
    let words = mostWordsMoved + 8 * size;
    for (;;) {
      const isFull = header[at.entries]! >= maxEntries;
      const head = header[at.head]!;
      const wanted = head + size <= ringWords ? size : ringWords - head + size;
      if (!isFull && header[at.used]! + wanted <= capacity) return this.#take(size);
      const moved = this.#advance(now, isFull, moves > 0 ? words : 0);
      if (moved > 0) moves -= 1;
      words -= moved;
    }
  }

  /** Words at the head, where there are enough. What is left at the end of the ring is passed over. */
  #take(size: number): number {
    const { header, ring } = this.#memory;
    const { ringWords } = this.#shape;
    let head = header[at.head]!;
    if (head + size > ringWords) {
      const rest = ringWords - head;
      if (rest > 0) ring[head + entry.size] = -rest;
      header[at.used]! += rest;
      head = ringStart;
    }
    header[at.head] = head + size;
    header[at.used]! += size;
    return head;
  }

  /** Moves the hand over one entry: it leaves, or is moved to the head. Tells how many words were moved. */
  #advance(now: number, isFull: boolean, mostWords: number): number {
    const { header, ring, ringNumbers, index } = this.#memory;
    const { ringWords } = this.#shape;
    let tail = header[at.tail]!;
    if (tail >= ringWords) tail = ringStart;
    const size = ring[tail + entry.size]!;
    header[at.tail] = tail + Math.abs(size);
    header[at.used]! -= Math.abs(size);
    if (size < 0) return 0;
    const isExpired = ringNumbers[(tail + entry.expiresAt) / 2]! <= now;
    const bucket = this.bucketOf(ring[tail + entry.key]!);
    const isVisited = (index[bucket | visits]! & markOf(bucket)) !== 0;
    const isSparse = !isFull && header[at.live]! <= (ringWords - ringStart) * fullShare;
    if (isExpired || size > mostWords || (!isVisited && !isSparse)) {
      this.remove(tail);
      this.#counters[isExpired ? counter.expired : counter.evicted]! += 1;
      return 0;
    }
    index[bucket | visits]! &= ~markOf(bucket);
    const place = this.#take(size);
    this.#relink(tail, place);
    ring.copyWithin(place, tail, tail + size);
    this.#counters[counter.moved]! += 1;
    return size;
  }
}
