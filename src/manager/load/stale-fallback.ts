/** Values that answer a caller in place of a load that failed, is slow, or has only begun. */

import type { CacheEvents } from '../../events.js';
import type { AbortSource } from '../../guard/shared-abort.js';
import type { Flight } from '../../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../../options.js';
import { reportEntry } from '../answer-reports.js';
import type { CacheCore } from '../cache-context.js';
import { type MethodLookups, unreadable } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import { prepareFound } from '../private-copies.js';
import type { Found } from '../tiers/slow-reads.js';
import type { Loaded } from './loader.js';

/** Why a stale value answers. */
export type StaleReason = CacheEvents['staleHit']['reason'];

/** A value that was taken from an entry. */
export interface Taken extends Pick<Found, 'entry' | 'tier'> {
  readonly value: unknown;
  readonly isStale: boolean;
}

/** A load that something may stand in for. */
export interface PlaceOfLoad {
  readonly key: string;
  readonly flight: Flight<Loaded> | undefined;
  readonly isOvertaken: boolean;
}

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
  maySearchHelp(flight: Flight<Loaded>, { staleWhileRevalidate }: ResolvedMethodOptions): boolean {
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
    const found = await this.#lookups.search(key);
    return found !== undefined && 'entry' in found ? found : undefined;
  }

  /**
   * What stands in for a load at this moment, so that what was deleted or invalidated meanwhile is gone: what memory
   * has, or what the load itself has found below.
   */
  inPlaceOf(load: PlaceOfLoad, options: ResolvedMethodOptions, reason: StaleReason): Taken | undefined {
    const found = this.#standIn(load);
    return found && this.take(found, options, reason);
  }

  /** Decodes in slices what `inPlaceOf` takes, where that is large; tells whether nothing was written meanwhile. */
  prepare(
    load: PlaceOfLoad,
    options: ResolvedMethodOptions,
    caller?: AbortSource,
  ): Promise<boolean> | undefined {
    const found = this.#standIn(load);
    if (found === undefined || this.#lookups.freshness(found.entry, options) === 'expired') return undefined;
    return prepareFound(this.#core, found, { signal: caller });
  }

  /** A value for a caller, and counted, if it is good enough for this reason and for these options. */
  take(
    { entry, tier, decoded }: Found,
    options: ResolvedMethodOptions,
    reason: StaleReason,
  ): Taken | undefined {
    const freshness = this.#lookups.freshness(entry, options);
    if (freshness === 'expired') return undefined;
    if (reason === 'revalidate' && freshness === 'stale-if-error-only') return undefined;
    const value = this.#lookups.decode(entry, decoded);
    if (value === unreadable) return undefined;
    if (freshness === 'fresh') {
      this.#lookups.countHit(entry, tier);
      // Set while the call waited, which was counted when it began to.
      if (reason !== 'revalidate') this.#state.counters.doubleCounted++;
    } else this.#lookups.countStaleHit(entry, tier, reason);
    const isStale = freshness !== 'fresh';
    if (this.#core.observers !== undefined)
      reportEntry(this.#core, this.#state, entry, { tier, isStale, value });
    return { value, entry, tier, isStale };
  }

  #standIn({ key, flight, isOvertaken }: PlaceOfLoad): Found | undefined {
    const held = this.#lookups.held(key);
    if (held !== undefined) return { entry: held, tier: 'memory' };
    return isOvertaken || flight === undefined ? undefined : this.#noted(flight);
  }

  #noted(flight: Flight<Loaded>): Found | undefined {
    const searched = this.#searched.get(flight);
    if (typeof searched !== 'object') return undefined;
    const { tiers } = this.#core;
    const isVoid = tiers.tags.isInvalid(searched.entry) || tiers.isReplaced(searched.entry);
    return isVoid ? undefined : searched;
  }
}
