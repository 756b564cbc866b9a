/** How long a load may take in all, whoever waits for it. */

import { LoaderTimeoutError } from '../../errors.js';
import { startDeadline } from '../../guard/deadline.js';
import type { Flight } from '../../guard/single-flight.js';
import type { ResolvedMethodOptions } from '../../options.js';
import type { CacheCore } from '../cache-context.js';
import type { Loaded } from './loader.js';

type Bounds = Pick<ResolvedMethodOptions, 'hardTimeout'>;

/**
 * Bounds a load that has just begun by the `hardTimeout` of who began it. When that has passed the load takes no new
 * callers, is aborted, gives its permit back, counts as failed, and whoever still waits is rejected. The process is not
 * held for it: it is for those who wait, by their own deadlines.
 */
export function boundLoad(
  core: CacheCore,
  flight: Flight<Loaded>,
  { hardTimeout, onExpired }: { readonly hardTimeout: number; readonly onExpired?: () => void },
): void {
  const { clock } = core.options;
  flight.boundMs = hardTimeout;
  const expire = () => {
    onExpired?.();
    core.loads.expire(flight, timeoutError(flight, hardTimeout));
  };
  const deadline = startDeadline({ ms: hardTimeout, clock, expire });
  const cancel = () => deadline.cancel();
  flight.promise.then(cancel, cancel);
}

/**
 * Whether a caller who has waited for so many ms may wait for longer than the load may take: once that has been ended
 * it asks again. After a stall of this process both may be over at once.
 */
export function outlasts({ hardTimeout }: Bounds, { boundMs }: Flight<Loaded>, waitedMs: number): boolean {
  if (boundMs === undefined) return false;
  return hardTimeout === undefined || (hardTimeout > boundMs && hardTimeout > waitedMs);
}

/** A load under way, if a caller may join it: it answers with nothing that was invalidated since; one that it must not is joined by nobody any more. */
export function joinable(
  core: CacheCore,
  flight: Flight<Loaded>,
  options: ResolvedMethodOptions,
): Flight<Loaded> | undefined {
  const { loads, tiers, refreshes } = core;
  refreshes.adopt(flight);
  if (
    (flight.answer === undefined || !tiers.tags.mayBeInvalidated(flight.answer)) &&
    !isTooOld(core, flight, options) &&
    isCurrent(core, flight, options)
  )
    return flight;
  loads.supersede(flight.node.key);
  if (flight.waiters === 0) {
    flight.abort(
      new DOMException('Nobody waits for this load, and a newer one takes its place', 'AbortError'),
    );
  }
  return undefined;
}

/**
 * Whether a caller with a bound should not join a load without one: it may hang for ever, and all who come would wait
 * for it in vain. A load that the caller itself runs in is joined all the same, which tells of the circle.
 */
function isTooOld(core: CacheCore, flight: Flight<Loaded>, { hardTimeout }: Bounds): boolean {
  const { boundMs, beganAt } = flight;
  if (hardTimeout === undefined || boundMs !== undefined || beganAt === undefined) return false;
  return core.options.clock.elapsed() - beganAt >= hardTimeout && !core.loads.isWaitedForHere(flight);
}

/**
 * Whether a load that began before this caller came has what is true for it: out of touch with other machines, what they
 * have changed since is not heard of, and a load is answered no longer than an entry made from it would be.
 */
function isCurrent(
  { tiers, loads }: CacheCore,
  flight: Flight<Loaded>,
  options: ResolvedMethodOptions,
): boolean {
  const { remote } = tiers;
  if (remote === undefined || options.coherence === 'available') return true;
  return remote.isCurrent(flight.beganAt) || loads.isWaitedForHere(flight);
}

/** The error of a load that took too long. */
export function timeoutError({ node }: Flight<unknown>, ms: number): LoaderTimeoutError {
  const call = node.key === '' ? 'call without a key' : `key ${node.key}`;
  return new LoaderTimeoutError(`The loader of \`${node.method}\` (${call}) took longer than ${ms} ms`);
}
