/**
 * The load's side of a call: a permit of the limiter, the circuit breaker, the tool, and counting how that went.
 */

import { notPromised } from '../../at-once.js';
import { CircuitOpenError, LoaderTimeoutError, QueueFullError } from '../../errors.js';
import type { Attempt, CircuitBreaker } from '../../guard/circuit-breaker.js';
import type { ConcurrencyLimiter, Permit } from '../../guard/concurrency.js';
import type { Flight } from '../../guard/single-flight.js';
import type { Tagged } from '../../guard/tag-invalidation.js';
import { isNotRecorded, type RecordedAnswer } from '../../recorded-tools.js';
import type { Stamp } from '../../stamp.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import type { LoadTicket, LoadWatch } from '../../tier.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import type { MethodState } from '../method-context.js';
import { LoadContext, type Loaded, type Loader, type LoaderDecision } from './loader.js';
import { replayOrLoad } from './replayed-load.js';
import { type AnswerPlace, isErrorResult, rememberError, storeResult } from './store-result.js';

/** One load that is about to run. */
export interface LoadRequest<T> extends AnswerPlace {
  readonly loader: Loader<T>;
  /** Go straight to the tool, whatever the slower tiers and the known keys say. */
  readonly isRefresh: boolean;
  /** No recording of another call answers it. */
  readonly isExact?: boolean | undefined;
  /** What is renewed in the background: a newer value of somebody else's will do as well as the tool's. */
  readonly renews?: MemoryEntry;
}

/**
 * Calls the tool, unless the circuit is open, or a recording answers in its place. Rejects with the tool's own error.
 * @throws CircuitOpenError, CacheError `ERR_NOT_RECORDED`
 */
export async function callTool<T>(
  core: CacheCore,
  request: LoadRequest<T>,
  flight: Flight<Loaded>,
  ticket?: LoadTicket,
): Promise<Loaded> {
  const { tiers, options } = core;
  const { state } = request;
  const tags = typeof request.options.tags === 'function' ? undefined : request.options.tags;
  const own = ticket?.isVoid === true ? undefined : ticket;
  const tagged = { tags, stamp: tiers.begin(request.key, own) };
  const end = () => tiers.sharedMemory?.end(request.key, tagged.stamp);
  if (tiers.sharedMemory !== undefined) flight.promise.then(end, end);
  if (tags === undefined || tags.length > 0) flight.answer = tagged;
  const decision: LoaderDecision = { ttl: undefined, isSkipped: false, isWithheld: false };
  const started = options.clock.elapsed();
  const { breaker } = state;
  const attempt = breaker && enterBreaker(core, state, { breaker, flight });
  const watch = tiers.watch(request.key, state.name, (change) => {
    if (change === 'key') core.loads.overtake(flight);
    // Tags that are worked out from the value are not known before it is: until then nobody joins it.
    else if (tags === undefined || watch?.isInvalidated(tags)) core.loads.close(flight);
  });
  flight.onExpired = (error) => countLoadError(core, request, error);
  let value: T;
  let recorded: RecordedAnswer | undefined;
  try {
    const context = new LoadContext(flight, decision);
    const { key, origin, isExact } = request;
    const { aroundLoads } = core;
    const loader: Loader<T> =
      aroundLoads === undefined
        ? request.loader
        : (each) => aroundLoads(state.name, () => request.loader(each));
    if (core.replay === undefined) value = await loader(context);
    else {
      const call = { method: state.name, key, origin, isExact };
      ({ value, recorded } = await replayOrLoad(core.replay, { call, loader, context, flight, decision }));
    }
  } catch (error) {
    // What took too long was counted when its time was over.
    if (flight.isExpired) throw error;
    flight.failsAlone = decision.isWithheld;
    const isWanted = () => flight.isStorable && !decision.isWithheld && !core.isClosed;
    loadFailed(core, request, { error, attempt, tagged, knownAt: started, isWanted });
    throw error;
  } finally {
    watch?.end();
  }
  flight.onExpired = undefined;
  if (flight.isExpired) return { value, loadMs: 0, shared: undefined, isError: false };
  const loadMs = options.clock.elapsed() - started;
  const isApproximate = recorded?.approximate !== undefined;
  const isError = loadReturned(core, request, { value, attempt, loadMs, isApproximate });
  if (isError !== false) decision.isSkipped = true;
  const called = { value, loadMs, began: tagged.stamp, isError: isError === true };
  const loaded = share(core, request, { flight, decision, called, watch, ticket: own });
  return recorded === undefined ? loaded : { ...loaded, recorded };
}

