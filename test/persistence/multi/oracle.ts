/**
 * What keys that all processes write may hold, judged from outside. Each process tells what it is about to do with its
 * stamps, and what was acknowledged. Of what was told but not acknowledged, anything may be there or not.
 */

import { compareStamps, type Stamp } from '../../../src/stamp.js';
import type { Message } from '../../helper/child-process.js';

/** Something that a process does. */
export type Change =
  | {
      readonly kind: 'set';
      readonly number: number;
      readonly value: string;
      readonly tag?: string;
      readonly stamp: Stamp;
    }
  | { readonly kind: 'delete'; readonly number: number; readonly stamp: Stamp }
  | { readonly kind: 'clear'; readonly method: string; readonly stamp: Stamp }
  | { readonly kind: 'invalidate'; readonly tag: string; readonly stamp: Stamp };

/** What was read of a key: a value and its stamp, or that there is none. */
export interface Seen {
  readonly number: number;
  readonly value: string | null;
  readonly stamp: Stamp | null;
  /** When it had been read, in epoch ms, where the clocks of all processes agree. */
  readonly at?: number;
}

/** Keys below this are written and deleted by all. */
export const keyCount = 300;
/** Keys that are there from the start: all write `kept` ones but nobody deletes them, and `fixed` ones stay. */
export const stored = { from: 2_000, to: 2_010 };
export const fixed = { from: 1_000, to: 1_040 };

/** The method that the key of a number belongs to. Odd ones below 1000 can be cleared. */
export function methodOf(number: number): string {
  return number < 1_000 && number % 2 === 1 ? 'fetch' : 'search';
}

interface Told {
  readonly change: Change;
  isAcknowledged: boolean;
  /** Whether it turned out not to have been written when nobody was left who could have. */
  isVoid: boolean;
}

/** What is known of a key: nothing older than `stamp` may be read, and that one only where `isValue`. */
interface Floor {
  readonly stamp: Stamp;
  readonly isValue: boolean;
}

/** Stamps run ahead of the clock by some microseconds where many are given out at once, in ms. */
const clockSlack = 2;

export class Oracle {
  readonly #byStamp = new Map<string, Told>();
  readonly #byKey = new Map<number, Told[]>();
  readonly #covers: Told[] = [];
  /** What was read when all were dead. */
  readonly #rested = new Map<number, Floor>();
  readonly #newestOf = new Map<string, Stamp>();
  readonly #readers = new Map<string, Map<number, Floor>>();
  readonly wrong: string[] = [];
  acknowledged = 0;
  acknowledgedChanges = 0;

  get numbers(): Iterable<number> {
    return this.#byKey.keys();
  }

