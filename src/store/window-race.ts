/**
 * Which window rule would answer most: all of them simulated in small on a sample of the keys.
 *
 * Carl Waldspurger, Trausti Saemundsson, Irfan Ahmad, Nohhyun Park: Cache Modeling and Optimization using Miniature
 * Simulations, USENIX ATC 2017; the sample is spatial, by the hashes of keys, as in their SHARDS (FAST 2015).
 */

import type { FrequencySketch } from './frequency-sketch.js';
import { type CountedKey, ShadowWindows } from './shadow-windows.js';
import type { StoreEntry } from './store.js';
import type { WindowOrder } from './window-order.js';
import { narrowRule, type WindowRule } from './window-rule.js';

/** Entries that each simulated cache holds: a quarter of the cache's, within these bounds. */
const simulatedShare = 1 / 4;
const leastSimulated = 256;
const mostSimulated = 512;
/** As many once no other rule was taken for a while: for so many lookups of each simulated entry. */
const simulatedInCalm = 64;
const calmAfter = 40;
/**
 * A rule is taken once it has answered so many lookups more, as a share of the simulated entries: the first one, one with a
 * narrower window, which lets go of little at once, and the last one after a drought.
 */
const smallLead = 0.09;
const largeLead = 0.15;
/** Fewer are chance. LRU needs less, because recency is the way of agents. */
const leastLead = 6;
const leastLeadOfLru = 3;
/** A drought: so many lookups that no rule answers, as a share of the simulated entries; each answer takes some off. */
const droughtShare = 0.15;
const leastDrought = 32;
const reliefOfHit = 8;
/** How much more it takes at most to leave a rule that it was wrong to leave before. */
const mostCaution = 16;

/** What is known of the race. */
export interface RaceStanding {
  /** The rule that is taken. */
  readonly rule: WindowRule;
  readonly rules: readonly WindowRule[];
  /** Lookups of sampled keys of late. */
  readonly lookups: number;
  /** How many of them each of `rules` has answered. */
  readonly hits: readonly number[];
  /** How often another rule was taken. */
  readonly changes: number;
}

/**
 * Simulates all rules and tells which to take. A rule is left for one that leads clearly, and for the narrow window in a
 * drought, before the entries are gone: where nothing is answered, nothing is lost by keeping what there is. Where leaving
 * turns out to have been a loss, it takes twice as much to leave the same rule again.
 */
export class WindowRace {
  readonly #sketch: FrequencySketch;
  readonly #rules: readonly WindowRule[];
  readonly #narrow: number;
  /** A bit for each rule. */
  readonly #all: number;
  #shadows: ShadowWindows | undefined;
  /** Entries of the cache when the simulations were begun; 0 before. */
  #entries = 0;
  /** Entries of a simulated cache. */
  #room = 0;
  /** Lookups of sampled keys since a rule was taken. */
  #sinceChange = 0;
  #isCalm = false;
  /** Hashes below it are sampled. */
  #sampledBelow = 2 ** 32;
  #current = 0;
  /** What was taken before. */
  #previous: number | undefined;
  /** By how many hits the cache leads what the previous rule would have answered since. */
  #gain = 0;
  /** Whether the current rule was taken because of a drought alone. */
  #isAlarmed = false;
  /** How much more it takes to leave each rule. */
  readonly #cautions: number[];
  /** By how many hits each rule leads the current one. */
  readonly #leads: number[];
  readonly #hits: number[];
  /** Hits of all rules, left out of `#hits`. */
  #hitsOfAll = 0;
  #lookups = 0;
  #drought = 0;
  #changes = 0;

  /** @param rules `narrowRule` among them; the first is taken to begin with */
  constructor(sketch: FrequencySketch, rules: readonly WindowRule[]) {
    this.#sketch = sketch;
    this.#rules = rules;
    this.#narrow = rules.indexOf(narrowRule);
    this.#all = 2 ** rules.length - 1;
    this.#cautions = rules.map(() => 1);
    this.#leads = rules.map(() => 0);
    this.#hits = rules.map(() => 0);
  }

  /** The rule to go by. */
  get rule(): WindowRule {
    return this.#rules[this.#current]!;
  }

