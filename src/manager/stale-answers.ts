/** Values that answer a caller in place of a load that failed, is slow, or has only begun. */

import type { CacheEvents } from '../events.js';
import type { Flight } from '../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../options.js';
import type { CacheCore } from './core.js';
import type { Loaded } from './loaded.js';
import { type MethodLookups, unreadable } from './method-lookups.js';
import type { MethodState } from './method-state.js';
import type { Found } from './tiers.js';

/** Why a stale value answers. */
export type StaleReason = CacheEvents['staleHit']['reason'];

/** What a load knows of the slower tiers; nothing yet, while it still searches them. */
type Searched = Found | 'nothing there' | 'not searched';

/** One method's values that stand in for loads. */
export class StaleAnswers {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #searched = new WeakMap<Flight<Loaded>, Searched>();

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups) {
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
  }

  /** Notes what a load has found below memory and goes on from: memory may have no room for it. */
  note(flight: Flight<Loaded>, searched: Searched): void {
    this.#searched.set(flight, searched);
  }

  /** Forgets what a load has found: it was written or deleted since. */
  forget(flight: Flight<Loaded>): void {
    if (this.#searched.has(flight)) this.#searched.set(flight, 'nothing there');
  }

  /** Whether a caller who joins this load may have a good enough value from below memory before the load ends. */
  mayBeBelow(flight: Flight<Loaded>, { staleWhileRevalidate }: ResolvedMethodOptions): boolean {
    if (!this.#core.tiers.hasSlow) return false;
    const searched = this.#searched.get(flight);
    if (searched === 'nothing there') return false;
    return searched === 'not searched' || staleWhileRevalidate > 0;
  }

  /** Whether a load is still searching the slower tiers. */
  isSearching(flight: Flight<Loaded>): boolean {
    return this.#core.tiers.hasSlow && !this.#searched.has(flight);
  }

  /** Whether a value may stand in for a load, but not spare a caller the wait for it. */
  isLastResort({ entry }: Found, options: ResolvedMethodOptions): boolean {
    return this.#lookups.freshness(entry, options) === 'stale-if-error-only';
  }

  /** What the slower tiers hold of a key; a failure was counted and is nothing here. */
  async below(key: string): Promise<Found | undefined> {
    if (!this.#core.tiers.hasSlow) return undefined;
    const found = await this.#core.tiers.search(key, this.#state);
    return found !== undefined && 'entry' in found ? found : undefined;
  }

  /**
   * What stands in for a load at this moment, so that what was deleted or invalidated meanwhile is gone: what memory
   * has, or what the load itself has found below.
   */
  inPlaceOf(
    load: {
      readonly key: string;
      readonly flight: Flight<Loaded> | undefined;
      readonly isOvertaken: boolean;
    },
    options: ResolvedMethodOptions,
    reason: StaleReason,
  ): { readonly value: unknown } | undefined {
    const held = this.#lookups.held(load.key);
    if (held !== undefined) return this.take({ entry: held, tier: 'memory' }, options, reason);
    const noted = load.isOvertaken || load.flight === undefined ? undefined : this.#noted(load.flight);
    return noted && this.take(noted, options, reason);
  }

  /** A value for a caller, and counted, if it is good enough for this reason and for these options. */
  take(
    { entry, tier }: Found,
    options: ResolvedMethodOptions,
    reason: StaleReason,
  ): { readonly value: unknown } | undefined {
    const freshness = this.#lookups.freshness(entry, options);
    if (freshness === 'expired') return undefined;
    if (reason === 'revalidate' && freshness === 'stale-if-error-only') return undefined;
    const value = this.#lookups.give(entry);
    if (value === unreadable) return undefined;
    if (freshness === 'fresh') {
      this.#lookups.countHit(entry, tier);
      // Set while the call waited, which was counted when it began to.
      if (reason !== 'revalidate') this.#state.counters.countedAgain++;
    } else this.#lookups.countStaleHit(entry, tier, reason);
    return { value };
  }

  #noted(flight: Flight<Loaded>): Found | undefined {
    const searched = this.#searched.get(flight);
    if (typeof searched !== 'object') return undefined;
    const { tiers } = this.#core;
    const isVoid = tiers.tags.isInvalid(searched.entry) || tiers.isReplaced(searched.entry);
    return isVoid ? undefined : searched;
  }
}