  /** Takes in what a process has told of what it does, in the order that it did. */
  take(messages: readonly Message[]): void {
    const attempts = new Map<unknown, Told[]>();
    for (const [kind, round, changes] of messages) {
      if (kind === 'attempt') {
        attempts.set(
          round,
          (changes as Change[]).map((change) => this.#attempt(change)),
        );
      } else if (kind === 'acknowledged') {
        this.acknowledged += 1;
        for (const told of attempts.get(round) ?? []) {
          told.isAcknowledged = true;
          this.acknowledgedChanges += 1;
        }
      }
    }
  }

  /** Judges what is read once all who were writing are dead; from then on it stays so until it is changed again. */
  judgeAtRest(seen: Seen): void {
    const { number, stamp } = seen;
    const changes = this.#byKey.get(number) ?? [];
    this.#judge(seen, this.#newestFloor(number), 'at rest');
    if (stamp === null) {
      // What was acknowledged until now is gone for good.
      const last = newestOf(changes.filter(({ isAcknowledged }) => isAcknowledged));
      if (last !== undefined) this.#rested.set(number, { stamp: last, isValue: false });
    } else {
      const told = this.#byStamp.get(idOf(stamp));
      for (const cover of this.#covers) {
        if (told === undefined || !covers(cover.change, told.change)) continue;
        if (cover.isAcknowledged) this.#complain(seen, `at rest, though covered by ${show(cover.change)}`);
        else cover.isVoid = true;
      }
      if (told !== undefined) told.isAcknowledged = true;
      this.#rested.set(number, { stamp, isValue: true });
    }
    for (const told of changes) {
      const isNewer = stamp === null || compareStamps(told.change.stamp, stamp) > 0;
      if (!told.isAcknowledged && isNewer) told.isVoid = true;
    }
  }

  /** Judges a process's reading of a key right after its own change of it was acknowledged. */
  judgeOwnRead(seen: Seen, own: Stamp): void {
    const isValue = this.#byStamp.get(idOf(own))?.change.kind === 'set';
    this.#judge(seen, { stamp: own, isValue }, 'read by who wrote it');
  }

  /** A reader has started, after all that was told until now. */
  startReader(reader: string): void {
    const floors = new Map<number, Floor>();
    for (const number of this.numbers) {
      const floor = this.#newestFloor(number);
      if (floor !== undefined) floors.set(number, floor);
    }
    this.#readers.set(reader, floors);
  }

  /** Judges what one reader has seen of its keys in turn: nothing acknowledged goes back. */
  judgeReader(reader: string, readings: readonly Seen[]): void {
    const floors = this.#readers.get(reader)!;
    for (const seen of readings) {
      const floor = floors.get(seen.number);
      this.#judge(seen, floor, 'seen by a reader');
      const next = seen.stamp === null ? this.#floorOfNull(seen, floor) : this.#floorOf(seen.stamp);
      // A change that was not acknowledged may be taken back: the file that it went to was taken away.
      if (next !== undefined) floors.set(seen.number, next);
    }
  }

  #attempt(change: Change): Told {
    const { stamp } = change;
    const before = this.#newestOf.get(stamp.writer);
    if (before !== undefined && compareStamps(stamp, before) <= 0) {
      this.wrong.push(`${show(change)} is not newer than what its writer did before`);
    }
    this.#newestOf.set(stamp.writer, stamp);
    const told = { change, isAcknowledged: false, isVoid: false };
    this.#byStamp.set(idOf(stamp), told);
    if (change.kind === 'set' || change.kind === 'delete') {
      const known = this.#byKey.get(change.number);
      if (known === undefined) this.#byKey.set(change.number, [told]);
      else known.push(told);
    } else {
      this.#covers.push(told);
    }
    return told;
  }

