/** The loads under way of a stripe's keys: what came to a key since its load began is newer than what the load comes to. */

import type { KeyWords } from './key-words.js';
import { at, loadWords, mostLoads, type StripeMemory } from './layout.js';
import type { Members } from './members.js';

/** Words of a record, after the four of the key. */
const holderWord = 4;
const turnWord = 5;

/**
 * A record is made when a load begins, and is gone once its key was set or deleted; only the result of a load whose
 * record is still there is stored. Records are bounded: the oldest make room, and their loads are not stored.
 *
 * A turn is a record that makes the loads of other threads wait. That of a dead thread counts for nothing.
 *
 * Only who holds the lock of the stripe uses it, but for `waitForChange`.
 */
export class LoadRecords {
  readonly #memory: StripeMemory;
  readonly #members: Members;
  readonly #id: number;

  constructor(memory: StripeMemory, members: Members, id: number) {
    this.#memory = memory;
    this.#members = members;
    this.#id = id;
  }

  /** A load begins, or a turn. @param stamp tells it from all others */
  begin(key: KeyWords, stamp: number, isTurn: boolean): void {
    const { header, loads, loadStamps } = this.#memory;
    const record = this.#free();
    loads.set(key, record * loadWords);
    loads[record * loadWords + holderWord] = this.#id;
    loads[record * loadWords + turnWord] = isTurn ? 1 : 0;
    loadStamps[record] = stamp;
    header[at.loads]! += 1;
  }

  /** Whether the record of a load is there. */
  has(key: KeyWords, stamp: number): boolean {
    return this.#find(key, (record) => this.#memory.loadStamps[record] === stamp) >= 0;
  }

  /** A load or a turn is over. */
  end(key: KeyWords, stamp: number): void {
    const record = this.#find(key, (each) => this.#memory.loadStamps[each] === stamp);
    if (record >= 0) this.#drop(record);
  }

  /** The id of the other thread whose turn it is to load this key; 0 is none. `died`: there was one, which is dead. */
  turnOf(key: KeyWords): { readonly holder: number; readonly died: boolean } {
    let died = false;
    for (;;) {
      const record = this.#find(key, (each) => this.#memory.loads[each * loadWords + turnWord] === 1);
      if (record < 0) return { holder: 0, died };
      const holder = this.#memory.loads[record * loadWords + holderWord]!;
      if (this.#members.isAlive(holder)) return { holder, died };
      this.#drop(record);
      died = true;
    }
  }

  /** The key was set or deleted. Tells whether another thread is loading it. */
  endAll(key: KeyWords): boolean {
    let isOthers = false;
    for (let record = this.#find(key); record >= 0; record = this.#find(key)) {
      isOthers ||= this.#memory.loads[record * loadWords + holderWord] !== this.#id;
      this.#drop(record);
    }
    return isOthers;
  }

  /** Keys whose first word is such were set or deleted. */
  endWhere(hasTag: (firstWord: number) => boolean): void {
    const { loads } = this.#memory;
    for (let record = 0; record < mostLoads; record += 1)
      if (this.#isUsed(record) && hasTag(loads[record * loadWords]!)) this.#drop(record);
  }

  reset(): void {
    this.#memory.loads.fill(0);
    this.#memory.header[at.loads] = 0;
    this.#tell();
  }

  #drop(record: number): void {
    this.#memory.loads[record * loadWords + holderWord] = 0;
    this.#memory.header[at.loads]! -= 1;
    this.#tell();
  }

  /** Wakes those who wait for a load to end. */
  #tell(): void {
    Atomics.add(this.#memory.header, at.loadChange, 1);
    Atomics.notify(this.#memory.header, at.loadChange);
  }

  #isUsed(record: number): boolean {
    return this.#memory.loads[record * loadWords + holderWord] !== 0;
  }

  #find(key: KeyWords, isIt: (record: number) => boolean = () => true): number {
    const { header, loads } = this.#memory;
    if (header[at.loads] === 0) return -1;
    for (let record = 0; record < mostLoads; record += 1) {
      const first = record * loadWords;
      if (
        loads[first] === key[0] &&
        this.#isUsed(record) &&
        loads[first + 1] === key[1] &&
        loads[first + 2] === key[2] &&
        loads[first + 3] === key[3] &&
        isIt(record)
      )
        return record;
    }
    return -1;
  }

  /** A record that nobody uses, or else the oldest. */
  #free(): number {
    const { header } = this.#memory;
    if (header[at.loads]! < mostLoads)
      for (let record = 0; record < mostLoads; record += 1) if (!this.#isUsed(record)) return record;
    const oldest = header[at.nextLoad]!;
    header[at.nextLoad] = (oldest + 1) % mostLoads;
    this.#drop(oldest);
    return oldest;
  }
}
