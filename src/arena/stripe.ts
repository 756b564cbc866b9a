/** A part of the arena: its entries, its loads under way, and the lock that both are changed under. */

import type { KeyWords } from './key-words.js';
import { type ArenaShape, at, due, entry, type StripeMemory } from './layout.js';
import { LoadRecords } from './load-records.js';
import { counter, type Members } from './members.js';
import { Ring } from './ring.js';
import type { Scratch } from './scratch.js';
import { StripeLock } from './stripe-lock.js';

/** What became of a write: `bypassed` where the lock could not be had, and then no older value is found any more. */
export type WriteOutcome = 'stored' | 'refused' | 'bypassed';

/** What came of a change. */
export interface Change<Outcome> {
  readonly outcome: Outcome;
  /** Whether another thread was loading the key. */
  readonly isLoadedElsewhere: boolean;
}

/** What reads an entry. */
export interface EntryTaker {
  /**
   * Takes what it needs, in memory of its own, and tells whether that has sense. Another thread may be changing the entry: then
   * what is taken is nonsense, and not used, but must lead nowhere and throw nothing.
   */
  take(memory: StripeMemory, place: number): boolean;
}

/** Attempts to read without the lock. */
const mostAttempts = 32;

/** The first word of a key, as one that is not 0. */
const tagOf = (firstWord: number) => (firstWord === 0 ? 1 : firstWord);

/** One thread's view of a stripe. */
export class Stripe {
  readonly #memory: StripeMemory;
  readonly #counters: Float64Array;
  readonly #lock: StripeLock;
  readonly #ring: Ring;
  readonly #loads: LoadRecords;

  constructor(
    memory: StripeMemory,
    { shape, members, id }: { readonly shape: ArenaShape; readonly members: Members; readonly id: number },
  ) {
    this.#memory = memory;
    this.#counters = members.countersOf(id);
    this.#lock = new StripeLock(memory.header, members, id);
    this.#ring = new Ring(memory, shape, this.#counters);
    this.#loads = new LoadRecords(memory, members, id);
  }

  /** Entries held. */
  get entries(): number {
    return this.#memory.header[at.entries]!;
  }

  /** Bytes of the entries held. */
  get bytes(): number {
    return this.#memory.header[at.live]! * 4;
  }

  /** The most words of an entry. */
  get largestEntry(): number {
    return this.#ring.largest;
  }

  /** Makes an empty stripe of new memory. */
  initialize(): void {
    this.#ring.reset();
  }

  /** Has the entry of a key taken, and tells whether there was one. */
  read(key: KeyWords, taker: EntryTaker, isUse = true): boolean {
    const { header } = this.#memory;
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const round = Atomics.load(header, at.round);
      const sequence = Atomics.load(header, at.sequence);
      if ((sequence & 1) !== 0) continue;
      if (Atomics.load(header, at.due) !== 0) break;
      const place = this.#ring.locate(key);
      const isTaken = place > 0 && taker.take(this.#memory, place);
      const isWhole =
        Atomics.add(header, at.sequence, 0) === sequence && Atomics.load(header, at.round) === round;
      if (!isWhole) continue;
      if (isTaken && isUse) this.#ring.visit(key[0]!);
      return isTaken;
    }
    return this.#readLocked(key, taker);
  }

