/**
 * Which window would answer most: caches of several windows, simulated in small on a sample of the keys.
 *
 * Carl Waldspurger, Trausti Saemundsson, Irfan Ahmad, Nohhyun Park: Cache Modeling and Optimization using Miniature
 * Simulations, USENIX ATC 2017; the sample is spatial, by the hashes of keys, as in their SHARDS (FAST 2015).
 */

import type { FrequencySketch } from './frequency-sketch.js';
import type { StoreEntry } from './store.js';
import { WindowOrder } from './window-order.js';

/** The windows in the race, as shares of all entries: LRU, W-TinyLFU as published, and between. */
export const windowShares = [1, 0.01, 0.2] as const;
const lru = windowShares.indexOf(1);
const narrow = windowShares.indexOf(0.01);

/** Entries that each simulated cache holds at most. */
const mostSimulated = 512;
/** As few once no other window was taken for a while: so many lookups for each simulated entry. */
const fewSimulated = 64;
const calmAfter = 40;
/** A window is taken once it has answered so many lookups more, as a share of the simulated entries. */
const firstLead = 0.05;
/** After the first change, so that two that are alike don't take turns: LRU sooner, because recency is the way of agents. */
const laterLead = 0.25;
const laterLeadOfLru = 0.15;
const leastLead = 2;
/** A drought: so many lookups that no window answers, as a share of the simulated entries; each answer takes some off. */
const droughtShare = 0.15;
const leastDrought = 32;
/** So much longer must it be while the cache fills. */
const droughtOfFilling = 3;
const reliefOfHit = 8;

/** What is known of the race. */
export interface RaceStanding {
  /** The share of the window that is taken. */
  readonly windowShare: number;
  /** Lookups of sampled keys of late. */
  readonly lookups: number;
  /** How many of them each of `windowShares` has answered. */
  readonly hits: readonly number[];
  /** How often another window was taken. */
  readonly changes: number;
}

/**
 * Simulates all windows and tells which to take. A window is left for one that leads clearly. LRU is also left for the narrow
 * window in a drought, before its entries are gone: where nothing is answered, nothing is lost by keeping what there is.
 */
export class WindowRace {
  readonly #sketch: FrequencySketch;
  #current: number;
  #shadows: WindowOrder<StoreEntry>[] = [];
  /** Entries of the cache when the simulations were begun; 0 before. */
  #entries = 0;
  #most = 0;
  /** Lookups of sampled keys since a window was taken. */
  #sinceChange = 0;
  /** Entries of a simulated cache. */
  #room = 0;
  /** Hashes below it are sampled. */
  #sampledBelow = 2 ** 32;
  /** By how many hits each window leads the current one. */
  #leads = windowShares.map(() => 0);
  #hits = windowShares.map(() => 0);
  #lookups = 0;
  #drought = 0;
  #changes = 0;

  constructor(sketch: FrequencySketch, windowShare: (typeof windowShares)[number]) {
    this.#sketch = sketch;
    this.#current = windowShares.indexOf(windowShare);
  }

  get windowShare(): number {
    return windowShares[this.#current] as number;
  }

  get standing(): RaceStanding {
    const { windowShare } = this;
    return { windowShare, lookups: this.#lookups, hits: [...this.#hits], changes: this.#changes };
  }

  /** The cache is full: the simulations begin with what it holds, and anew where it has come to hold twice or half as much. */
  full(order: WindowOrder<StoreEntry>): void {
    const { size } = order;
    const most = this.#sinceChange > calmAfter * mostSimulated ? fewSimulated : mostSimulated;
    if (most === this.#most && size <= 2 * this.#entries && size >= this.#entries / 2) return;
    this.#most = most;
    if (this.#entries === 0 && this.#isDrought(size * droughtOfFilling)) this.#take(narrow);
    this.#entries = size;
    const rate = Math.min(1, most / size);
    this.#sampledBelow = rate * 2 ** 32;
    this.#room = Math.max(1, Math.round(rate * size));
    this.#shadows = windowShares.map((share) => new WindowOrder(this.#room, this.#sketch, share));
    this.#drought = 0;
    for (const { hash, entry } of order.inOrder())
      if (entry !== undefined && this.#isSampled(hash)) this.#visit(entry.key);
    this.#hits.fill(0);
    this.#leads.fill(0);
    this.#lookups = 0;
  }

  /** A key was looked up and, if it was not there, set. */
  used(hash: number, key: string, isHit: boolean): void {
    if (this.#entries === 0) this.#countDrought(isHit);
    else if (this.#isSampled(hash)) this.#judge(this.#visit(key));
  }

  /** The cache is empty. */
  reset(): void {
    this.#entries = 0;
    this.#shadows = [];
    this.#drought = 0;
  }

  #isSampled(hash: number): boolean {
    return Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) >>> 0 < this.#sampledBelow;
  }

  /** Looks a key up in all simulated caches, and tells which had it, a bit for each. */
  #visit(key: string): number {
    const entry: StoreEntry = { key, bytes: 1, expiresAt: null, loadMs: 0 };
    let found = 0;
    for (let at = 0; at < this.#shadows.length; at += 1) {
      const shadow = this.#shadows[at]!;
      if (shadow.use(key) !== undefined) {
        found |= 1 << at;
        this.#hits[at]! += 1;
      } else {
        if (shadow.size >= this.#room) shadow.evict(undefined);
        shadow.insert(entry);
      }
    }
    this.#lookups += 1;
    return found;
  }

  #judge(found: number): void {
    this.#sinceChange += 1;
    const isHit = (found >> this.#current) & 1;
    let best = -1;
    for (let at = 0; at < this.#leads.length; at += 1) {
      this.#leads[at] = Math.max(0, this.#leads[at]! + ((found >> at) & 1) - isHit);
      if (this.#leads[at]! >= this.#leadOf(at) && (best < 0 || this.#leads[at]! > this.#leads[best]!))
        best = at;
    }
    this.#countDrought(found !== 0);
    if (best >= 0) this.#take(best);
    else if (this.#isDrought(this.#room)) this.#take(narrow);
    // Of late: what was before counts half.
    if (this.#lookups < 32 * this.#room) return;
    this.#lookups /= 2;
    for (let at = 0; at < this.#hits.length; at += 1) this.#hits[at]! /= 2;
  }

  /** The lead that a window needs to be taken. */
  #leadOf(window: number): number {
    const later = window === lru ? laterLeadOfLru : laterLead;
    return Math.max(leastLead, this.#room * (this.#changes === 0 ? firstLead : later));
  }

  #countDrought(isHit: boolean): void {
    this.#drought = isHit ? Math.max(0, this.#drought - reliefOfHit) : this.#drought + 1;
  }

  #isDrought(entries: number): boolean {
    return this.#current !== narrow && this.#drought >= Math.max(leastDrought, droughtShare * entries);
  }

  #take(window: number): void {
    this.#current = window;
    this.#changes += 1;
    this.#sinceChange = 0;
    this.#leads.fill(0);
    this.#drought = 0;
  }
}