/** Counts a load whose loader threw, for the breaker too, and remembers its error where the options say so. */
export function loadFailed(
  core: CacheCore,
  place: AnswerPlace,
  failed: {
    readonly error: unknown;
    readonly attempt: ToolAttempt | undefined;
    readonly tagged: Tagged;
    /** When it began, by `Clock.elapsed()`. */
    readonly knownAt: number;
    readonly isWanted: () => boolean;
  },
): void {
  failed.attempt?.threw(failed.error);
  countLoadError(core, place, failed.error);
  rememberError(core, place, failed);
}

/** Counts a load whose loader returned, for the breaker too. Whether the result is an error, as far as can be told. */
export function loadReturned(
  core: CacheCore,
  place: AnswerPlace,
  {
    value,
    attempt,
    loadMs,
    isApproximate,
  }: {
    readonly value: unknown;
    readonly attempt: ToolAttempt | undefined;
    readonly loadMs: number;
    /** A recording of another call has answered, which says nothing of the tool. */
    readonly isApproximate?: boolean;
  },
): boolean | 'unknown' {
  const { state, key, options } = place;
  const isError = options.isError !== undefined && isErrorResult(core, place, value);
  if (isError === true) {
    attempt?.failed();
    countLoadError(core, place, value);
    return true;
  }
  attempt?.succeeded();
  if (isApproximate) return isError;
  state.counters.loads++;
  state.counters.loadTimes.record(loadMs);
  if (core.events.isHeard('load')) core.events.emit('load', { method: state.name, key, loadMs });
  return isError;
}

/** Tells the breaker what a call past the cache returned. */
export function bypassReturned(
  core: CacheCore,
  place: AnswerPlace,
  { value, attempt }: { readonly value: unknown; readonly attempt: ToolAttempt | undefined },
): void {
  if (attempt !== undefined && isErrorResult(core, place, value) === true) attempt.failed();
  else attempt?.succeeded();
}

function countLoadError(core: CacheCore, { state, key }: AnswerPlace, error: unknown): void {
  state.counters.loadErrors++;
  if (core.events.isHeard('loadError')) core.events.emit('loadError', { method: state.name, key, error });
}

/** Stores a load's value where it may be stored, and shares it with who waits for it. */
function share(
  core: CacheCore,
  place: AnswerPlace,
  load: {
    readonly flight: Flight<Loaded>;
    readonly decision: LoaderDecision;
    readonly watch: LoadWatch | undefined;
    readonly ticket: LoadTicket | undefined;
    readonly called: Pick<Loaded, 'value' | 'loadMs' | 'isError'> & { readonly began: Stamp };
  },
): Loaded {
  const { flight, decision, watch, ticket } = load;
  const { value, loadMs, began, isError } = load.called;
  // From here on a caller finds the value in memory, or must load anew where it is not kept.
  core.loads.retire(flight);
  if (decision.isWithheld || decision.isSound?.() === false)
    return { value, loadMs, shared: undefined, isError };
  const isStored = !decision.isSkipped && flight.isStorable && !core.isClosed;
  // Nobody to share it with and nowhere to store it: the value need not be encoded at all.
  if (!isStored && (flight.isAborted || flight.callers <= 1))
    return { value, loadMs, shared: undefined, isError };
  const { ttl } = decision;
  const shared = storeResult(core, place, { value, loadMs, ttl, isStored, began, watch, ticket });
  return { value, loadMs, shared, isError };
}