  /**
   * Stores the entry in the scratch memory.
   *
   * @param load the stamp of the load it is the result of: it is refused where the key was changed since that began
   */
  write(
    key: KeyWords,
    scratch: Scratch,
    { now, load }: { now: number; load?: number | undefined },
  ): Change<WriteOutcome> {
    if (!this.#enter()) {
      // What a load comes to is no newer than what is there.
      if (load === undefined) this.#lock.leaveDeletion(tagOf(key[0]!));
      this.#counters[counter.bypassedWrites]! += 1;
      return { outcome: 'bypassed', isLoadedElsewhere: load === undefined };
    }
    try {
      const size = scratch.words[entry.size]!;
      const older = this.#ring.locate(key);
      if (load !== undefined) {
        const isOutdated =
          older > 0 &&
          this.#memory.ringNumbers[(older + entry.stamp) / 2]! > scratch.numbers[entry.stamp / 2]!;
        if (isOutdated || !this.#loads.has(key, load))
          return { outcome: 'refused', isLoadedElsewhere: false };
      }
      const isLoadedElsewhere = load === undefined && this.#loads.endAll(key);
      if (older > 0) {
        this.#ring.remove(older);
        this.#counters[counter.replaced]! += 1;
      }
      if (size > this.#ring.largest) return { outcome: 'refused', isLoadedElsewhere };
      this.#ring.insert(scratch.words, size, now);
      this.#counters[counter.sets]! += 1;
      return { outcome: 'stored', isLoadedElsewhere };
    } catch (error) {
      this.#lock.leaveReset();
      throw error;
    } finally {
      this.#lock.release();
    }
  }

  /** Deletes a key, which is counted as such. The outcome: whether there was an entry. */
  delete(key: KeyWords, as: number = counter.deleted): Change<boolean> {
    if (!this.#enter()) {
      this.#lock.leaveDeletion(tagOf(key[0]!));
      this.#counters[counter.bypassedWrites]! += 1;
      return { outcome: false, isLoadedElsewhere: true };
    }
    try {
      const place = this.#ring.locate(key);
      if (place > 0) {
        this.#ring.remove(place);
        this.#counters[as]! += 1;
      }
      return { outcome: place > 0, isLoadedElsewhere: this.#loads.endAll(key) };
    } catch (error) {
      this.#lock.leaveReset();
      throw error;
    } finally {
      this.#lock.release();
    }
  }

  /** Leaves a key to be deleted, where whoever deletes it can't wait: from now on nobody reads it. */
  leaveDeletion(key: KeyWords): void {
    this.#lock.leaveDeletion(tagOf(key[0]!));
  }

  /** Leaves all to be deleted. */
  leaveReset(): void {
    this.#lock.leaveReset();
  }

  /** Does something with the load records, and the stamps of entries; `undefined` where the lock could not be had. */
  withLoads<T>(use: (loads: LoadRecords, stampOf: (key: KeyWords) => number) => T): T | undefined {
    if (!this.#enter()) {
      this.#counters[counter.bypassedLoads]! += 1;
      return undefined;
    }
    try {
      return use(this.#loads, (key) => {
        const place = this.#ring.locate(key);
        return place > 0 ? this.#memory.ringNumbers[(place + entry.stamp) / 2]! : 0;
      });
    } catch (error) {
      this.#lock.leaveReset();
      throw error;
    } finally {
      this.#lock.release();
    }
  }

  /** Empties the stripe. */
  clear(): void {
    this.#lock.leaveReset();
    if (this.#enter()) this.#lock.release();
  }

  /** Has the entries of some words of the index taken, each in turn; skips them where the lock can't be had. */
  scan(from: number, to: number, taker: EntryTaker, found: (key: string) => void): void {
    if (!this.#enter()) return;
    try {
      for (let word = from; word < to; word += 1) {
        for (const place of this.#ring.placesOf(word)) {
          const first = (place + entry.key) * 4;
          if (taker.take(this.#memory, place)) found(this.#memory.bytes.toString('hex', first, first + 16));
        }
      }
    } finally {
      this.#lock.release();
    }
  }

  /** Resolves, or returns, once a load of this stripe has ended; after so many ms at the latest. */
  loadChange(): { readonly words: Int32Array; readonly at: number; readonly seen: number } {
    const words = this.#memory.header;
    return { words, at: at.loadChange, seen: Atomics.load(words, at.loadChange) };
  }

  /** Wakes who waits for a load that a dead thread was at. */
  wake(): void {
    Atomics.add(this.#memory.header, at.loadChange, 1);
    Atomics.notify(this.#memory.header, at.loadChange);
  }

  /** Frees the stripe from a holder that is dead. */
  repair(dead: number): void {
    this.#lock.repair(dead);
  }

  /** Notes when an entry that slides was read, unless another has taken its place, or the lock can't be had. */
  touch(key: KeyWords, { stamp, place: at, value }: { stamp: number; place: number; value: number }): void {
    if (!this.#enter()) return;
    try {
      const place = this.#ring.locate(key);
      const { ringNumbers } = this.#memory;
      if (place > 0 && ringNumbers[(place + entry.stamp) / 2] === stamp) ringNumbers[place / 2 + at] = value;
    } finally {
      this.#lock.release();
    }
  }

  /** Takes the lock, and first does what others have left to be done. */
  #enter(): boolean {
    if (!this.#lock.take()) return false;
    const left = this.#lock.takeDue();
    if (left === 0) return true;
    try {
      this.#settle(left);
    } catch (error) {
      this.#lock.leaveReset();
      this.#lock.release();
      throw error;
    }
    return true;
  }

  #settle(left: number): void {
    if ((left & due.reset) !== 0) {
      this.#ring.reset();
      this.#loads.reset();
      this.#counters[counter.resets]! += 1;
    }
    for (let tag = this.#lock.takeDeletion(); tag !== 0; tag = this.#lock.takeDeletion()) {
      const hasTag = (firstWord: number) => tagOf(firstWord) === tag;
      for (const firstWord of tag === 1 ? [0, 1] : [tag]) this.#ring.removeAll(hasTag, firstWord);
      this.#loads.endWhere(hasTag);
    }
  }

  #readLocked(key: KeyWords, taker: EntryTaker): boolean {
    if (!this.#enter()) {
      this.#counters[counter.bypassedReads]! += 1;
      return false;
    }
    try {
      const place = this.#ring.locate(key);
      return place > 0 && taker.take(this.#memory, place);
    } finally {
      this.#lock.release();
    }
  }
}
