/** The lock of a stripe, and the sequence by which readers do without it. */

import { at, due, mostDeletions } from './layout.js';
import type { Members } from './members.js';

/** A call waits no longer for a lock, in ms. */
export const mostWaitMs = 2;

/** Attempts in a row before the thread sleeps between two. */
const spins = 100;

/** How long it sleeps, in ms. */
const sleepMs = 0.05;

/** A word that nobody changes, to sleep on. */
const idle = new Int32Array(new SharedArrayBuffer(4));

/**
 * A lock that one thread holds for some microseconds at a time, and a sequence number that is odd meanwhile (a seqlock).
 *
 * Why a reader that finds the sequence even and the same before and after has seen no half-made change: its last look is an
 * `Atomics.add` of 0, thus a write in the total order of the sequence's writes. The next writer's `Atomics.add` comes after
 * it in that order and synchronizes with it, so all that the reader has read *happens before* all that this writer writes,
 * and none of it can be seen. A load in its place would not order the reads before it (Hans-J. Boehm: Can Seqlocks Get Along
 * with Programming Language Memory Models?, MSPC 2012). The same number again after 2^32 changes is told apart by `round`.
 *
 * A change that can't get the lock must not leave an outdated value behind: it leaves the key to be deleted (`due`) and goes
 * its way. Whoever holds the lock next deletes it first; readers see that something is due, and take the lock themselves.
 */
export class StripeLock {
  readonly #header: Int32Array;
  readonly #members: Members;
  readonly #id: number;

  constructor(header: Int32Array, members: Members, id: number) {
    this.#header = header;
    this.#members = members;
    this.#id = id;
  }

  /** Takes the lock, and tells whether it could be had in time. */
  take(): boolean {
    const header = this.#header;
    if (Atomics.compareExchange(header, at.lock, 0, this.#id) !== 0 && !this.#wait()) return false;
    // Who is taken for dead has lost its right to anything: its port was closed.
    if (!this.#members.isAlive(this.#id)) {
      Atomics.compareExchange(header, at.lock, this.#id, 0);
      return false;
    }
    if (Atomics.add(header, at.sequence, 1) === -2) Atomics.add(header, at.round, 1);
    return true;
  }

  /** Gives the lock back. */
  release(): void {
    Atomics.add(this.#header, at.sequence, 1);
    Atomics.store(this.#header, at.lock, 0);
  }

  /** What others have left to be done, which whoever holds the lock does first. */
  takeDue(): number {
    return Atomics.load(this.#header, at.due) === 0 ? 0 : Atomics.exchange(this.#header, at.due, 0);
  }

  /** The next key that is to be deleted, by its tag; 0 is none. */
  takeDeletion(): number {
    for (let place = at.deletions; place < at.deletions + mostDeletions; place += 1) {
      const tag = Atomics.load(this.#header, place);
      if (tag !== 0) return Atomics.exchange(this.#header, place, 0);
    }
    return 0;
  }

  /** Leaves a key to be deleted: from now on nobody reads it. */
  leaveDeletion(tag: number): void {
    if (!this.#noteDeletion(tag)) this.leaveReset();
  }

  /** Leaves the stripe to be emptied: from now on nobody reads it. */
  leaveReset(): void {
    Atomics.or(this.#header, at.due, due.reset);
  }

  #noteDeletion(tag: number): boolean {
    for (let place = at.deletions; place < at.deletions + mostDeletions; place += 1) {
      // What is noted already will be deleted after this moment, or is being so.
      const noted = Atomics.compareExchange(this.#header, place, 0, tag);
      if (noted !== 0 && noted !== tag) continue;
      Atomics.or(this.#header, at.due, due.deletions);
      return true;
    }
    return false;
  }

  /** Takes the lock away from a holder that is dead. What it may have left half-made is emptied. */
  repair(dead: number): boolean {
    if (Atomics.load(this.#header, at.lock) !== dead) return false;
    this.leaveReset();
    if ((Atomics.load(this.#header, at.sequence) & 1) !== 0) Atomics.add(this.#header, at.sequence, 1);
    Atomics.store(this.#header, at.lock, 0);
    return true;
  }

  #wait(): boolean {
    const until = performance.now() + mostWaitMs;
    for (let attempt = 1; ; attempt += 1) {
      if (Atomics.compareExchange(this.#header, at.lock, 0, this.#id) === 0) return true;
      if (attempt < spins) continue;
      const left = until - performance.now();
      if (left <= 0) return false;
      Atomics.wait(idle, 0, 0, Math.min(left, sleepMs));
    }
  }
}
