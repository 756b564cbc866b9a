/** Calling the tool for one load, counting how that went, and keeping what it said. */

import type { Flight } from '../guard/single-flight.js';
import type { Stamp } from '../stamp.js';
import type { CacheCore } from './core.js';
import { type AnswerPlace, isErrorResult, keepAnswer, rememberError } from './keeping.js';
import type { Loaded } from './loaded.js';
import { LoadContext, type OwnLoader } from './loader.js';
import { enterBreaker } from './tool-entry.js';

/** One load that is about to run. */
export interface LoadRequest<T> extends AnswerPlace {
  readonly loader: OwnLoader<T>;
  /** Go straight to the tool, whatever the slower tiers and the known keys say. */
  readonly isRefresh: boolean;
}

/** Calls the tool, unless the circuit is open. Rejects with the tool's own error. @throws CircuitOpenError */
export async function callTool<T>(
  core: CacheCore,
  request: LoadRequest<T>,
  flight: Flight<Loaded>,
): Promise<Loaded> {
  const { tiers, options } = core;
  const { state } = request;
  const passage = enterBreaker(core, state, flight);
  const tags = typeof request.options.tags === 'function' ? undefined : request.options.tags;
  const tagged = { tags, stamp: tiers.begin() };
  if (tags === undefined || tags.length > 0) tiers.tags.note(flight, tagged);
  const context = new LoadContext(flight);
  const started = options.clock.elapsed();
  let value: T;
  try {
    value = await request.loader(context);
  } catch (error) {
    passage?.threw(error);
    countLoadError(core, request, error);
    rememberError(core, request, { error, tagged, isWanted: () => !flight.superseded && !core.isClosed });
    throw error;
  }
  const loadMs = options.clock.elapsed() - started;
  const isError = isErrorResult(core, request, value);
  if (isError !== false) context.skip();
  if (isError === true) {
    passage?.failed();
    countLoadError(core, request, value);
  } else {
    passage?.succeeded();
    countLoad(core, request, loadMs);
  }
  const called = { value, loadMs, began: tagged.stamp, isError: isError === true };
  return keep(core, request, { flight, context, called });
}

function countLoad(core: CacheCore, { state, key }: AnswerPlace, loadMs: number): void {
  state.counters.loads++;
  state.counters.loadTimes.record(loadMs);
  if (core.events.isHeard('load')) core.events.emit('load', { method: state.name, key, loadMs });
}

function countLoadError(core: CacheCore, { state, key }: AnswerPlace, error: unknown): void {
  state.counters.loadErrors++;
  if (core.events.isHeard('loadError')) core.events.emit('loadError', { method: state.name, key, error });
}

/** Stores a load's value where it may be stored, and shares it with who waits for it. */
function keep(
  core: CacheCore,
  place: AnswerPlace,
  load: {
    readonly flight: Flight<Loaded>;
    readonly context: LoadContext<Loaded>;
    readonly called: Pick<Loaded, 'value' | 'loadMs' | 'isError'> & { readonly began: Stamp };
  },
): Loaded {
  const { flight, context } = load;
  const { value, loadMs, began, isError } = load.called;
  // From here on a caller finds the value in memory, or must load anew where it is not kept.
  core.loads.retire(flight);
  if (context.isWithheld) return { value, loadMs, share: undefined, isError };
  const isStored = !context.isSkipped && !flight.superseded && !core.isClosed;
  // Nobody to share it with and nowhere to store it: the value need not be encoded at all.
  if (!isStored && flight.callers <= 1) return { value, loadMs, share: undefined, isError };
  const { ttl } = context;
  const share = keepAnswer(core, place, { value, loadMs, ttl, isStored, began });
  return { value, loadMs, share, isError };
}