/** Whether a key surely doesn't exist, counted. A `knownKeys` that fails is counted too and knows nothing. */
export function isUnknownKey(core: CacheCore, { state, key, options }: AnswerPlace): boolean {
  try {
    if (options.knownKeys === undefined || notPromised(options.knownKeys.mayHave(key), 'knownKeys.mayHave'))
      return false;
  } catch (error) {
    core.failed(asCacheError(error, `\`knownKeys\` of \`${state.name}\` failed`), state, key);
    return false;
  }
  state.counters.unknownKeys++;
  if (core.events.isHeard('unknownKey')) core.events.emit('unknownKey', { method: state.name, key });
  return true;
}

/**
 * Queues for a permit. Wait for its `granted`, and leave it whatever happens.
 *
 * @throws CircuitOpenError at once, rather than after the queue; QueueFullError
 */
export function enterQueue(
  core: CacheCore,
  state: MethodState,
  { limiter, flight }: { readonly limiter: ConcurrencyLimiter; readonly flight: Flight<Loaded> },
): Permit {
  return counted(core, state, flight.node.key, () => {
    state.breaker?.check();
    const permit = limiter.enter({ signal: flight.signal, depth: flight.node.depth });
    try {
      flight.node.queue(permit);
      // A tool that does not heed its signal may never end: its permit must not be lost with it.
      flight.signal.addEventListener('abort', () => permit.leave(), { once: true });
    } catch (error) {
      // At the end of the stack.
      permit.leave();
      throw error;
    }
    return permit;
  });
}

/** Refuses a load while the circuit is open, before it waits for anything. @throws CircuitOpenError */
export function checkBreaker(core: CacheCore, state: MethodState, key: string): void {
  if (state.breaker !== undefined) counted(core, state, key, () => state.breaker?.check());
}

/** A load's way past the breaker, which must hear how it ended. */
export interface ToolAttempt extends Pick<Attempt, 'succeeded' | 'failed'> {
  threw(error: unknown): void;
}

/** Passes the breaker. @throws CircuitOpenError */
export function enterBreaker(
  core: CacheCore,
  state: MethodState,
  { breaker, flight }: { readonly breaker: CircuitBreaker; readonly flight: Flight<Loaded> },
): ToolAttempt {
  const attempt = counted(core, state, flight.node.key, () => breaker.enter());
  // A load that nobody waits for any more may never end. That it took too long speaks against the tool, that its
  // callers had other reasons to go does not.
  const aborted = () => {
    if (flight.signal.reason instanceof LoaderTimeoutError) attempt.failed();
    else attempt.withdrawn();
  };
  try {
    flight.signal.addEventListener('abort', aborted, { once: true });
  } catch (error) {
    attempt.withdrawn();
    throw error;
  }
  return judged(core, state, attempt);
}

/** `enterBreaker` for a load that returns at once. @throws CircuitOpenError */
export function enterBreakerSync(core: CacheCore, state: MethodState, key: string): ToolAttempt | undefined {
  const { breaker } = state;
  if (breaker === undefined) return undefined;
  return judged(
    core,
    state,
    counted(core, state, key, () => breaker.enter()),
  );
}

function judged(core: CacheCore, state: MethodState, attempt: Attempt): ToolAttempt {
  return {
    succeeded: attempt.succeeded,
    failed: attempt.failed,
    threw(error) {
      if (isFailure(core, state, error)) attempt.failed();
      else attempt.withdrawn();
    },
  };
}

/** A test that fails itself doesn't excuse the tool. */
function isFailure(core: CacheCore, state: MethodState, error: unknown): boolean {
  if (isNotRecorded(error)) return false;
  try {
    return state.options.circuitBreaker?.isFailure(error) ?? true;
  } catch (cause) {
    core.failed(asCacheError(cause, `\`circuitBreaker.isFailure\` of \`${state.name}\` failed`), state);
    return true;
  }
}

function counted<R>(core: CacheCore, state: MethodState, key: string, enter: () => R): R {
  try {
    return enter();
  } catch (error) {
    const reason =
      error instanceof CircuitOpenError ? 'circuit' : error instanceof QueueFullError ? 'queue' : undefined;
    if (reason === 'circuit') state.counters.circuitRejections++;
    else if (reason === 'queue') state.counters.queueRejections++;
    if (reason !== undefined && core.events.isHeard('rejected')) {
      core.events.emit('rejected', { method: state.name, key, reason });
    }
    throw error;
  }
}
