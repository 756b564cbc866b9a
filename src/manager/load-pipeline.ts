/** What happens between a miss and the tool, in the order in which it happens. */

import { type Duration, parseDuration } from '../duration.js';
import { UnstorableValueError } from '../errors.js';
import type { Flight } from '../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../options.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import { asCacheError, type CacheCore } from './core.js';
import type { Loaded } from './loaded.js';
import { LoadContext, type Loader, type LoaderContext } from './loader.js';
import type { MethodState } from './method-state.js';
import type { Found } from './tiers.js';

/** One load that is about to run. */
export interface LoadRequest<T> {
  readonly state: MethodState;
  readonly key: string;
  readonly loader: Loader<T>;
  /** The options of the call that started it. */
  readonly options: ResolvedMethodOptions;
  /** Go straight to the tool, whatever the slower tiers hold. */
  readonly isRefresh: boolean;
}

/** Slower tiers, then the tool, then the way back into all tiers. */
export async function runLoad<T>(
  core: CacheCore,
  request: LoadRequest<T>,
  flight: Flight<Loaded>,
): Promise<Loaded> {
  if (!request.isRefresh) {
    if (core.tiers.hasSlow) {
      const found = await findBelow(core, request);
      if (found !== undefined) return found;
    } else {
      countMiss(core, request);
    }
  }
  // From here to the call of the loader nothing may be awaited: what was true must still be true there.
  flight.throwIfAborted();
  if (flight.superseded) {
    // Written or deleted during the search. The tool was not called yet, so its answer will be the newer one,
    // unless another load has begun since: then that is the one to wait for.
    const newer = core.loads.find(request.key);
    if (newer === undefined) {
      core.loads.reinstate(flight);
    } else {
      const loaded = await core.loads.join(newer);
      if (loaded.share !== undefined) return { ...loaded, value: loaded.share() };
    }
  }
  const context = new LoadContext(flight);
  const started = core.options.clock.elapsed();
  const value = await callLoader(core, request, context);
  const loadMs = core.options.clock.elapsed() - started;
  const { state, key } = request;
  state.counters.loads++;
  state.counters.loadTimes.record(loadMs);
  if (core.events.isHeard('load')) core.events.emit('load', { method: state.name, key, loadMs });
  return keep(core, request, flight, context, value, loadMs);
}

/** What the slower tiers have for this load; `undefined`: nothing. */
async function findBelow<T>(core: CacheCore, request: LoadRequest<T>): Promise<Loaded | undefined> {
  const { state, key } = request;
  const found = await core.tiers.search(key, state);
  // An error is no miss: it was counted where it happened, and the tool runs.
  if (found !== undefined && 'error' in found) return undefined;
  // A stale value below is not worth a second answer path: the tool runs, as on a miss.
  if (found !== undefined && !isStale(core, found.entry)) return answerFrom(core, request, found);
  countMiss(core, request);
  return undefined;
}

function isStale(core: CacheCore, entry: MemoryEntry): boolean {
  return entry.staleAt !== null && core.options.clock.now() >= entry.staleAt;
}

function answerFrom<T>(core: CacheCore, request: LoadRequest<T>, { entry, tier }: Found): Loaded | undefined {
  const { state, key } = request;
  const share = () => core.keeper.give(entry.kept);
  let value: unknown;
  try {
    value = share();
  } catch (error) {
    core.failed(asCacheError(error, `The value of ${key} can't be read`), state, key);
    return undefined;
  }
  state.counters.hits++;
  state.counters.saved(entry.loadMs);
  if (core.events.isHeard('hit')) core.events.emit('hit', { method: state.name, key, tier });
  return { value, loadMs: entry.loadMs, share };
}

function countMiss<T>(core: CacheCore, { state, key }: LoadRequest<T>): void {
  state.counters.misses++;
  if (core.events.isHeard('miss')) core.events.emit('miss', { method: state.name, key });
}

async function callLoader<T>(core: CacheCore, request: LoadRequest<T>, context: LoaderContext): Promise<T> {
  try {
    return await request.loader(context);
  } catch (error) {
    const { state, key } = request;
    state.counters.loadErrors++;
    if (core.events.isHeard('loadError')) core.events.emit('loadError', { method: state.name, key, error });
    throw error;
  }
}

/** What a tool's answer goes into the cache with. */
export interface Answer {
  readonly value: unknown;
  readonly loadMs: number;
  /** What the loader decided on how long it is fresh; `undefined` leaves that to the options. */
  readonly ttl: number | null | undefined;
  readonly isStored: boolean;
}

/** Stores a load's value where it may be stored, and shares it with who waits for it. */
function keep<T>(
  core: CacheCore,
  request: LoadRequest<T>,
  flight: Flight<Loaded>,
  context: LoadContext<Loaded>,
  value: T,
  loadMs: number,
): Loaded {
  // From here on a caller finds the value in memory, or must load anew where it is not kept.
  core.loads.retire(flight);
  const isStored = !context.isSkipped && !flight.superseded && !core.isClosed;
  // Nobody to share it with and nowhere to store it: the value need not be encoded at all.
  if (!isStored && flight.callers <= 1) return { value, loadMs, share: undefined };
  return { value, loadMs, share: keepAnswer(core, request, { value, loadMs, ttl: context.ttl, isStored }) };
}

/**
 * Stores an answer where it may be stored; gives it out again, or is `undefined` where it can't be kept. A failure is
 * counted and costs the caller nothing.
 */
export function keepAnswer(
  core: CacheCore,
  { state, key, options }: Pick<LoadRequest<unknown>, 'state' | 'key' | 'options'>,
  { value, loadMs, ttl, isStored }: Answer,
): (() => unknown) | undefined {
  try {
    const { kept, bytes } = core.keeper.keep(value);
    if (isStored) {
      try {
        const freshMs = ttl !== undefined ? ttl : freshFor(options.ttl, value);
        const staleFor = options.staleWhileRevalidate;
        core.tiers.put(state, key, { kept, bytes, loadMs, ttl: freshMs, staleFor });
      } catch (error) {
        core.failed(asCacheError(error, `Storing the result of \`${state.name}\` failed`), state, key);
      }
    }
    return () => core.keeper.give(kept);
  } catch (error) {
    // What was there before is older than what the tool just said.
    if (isStored) core.tiers.remove(state, key, 'refuse');
    if (error instanceof UnstorableValueError) core.uncached(state, 'unstorable value', error);
    else core.failed(asCacheError(error, `Keeping the result of \`${state.name}\` failed`), state, key);
    return undefined;
  }
}

/** How long a value is fresh by the options, in ms; `null` is for ever. @throws InvalidOptionError */
export function freshFor(ttl: ResolvedMethodOptions['ttl'], value: unknown): number | null {
  if (typeof ttl !== 'function') return ttl;
  const own: Duration | null = ttl(value);
  return own === null ? null : parseDuration(own, 'ttl(value)');
}