  get standing(): RaceStanding {
    const { rule } = this;
    return {
      ...{ rule, rules: this.#rules, changes: this.#changes },
      ...{ lookups: this.#lookups, hits: this.#hits.map((hits) => hits + this.#hitsOfAll) },
    };
  }

  /** The cache is full: the simulations begin with what it holds, and anew where it has come to hold twice or half as much. */
  full(order: WindowOrder<StoreEntry>): void {
    const { size } = order;
    const isCalm = this.#sinceChange > calmAfter * mostSimulated;
    const isBegun = this.#entries > 0 && size <= 2 * this.#entries && size >= this.#entries / 2;
    if (isBegun && isCalm === this.#isCalm) return;
    this.#isCalm = isCalm;
    const rate = Math.min(1, (isCalm ? simulatedInCalm : simulatedOf(size)) / size);
    this.#drought *= this.#entries === 0 ? rate : 0;
    this.#entries = size;
    this.#sampledBelow = rate * 2 ** 32;
    this.#room = Math.max(1, Math.round(rate * size));
    this.#shadows = new ShadowWindows(this.#rules, this.#room, this.#sketch);
    for (const node of order.inOrder()) if (this.#isSampled(node.hash)) this.#shadows.visit(node);
    this.#hits.fill(0);
    this.#hitsOfAll = 0;
    this.#leads.fill(0);
    this.#lookups = 0;
  }

  /** A key was looked up and, if it was not there, set. Tells whether another rule may be taken now. */
  used(key: CountedKey, isHit: boolean): boolean {
    if (this.#shadows === undefined) this.#countDrought(isHit);
    else if (this.#isSampled(key.hash)) {
      this.#judge(this.#shadows.visit(key), isHit);
      return true;
    }
    return false;
  }

  /** The cache is empty. */
  reset(): void {
    this.#entries = 0;
    this.#shadows = undefined;
    this.#drought = 0;
  }

  #isSampled(hash: number): boolean {
    return Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) >>> 0 < this.#sampledBelow;
  }

  /** @param found a bit for each rule that had the key */
  #judge(found: number, isHit: boolean): void {
    this.#sinceChange += 1;
    this.#lookups += 1;
    if (this.#previous !== undefined) this.#gain += (isHit ? 1 : 0) - ((found >> this.#previous) & 1);
    this.#countDrought(found !== 0);
    // Where all are alike none gains a lead.
    const best = found === 0 || found === this.#all ? undefined : this.#countLeads(found);
    if (found === this.#all) this.#hitsOfAll += 1;
    if (best !== undefined) this.#take(best);
    else if (this.#isDrought(this.#room)) this.#alarm();
    // Of late: what was before counts half.
    if (this.#lookups < 32 * this.#room) return;
    this.#lookups /= 2;
    this.#hitsOfAll /= 2;
    for (let at = 0; at < this.#hits.length; at += 1) this.#hits[at]! /= 2;
  }

  /** The rule that leads by enough and by most. */
  #countLeads(found: number): number | undefined {
    const ofCurrent = (found >> this.#current) & 1;
    const leads = this.#leads;
    let best: number | undefined;
    for (let at = 0; at < leads.length; at += 1) {
      const isFound = (found >> at) & 1;
      this.#hits[at]! += isFound;
      if (isFound === ofCurrent) continue;
      if (ofCurrent === 1) {
        if (leads[at]! > 0) leads[at]! -= 1;
        continue;
      }
      const lead = leads[at]! + 1;
      leads[at] = lead;
      if (lead >= this.#leadOf(at) && (best === undefined || lead > leads[best]!)) best = at;
    }
    return best;
  }

  /** The lead that a rule needs to be taken. */
  #leadOf(at: number): number {
    const rule = this.#rules[at]!;
    const isSmall =
      this.#changes === 0 || rule.share <= this.rule.share || (this.#isAlarmed && at === this.#previous);
    const least = rule.share >= 1 ? leastLeadOfLru : leastLead;
    return Math.max(least, (isSmall ? smallLead : largeLead) * this.#room) * this.#cautions[this.#current]!;
  }

  #countDrought(isHit: boolean): void {
    this.#drought = isHit ? Math.max(0, this.#drought - reliefOfHit) : this.#drought + 1;
  }

  #isDrought(entries: number): boolean {
    const enough = Math.max(leastDrought, droughtShare * entries) * this.#cautions[this.#current]!;
    return this.#current !== this.#narrow && this.#drought >= enough;
  }

  #alarm(): void {
    this.#take(this.#narrow);
    this.#isAlarmed = true;
  }

  #take(next: number): void {
    if (this.#previous !== undefined) {
      const wasWrong = this.#gain < 0 || (this.#isAlarmed && next === this.#previous);
      const caution = this.#cautions[this.#previous]!;
      this.#cautions[this.#previous] = wasWrong
        ? Math.min(mostCaution, 2 * caution)
        : Math.max(1, caution / 2);
    }
    this.#previous = this.#current;
    this.#gain = 0;
    this.#current = next;
    this.#isAlarmed = false;
    this.#changes += 1;
    this.#sinceChange = 0;
    this.#leads.fill(0);
    this.#drought = 0;
  }
}

function simulatedOf(entries: number): number {
  return Math.max(leastSimulated, Math.min(mostSimulated, simulatedShare * entries));
}
