/** What the slower tiers have for a load, before its tool is called. */

import type { Flight } from '../../guard/single-flight.js';
import { compareStamps, type Stamp } from '../../stamp.js';
import { LargeValue } from '../../value/large-value.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import { type MethodLookups, unreadable } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import { prepareFound } from '../private-copies.js';
import type { Found, Search } from '../tiers/slow-reads.js';
import type { LoadRequest } from './load.js';
import type { Loaded } from './loader.js';
import type { StaleAnswers } from './stale-fallback.js';

/** Nothing that answers the load. */
export interface Unanswered {
  /** The stamp of what was found and would not do. */
  readonly known: Stamp | undefined;
}

const passingStuck = { passesStuck: true };

/** One method's answers from the slower tiers. */
export class SlowAnswers {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #stales: StaleAnswers;

  constructor(core: CacheCore, state: MethodState, lookups: MethodLookups, stales: StaleAnswers) {
    this.#core = core;
    this.#state = state;
    this.#lookups = lookups;
    this.#stales = stales;
  }

  /** What answers a load. What does not is noted, as it may stand in for the load should that fail. */
  async find(
    request: LoadRequest<unknown>,
    flight: Flight<Loaded>,
    inSlices = true,
  ): Promise<Loaded | Unanswered> {
    const [found] = await this.search(request.key);
    return this.take(request, flight, found, inSlices);
  }

  /** The newest that the slower tiers have of a key, for a load. */
  search(key: string): Promise<Search[]> {
    return this.#core.tiers.search([key], this.#state, passingStuck);
  }

  /** `find`, of what was found just now: a promise only where that has to be decoded in slices, or looked for again. */
  take(
    request: LoadRequest<unknown>,
    flight: Flight<Loaded>,
    found: Search,
    inSlices = true,
  ): Loaded | Unanswered | Promise<Loaded | Unanswered> {
    // Invalidated on its way here: callers who came after that may have joined this load.
    if (found !== undefined && 'entry' in found && this.#core.tiers.tags.isInvalid(found.entry))
      return this.find(request, flight, inSlices);
    if (flight.isAborted) this.#lookups.missed(request.key);
    flight.throwIfAborted();
    // An error was counted where it happened. The tool runs, so for the load it is a miss as well.
    const isError = found !== undefined && 'error' in found;
    const freshness = isError || !found ? 'expired' : this.#lookups.freshness(found.entry, request.options);
    if (isError || found === undefined || freshness === 'expired' || freshness === 'stale-if-error-only') {
      const isNothing = isError || found === undefined;
      this.#stales.note(flight, isNothing ? 'nothing there' : found);
      return { known: isNothing ? undefined : found.entry.stamp };
    }
    // What is stale each caller takes from what was found.
    if (freshness !== 'fresh') {
      flight.answer = found.entry;
      return asLoaded(found, undefined, false);
    }
    const preparing = inSlices ? prepareFound(this.#core, found, flight) : undefined;
    return (
      // Written meanwhile: what is there now is decoded at once, so that nobody can keep it away by writing on and on.
      preparing?.then((isStill) =>
        isStill ? this.#decoded(flight, found) : this.find(request, flight, false),
      ) ?? this.#decoded(flight, found)
    );
  }

  #decoded(flight: Flight<Loaded>, found: Found): Loaded | Unanswered {
    const { entry, tier, decoded } = found;
    let value: unknown;
    try {
      value = this.#core.keeper.decode(entry.stored, decoded);
    } catch (error) {
      const { key } = entry;
      this.#core.failed(asCacheError(error, `The value of ${key} can't be read`), this.#state, key);
      this.#stales.note(flight, 'nothing there');
      return { known: entry.stamp };
    }
    this.#lookups.countHit(entry, tier);
    flight.answer = entry;
    return asLoaded(found, value, true);
  }

  /** A fresh value that has taken the place of the one that a load is to renew, not counted. */
  async findNewer(
    request: LoadRequest<unknown>,
    flight: Flight<Loaded>,
    known: Stamp,
  ): Promise<Loaded | undefined> {
    const { tiers } = this.#core;
    const [found] = await tiers.search([request.key], this.#state, passingStuck);
    if (found === undefined || 'error' in found || tiers.tags.isInvalid(found.entry)) return undefined;
    const isNewer = compareStamps(found.entry.stamp, known) > 0;
    if (!isNewer || !this.#lookups.isFresh(found.entry, request.options)) return undefined;
    flight.answer = found.entry;
    const preparing = prepareFound(this.#core, found, flight);
    if (preparing !== undefined && !(await preparing)) return undefined;
    return this.#loaded(found);
  }

  /** Decodes in slices what `writtenMeanwhile` will find, where that is large. */
  prepareWritten(key: string): Promise<void> | undefined {
    const entry = this.#lookups.held(key);
    return entry?.stored instanceof LargeValue && this.#lookups.isFresh(entry)
      ? entry.stored.prepare()
      : undefined;
  }

  /** What was set while a load waited for its lease, so that the tool need not be called. */
  writtenMeanwhile(key: string): Loaded | undefined {
    const entry = this.#lookups.held(key);
    if (entry === undefined || !this.#lookups.isFresh(entry)) return undefined;
    return this.#loaded({ entry, tier: 'memory' });
  }

  #loaded(found: Found): Loaded | undefined {
    const { entry, decoded } = found;
    const value = this.#lookups.decode(entry, decoded);
    if (value === unreadable) return undefined;
    return asLoaded(found, value, true);
  }
}

/** Field by field: spreading objects takes longer than all the rest. */
function asLoaded(found: Found, value: unknown, isFresh: boolean): Loaded {
  const { entry } = found;
  return {
    value,
    loadMs: entry.loadMs,
    shared: entry,
    isError: false,
    isFound: true,
    stale: isFresh ? undefined : found,
    found: isFresh ? found : undefined,
  };
}