  #judge(seen: Seen, floor: Floor | undefined, where: string): void {
    if (seen.stamp === null) {
      if (floor?.isValue === true && !this.#mayBeGone(seen, floor.stamp)) {
        this.#complain(seen, `${where}, though ${this.#showAt(floor.stamp)} was acknowledged: lost`);
      }
      return;
    }
    const told = this.#byStamp.get(idOf(seen.stamp));
    if (told?.change.kind !== 'set' || told.change.number !== seen.number) {
      this.#complain(seen, `${where}, which nobody wrote`);
    } else if (told.change.value !== seen.value) {
      this.#complain(seen, `${where}, not what was written with its stamp: ${told.change.value}`);
    } else if (told.isVoid && where === 'at rest') {
      this.#complain(seen, `${where}, which was not there when it should have been`);
    } else if (floor !== undefined) {
      const order = compareStamps(seen.stamp, floor.stamp);
      if (order > 0 || (order === 0 && floor.isValue)) return;
      const what = floor.isValue ? 'lost' : 'resurrected';
      this.#complain(seen, `${where}, though ${this.#showAt(floor.stamp)} came after: ${what}`);
    }
  }

  /** Whether something that may be there takes the key away, other than what is older than the stamp. */
  #mayBeGone({ number, at }: Seen, since: Stamp): boolean {
    const isPossible = ({ change, isVoid }: Told) =>
      at === undefined ? !isVoid : change.stamp.time <= (at + clockSlack) * 1_000;
    return (this.#byKey.get(number) ?? []).some((told) => {
      if (compareStamps(told.change.stamp, since) < 0 || !isPossible(told)) return false;
      if (told.change.kind === 'delete') return true;
      return this.#covers.some((cover) => isPossible(cover) && covers(cover.change, told.change));
    });
  }

  /** What holds of a key once everything acknowledged is known. */
  #newestFloor(number: number): Floor | undefined {
    const rested = this.#rested.get(number);
    const changes = this.#byKey.get(number) ?? [];
    const newest = newestOf(changes.filter(({ isAcknowledged }) => isAcknowledged));
    if (newest === undefined) return rested;
    const order = rested === undefined ? 1 : compareStamps(newest, rested.stamp);
    return order > 0 || (order === 0 && rested?.isValue === true) ? this.#floorAt(newest) : rested;
  }

  /** What holds from a change on, once all that covers it is known. */
  #floorAt(stamp: Stamp): Floor {
    const told = this.#byStamp.get(idOf(stamp));
    const isSet = told?.change.kind === 'set';
    const isCovered =
      isSet && this.#covers.some((each) => each.isAcknowledged && covers(each.change, told.change));
    return { stamp, isValue: isSet && !isCovered };
  }

  /** What a reader's having seen a value makes sure of. */
  #floorOf(stamp: Stamp): Floor | undefined {
    return this.#byStamp.get(idOf(stamp))?.isAcknowledged === true ? { stamp, isValue: true } : undefined;
  }

  /** What a reader's having found nothing makes sure of: the oldest of what can have been why, if that will last. */
  #floorOfNull({ number, at = Number.POSITIVE_INFINITY }: Seen, floor: Floor | undefined): Floor | undefined {
    if (floor === undefined) return undefined;
    const isPossible = ({ change }: Told) => change.stamp.time <= (at + clockSlack) * 1_000;
    let oldest: Stamp | undefined;
    for (const told of this.#byKey.get(number) ?? []) {
      const { change } = told;
      if (compareStamps(change.stamp, floor.stamp) < 0 || !isPossible(told)) continue;
      const takers =
        change.kind === 'delete'
          ? [told]
          : this.#covers.filter((each) => isPossible(each) && covers(each.change, change));
      if (takers.length === 0) continue;
      if (!told.isAcknowledged || takers.some(({ isAcknowledged }) => !isAcknowledged)) return undefined;
      if (oldest === undefined || compareStamps(change.stamp, oldest) < 0) oldest = change.stamp;
    }
    return oldest && { stamp: oldest, isValue: false };
  }

  #complain({ number, value, stamp }: Seen, text: string): void {
    this.wrong.push(`key ${number} is ${value} (${stamp === null ? 'none' : idOf(stamp)}) ${text}`);
  }

  #showAt(stamp: Stamp): string {
    const told = this.#byStamp.get(idOf(stamp));
    return told === undefined ? `what is of ${idOf(stamp)}` : show(told.change);
  }
}

function newestOf(told: readonly Told[]): Stamp | undefined {
  let newest: Stamp | undefined;
  for (const { change } of told) {
    if (newest === undefined || compareStamps(change.stamp, newest) > 0) newest = change.stamp;
  }
  return newest;
}

function covers(cover: Change, change: Change): boolean {
  if (change.kind !== 'set' || compareStamps(change.stamp, cover.stamp) > 0) return false;
  if (cover.kind === 'clear') return cover.method === methodOf(change.number);
  return cover.kind === 'invalidate' && cover.tag === change.tag;
}

function idOf({ time, writer }: Stamp): string {
  return `${time}:${writer}`;
}

function show(change: Change): string {
  const id = idOf(change.stamp);
  switch (change.kind) {
    case 'set':
      return `${change.value} (${id})`;
    case 'delete':
      return `its deletion (${id})`;
    case 'clear':
      return `the clearing of ${change.method} (${id})`;
    case 'invalidate':
      return `the invalidation of ${change.tag} (${id})`;
  }
}
