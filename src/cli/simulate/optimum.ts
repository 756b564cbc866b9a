/**
 * What no eviction policy can exceed, knowing the future.
 *
 * Where all values have one size: Belady's algorithm, which evicts what is used again latest and is optimal among caches
 * that store what they load. László A. Belady: A study of replacement algorithms for a virtual-storage computer, IBM
 * Systems Journal 5(2), 1966. Where sizes differ the optimum is NP-hard; then PFOO-L, a lower bound of the misses:
 * between two lookups of a key its value takes bytes × lookups of the cache's room, and the most valuable
 * stretches for their room are taken until the room of the whole trace is used up. Daniel S. Berger, Nathan Beckmann,
 * Mor Harchol-Balter: Practical Bounds on Optimal Caching with Variable Object Sizes, Proc. ACM Meas. Anal. Comput. Syst.
 * 2(2), 2018.
 */

import type { AccessTrace } from './access-trace.js';
import { MaxSet } from './max-set.js';
import type { Answered } from './simulation.js';

/** The ceiling of one size. */
export interface Optimum extends Answered {
  /** Whether `hits` can be reached, by Belady's algorithm; else all figures are upper bounds. */
  readonly isExact: boolean;
}

/** The place of the next lookup of the same key, for each lookup; `keys.length` where there is none. */
export function nextUses(keys: Int32Array, keyCount: number): Int32Array {
  const next = new Int32Array(keys.length);
  const seen = new Int32Array(keyCount).fill(keys.length);
  for (let at = keys.length - 1; at >= 0; at -= 1) {
    const key = keys[at] as number;
    next[at] = seen[key] as number;
    seen[key] = at;
  }
  return next;
}

/** Tells what a trace could have been answered at best. */
export class OptimumFinder {
  readonly #trace: AccessTrace;
  readonly #next: Int32Array;
  /** Bytes of every value, where all have as many. */
  readonly #equalBytes: number | undefined;
  readonly #equalCost: number | undefined;
  /** Used again for each bound: they take 16 MiB. */
  readonly #groups = new DensityGroups();

  constructor(trace: AccessTrace) {
    this.#trace = trace;
    this.#next = nextUses(trace.keys, trace.bytes.length);
    this.#equalBytes = onlyOne(trace.bytes);
    this.#equalCost = onlyOne(trace.costs);
  }

  /** @param maxBytes the size of the cache; where the trace knows no sizes, in entries */
  at(maxBytes: number): Optimum {
    const { bytes, costs, keys } = this.#trace;
    const cost = this.#equalCost;
    const costOf = (next: number) => costs[next] as number;
    const sizeOf = (next: number) => bytes[keys[next] as number] as number;
    const size = this.#equalBytes;
    if (size !== undefined) {
      const hits = beladyHits(this.#trace, this.#next, Math.floor(maxBytes / size));
      const savedMs = cost === undefined ? this.#bound(maxBytes, costOf) : hits * cost;
      return { hits, hitBytes: hits * size, savedMs, isExact: true };
    }
    const hits = Math.floor(this.#bound(maxBytes, () => 1));
    const savedMs = cost === undefined ? this.#bound(maxBytes, costOf) : hits * cost;
    return { hits, hitBytes: this.#bound(maxBytes, sizeOf), savedMs, isExact: false };
  }

  /** The most that hits can be worth together. @param worthOf the worth of answering a lookup from the cache */
  #bound(maxBytes: number, worthOf: (at: number) => number): number {
    const { bytes, keys } = this.#trace;
    const next = this.#next;
    const groups = this.#groups;
    groups.clear();
    for (let at = 0; at < keys.length; at += 1) {
      const until = next[at] as number;
      const size = bytes[keys[at] as number] as number;
      if (until < keys.length && size <= maxBytes) groups.add(worthOf(until), size * (until - at));
    }
    return groups.mostIn(maxBytes * (keys.length - 1));
  }
}

/** Bits of a double's upper half that tell two groups apart: sign, exponent and 9 bits of the fraction. */
const groupShift = 11;
const groupCount = 2 ** 20;

/** Stretches grouped by their worth for their room, to 0.2 %: sorting millions would take longer than all else. */
class DensityGroups {
  readonly #worth = new Float64Array(groupCount);
  readonly #room = new Float64Array(groupCount);
  readonly #double = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#double.buffer);
  /** Where the upper half lies in memory. */
  readonly #upper = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

  clear(): void {
    this.#worth.fill(0);
    this.#room.fill(0);
  }

  add(worth: number, room: number): void {
    if (worth <= 0) return;
    this.#double[0] = worth / room;
    const group = (this.#halves[this.#upper] as number) >>> groupShift;
    this.#worth[group]! += worth;
    this.#room[group]! += room;
  }

  /** The most worth that fits; of the group that fits in part, as much as its best would come to. */
  mostIn(room: number): number {
    let left = room;
    let worth = 0;
    for (let group = groupCount - 1; group >= 0; group -= 1) {
      const needed = this.#room[group] as number;
      if (needed === 0) continue;
      if (needed > left) return worth + Math.min(this.#worth[group] as number, left * this.#best(group));
      left -= needed;
      worth += this.#worth[group] as number;
    }
    return worth;
  }

  /** The worth for its room that no member of the group exceeds. */
  #best(group: number): number {
    this.#double[0] = 0;
    this.#halves[this.#upper] = ((group + 1) << groupShift) >>> 0;
    return this.#double[0] as number;
  }
}

/** Hits of Belady's algorithm in a cache of so many entries. */
export function beladyHits({ keys, bytes }: AccessTrace, next: Int32Array, maxSize: number): number {
  if (maxSize < 1) return 0;
  const isHeld = new Uint8Array(bytes.length);
  /** The next lookups of what is held and used again. */
  const uses = new MaxSet(keys.length);
  /** How many are held that are not used again: they leave first. */
  let unused = 0;
  let size = 0;
  let hits = 0;
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at] as number;
    if (isHeld[key] === 1) {
      hits += 1;
      uses.delete(at);
    } else {
      if (size < maxSize) size += 1;
      else if (unused > 0) unused -= 1;
      else isHeld[keys[uses.takeMax()] as number] = 0;
      isHeld[key] = 1;
    }
    const use = next[at] as number;
    if (use === keys.length) unused += 1;
    else uses.add(use);
  }
  return hits;
}

/** The number that all are, if they are. */
function onlyOne(numbers: Float64Array | Float32Array): number | undefined {
  const first = numbers[0] ?? 0;
  for (const each of numbers) if (each !== first) return undefined;
  return first;
}
