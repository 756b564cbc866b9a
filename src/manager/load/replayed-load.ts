/** A load that a recording answers in the place of its tool. */

import type { Flight } from '../../guard/single-flight.js';
import type { RecordedAnswer, RecordedCall, RecordedTools } from '../../recorded-tools.js';
import type { LoadContext, Loaded, Loader, LoaderDecision } from './loader.js';

/** What the load goes by. */
interface ReplayedLoad<T> {
  readonly call: RecordedCall;
  readonly loader: Loader<T>;
  readonly context: LoadContext<Loaded>;
  readonly flight: Flight<Loaded>;
  readonly decision: LoaderDecision;
}

/**
 * What is recorded, else what the tool says. What only approximates the call is for those who wait, and not stored.
 * @throws CacheError `ERR_NOT_RECORDED`, why nobody waits any more, and what the tool throws
 */
export async function replayOrLoad<T>(
  replay: RecordedTools,
  { call, loader, context, flight, decision }: ReplayedLoad<T>,
): Promise<{ readonly value: T; readonly recorded?: RecordedAnswer }> {
  const found = await replay.find(call);
  if (found === undefined) {
    // All who asked may have given up meanwhile.
    flight.throwIfAborted();
    return { value: await loader(context) };
  }
  if (found.answer.approximate !== undefined) decision.isSkipped = true;
  return { value: found.value as T, recorded: found.answer };
}
