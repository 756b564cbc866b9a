/** What a cache keeps for each method: its options, its key function, its counters, and what guards its tool. */

import { inspect } from 'node:util';
import { InvalidOptionError } from '../errors.js';
import type { CircuitBreaker } from '../guard/circuit-breaker.js';
import type { ConcurrencyLimiter } from '../guard/concurrency.js';
import { createKeyHasher, type KeyHasher } from '../key/key-hasher.js';
import type { ResolvedMethodOptions } from '../options.js';
import { type CacheStats, MethodCounters } from '../stats/counters.js';
import { LoadTimeRecorder } from '../stats/load-times.js';
import type { RememberedErrors } from './remembered-errors.js';
import { gatesTogether, type ToolGates } from './tool-gates.js';

/** What all users of one method share, whatever options they have for it. */
export interface SharedMethodState {
  readonly counters: MethodCounters;
  readonly errors: RememberedErrors;
  readonly gates: ToolGates;
}

/** One method under certain options. A wrapped function has options of its own and shares the rest. */
export class MethodState implements SharedMethodState {
  readonly name: string;
  readonly options: ResolvedMethodOptions;
  readonly counters: MethodCounters;
  readonly errors: RememberedErrors;
  readonly gates: ToolGates;
  readonly breaker: CircuitBreaker | undefined;
  readonly limiter: ConcurrencyLimiter | undefined;
  readonly hash: KeyHasher;

  /** @throws InvalidArgumentError when the name can't be part of a key */
  constructor(name: string, options: ResolvedMethodOptions, shared: SharedMethodState) {
    this.name = name;
    this.options = options;
    this.counters = shared.counters;
    this.errors = shared.errors;
    this.gates = shared.gates;
    this.breaker = this.gates.breaker(options.circuitBreaker);
    this.limiter = this.gates.limiter(options.concurrency);
    this.hash = createKeyHasher(name, { version: options.version, ignore: options.ignore });
  }

  /**
   * The key of a call, under its own scope or the method's.
   * @throws UnhashableParamsError, InvalidOptionError for a scope that is no string: `null` would be everybody's
   */
  key(params: unknown, scope: string | undefined): string {
    if (scope === undefined) return this.hash(params, this.options.scope);
    if (typeof scope !== 'string') {
      throw new InvalidOptionError(
        `Expected \`scope\` to be a string, got \`${inspect(scope, { depth: 0 })}\``,
      );
    }
    return this.hash(params, scope);
  }
}

/** One for all sums: a native histogram each would cost more than what it sums up. */
const scratch = new LoadTimeRecorder();

/** The statistics of some methods together. */
export function statsOf(states: readonly SharedMethodState[], cacheErrors = 0): CacheStats {
  const sum = new MethodCounters(scratch);
  scratch.clear();
  for (const { counters } of states) sum.add(counters);
  sum.cacheErrors += cacheErrors;
  return sum.summary(gatesTogether(states.map(({ gates }) => gates.summary())));
}
