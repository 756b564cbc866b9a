/** What stands before one tool: its circuit breakers and its lines. */

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.js';
import type { CircuitStateName } from '../events.js';
import { CircuitBreaker } from '../guard/circuit-breaker.js';
import { ConcurrencyLimiter } from '../guard/concurrency.js';
import type { ResolvedGuardOptions } from '../guard/resolved-guard-options.js';
import type { GuardSummary } from '../stats/counters.js';

type BreakerRule = NonNullable<ResolvedGuardOptions['circuitBreaker']>;
type ConcurrencyRule = NonNullable<ResolvedGuardOptions['concurrency']>;

/** What the gates of one tool are made from. */
export interface ToolGatesInit {
  readonly name: string;
  readonly clock: Clock;
  readonly onCircuit: (state: CircuitStateName, previous: CircuitStateName) => void;
}

/**
 * One tool's breakers and limiters. Wrapped functions of one name may have rules of their own: equal rules share one
 * breaker or limiter, so there are no more than there are different rules.
 */
export class ToolGates {
  readonly #init: ToolGatesInit;
  readonly #breakers: { readonly rule: BreakerRule; readonly breaker: CircuitBreaker }[] = [];
  readonly #limiters: { readonly rule: ConcurrencyRule; readonly limiter: ConcurrencyLimiter }[] = [];

  constructor(init: ToolGatesInit) {
    this.#init = init;
  }

  breaker(rule: BreakerRule | undefined): CircuitBreaker | undefined {
    if (rule === undefined) return undefined;
    const known = this.#breakers.find((each) => isDeepStrictEqual(each.rule, rule));
    if (known !== undefined) return known.breaker;
    const { name, clock, onCircuit } = this.#init;
    const { threshold, openForMs } = rule;
    const breaker = new CircuitBreaker({
      ...{ name, threshold, openForMs, clock },
      onStateChange: (state, previous) => onCircuit(state.kind, previous.kind),
    });
    this.#breakers.push({ rule, breaker });
    return breaker;
  }

  limiter(rule: ConcurrencyRule | undefined): ConcurrencyLimiter | undefined {
    if (rule === undefined) return undefined;
    const known = this.#limiters.find((each) => isDeepStrictEqual(each.rule, rule));
    if (known !== undefined) return known.limiter;
    const limiter = new ConcurrencyLimiter({ name: this.#init.name, ...rule });
    this.#limiters.push({ rule, limiter });
    return limiter;
  }

  summary(): GuardSummary {
    return {
      circuit: worst(this.#breakers.map(({ breaker }) => breaker.state.kind)),
      running: this.#limiters.reduce((sum, { limiter }) => sum + limiter.active, 0),
      queued: this.#limiters.reduce((sum, { limiter }) => sum + limiter.queued, 0),
    };
  }
}

/** The gates of several tools as one. */
export function gatesTogether(summaries: readonly GuardSummary[]): GuardSummary {
  return {
    circuit: worst(summaries.map(({ circuit }) => circuit)),
    running: summaries.reduce((sum, { running }) => sum + running, 0),
    queued: summaries.reduce((sum, { queued }) => sum + queued, 0),
  };
}

function worst(states: readonly (CircuitStateName | undefined)[]): CircuitStateName | undefined {
  return (['open', 'half-open', 'closed'] as const).find((state) => states.includes(state));
}
