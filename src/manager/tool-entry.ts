/** Entering a tool through its gates, and counting who is refused. */

import { CircuitOpenError, LoaderTimeoutError, QueueFullError } from '../errors.js';
import type { Passage } from '../guard/circuit-breaker.js';
import type { Turn } from '../guard/concurrency.js';
import type { Flight } from '../guard/single-flight.js';
import { asCacheError, type CacheCore } from './core.js';
import type { Loaded } from './loaded.js';
import type { MethodState } from './method-state.js';

/**
 * Gets in line for a turn, where there is a limit. Wait for its `granted`, and leave it whatever happens.
 *
 * @throws CircuitOpenError at once, rather than after standing in line; QueueFullError
 */
export function enterLine(core: CacheCore, state: MethodState, flight: Flight<Loaded>): Turn | undefined {
  const { limiter, breaker } = state;
  if (limiter === undefined) return undefined;
  return counted(core, state, flight.node.key, () => {
    breaker?.check();
    const turn = limiter.enter({ signal: flight.signal, depth: flight.node.depth });
    flight.node.getInLine(() => turn.hurry());
    // A tool that does not heed its signal may never end: its turn must not be lost with it.
    flight.signal.addEventListener('abort', () => turn.leave(), { once: true });
    return turn;
  });
}

/** A load's way past the breaker, which must hear how it ended. */
export interface ToolPassage extends Pick<Passage, 'succeeded' | 'failed'> {
  threw(error: unknown): void;
}

/** Passes the breaker, where there is one. @throws CircuitOpenError */
export function enterBreaker(
  core: CacheCore,
  state: MethodState,
  flight: Flight<Loaded>,
): ToolPassage | undefined {
  const { breaker } = state;
  if (breaker === undefined) return undefined;
  const passage = counted(core, state, flight.node.key, () => breaker.enter());
  // A load that nobody waits for any more may never end. That it took too long speaks against the tool, that its
  // callers had other reasons to go does not.
  const aborted = () => {
    if (flight.signal.reason instanceof LoaderTimeoutError) passage.failed();
    else passage.withdrawn();
  };
  flight.signal.addEventListener('abort', aborted, { once: true });
  return judged(core, state, passage);
}

/** `enterBreaker` for a load that returns at once. @throws CircuitOpenError */
export function enterBreakerAtOnce(
  core: CacheCore,
  state: MethodState,
  key: string,
): ToolPassage | undefined {
  const { breaker } = state;
  if (breaker === undefined) return undefined;
  return judged(
    core,
    state,
    counted(core, state, key, () => breaker.enter()),
  );
}

function judged(core: CacheCore, state: MethodState, passage: Passage): ToolPassage {
  return {
    succeeded: passage.succeeded,
    failed: passage.failed,
    threw(error) {
      if (isFailure(core, state, error)) passage.failed();
      else passage.withdrawn();
    },
  };
}

/** A test that fails itself doesn't excuse the tool. */
function isFailure(core: CacheCore, state: MethodState, error: unknown): boolean {
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
