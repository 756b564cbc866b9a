/** One method under its options: key, counters, remembered errors, circuit breaker and limiter. */

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.js';
import type { UnstorableValueError } from '../errors.js';
import type { CircuitStateName } from '../events.js';
import { CircuitBreaker } from '../guard/circuit-breaker.js';
import { ConcurrencyLimiter } from '../guard/concurrency.js';
import type { RememberedErrors } from '../guard/error-cache.js';
import type { ResolvedGuardOptions } from '../guard/resolved-guard-options.js';
import { type ArgumentIndex, Chain, type CopyingCall, type KnownArguments } from '../key/argument-index.js';
import { ignoredMembers } from '../key/ignored-path.js';
import { createKeyHasher, type KeyHasher, keyFrame } from '../key/key-hasher.js';
import { sharingParams, type UnkeptMembers } from '../key/key-origin.js';
import type { Redactions } from '../key/redacted-paths.js';
import { shown, text } from '../option-checks.js';
import type { ResolvedMethodOptions } from '../options.js';
import { type CacheStats, type GuardSummary, MethodCounters } from '../stats/counters.js';
import { LoadTimeRecorder } from '../stats/load-times.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import type { ValueCodec } from '../value/codec.js';
import { haveSameTtl, staleAtFor } from './create-entry.js';

/** What counts the failures of a method. */
export interface FailureCounters {
  readonly name: string;
  readonly counters: { cacheErrors: number };
}

/** What all users of one method share, whatever options they have for it. */
export interface SharedMethodState {
  readonly counters: MethodCounters;
  readonly errors: RememberedErrors;
  readonly gates: ToolGates;
  readonly storability: Storability;
  /** The arguments of the cache's calls. */
  readonly index: ArgumentIndex;
  readonly codec: ValueCodec;
  /** What is kept of none of the cache's calls. */
  readonly redactions: Redactions;
}

/** One method under certain options. A wrapped function has options of its own and shares the rest. */
export class MethodState implements SharedMethodState {
  readonly name: string;
  readonly options: ResolvedMethodOptions;
  readonly counters: MethodCounters;
  readonly errors: RememberedErrors;
  readonly gates: ToolGates;
  readonly storability: Storability;
  readonly breaker: CircuitBreaker | undefined;
  readonly limiter: ConcurrencyLimiter | undefined;
  readonly index: ArgumentIndex;
  readonly redactions: Redactions;
  readonly codec: ValueCodec;
  readonly #hash: KeyHasher;
  /** `undefined` where parts of the params don't enter the key: the index compares all of them. */
  readonly #chain: Chain | undefined;
  /** What is not kept of params; `undefined`: nothing is kept. */
  readonly unkept: UnkeptMembers | undefined;
  /** Whether functions of the same name were wrapped that keep params. */
  hasOtherParams = false;
  /** Whether functions of the same name were wrapped with a ttl of their own: then the method's is not that of its entries. */
  hasOtherTtls = false;

  /** @throws InvalidArgumentError when the name can't be part of a key */
  constructor(name: string, options: ResolvedMethodOptions, shared: SharedMethodState) {
    this.name = name;
    this.options = options;
    this.counters = shared.counters;
    this.errors = shared.errors;
    this.gates = shared.gates;
    this.storability = shared.storability;
    this.breaker = this.gates.breaker(options.circuitBreaker);
    this.limiter = this.gates.limiter(options.concurrency);
    this.index = shared.index;
    this.redactions = shared.redactions;
    this.codec = shared.codec;
    const { version, ignore } = options;
    this.#hash = createKeyHasher(name, { version, ignore });
    if (ignore.length === 0) this.#chain = new Chain(keyFrame(name, version), this.#hash, shared.counters);
    this.unkept = options.keepParams && {
      ignored: ignoredMembers(options.ignore),
      redacted: shared.redactions.paths(options.keepParams.redact),
    };
  }

  /** From when on an entry is stale to a call with these options, epoch ms; `null` is never. */
  staleAt(entry: MemoryEntry, options = this.options): number | null {
    if (this.hasOtherTtls && haveSameTtl(options, this.options)) return entry.staleAt;
    return staleAtFor(entry, options);
  }

  /**
   * The key of a call, under its own scope or the method's.
   * @throws UnhashableParamsError, InvalidOptionError for a scope that is no string: `null` would be everybody's
   */
  key(params: unknown, scope: string | undefined): string {
    const own = this.#ownScope(scope);
    return (this.#chain && this.index.known(params, own, this.#chain)?.key) ?? this.#hash(params, own);
  }

  /** `key` where nobody asks for a value: who writes many entries may never ask for most of them. */
  keyInPassing(params: unknown, scope: string | undefined): string {
    const own = this.#ownScope(scope);
    return (this.#chain && this.index.find(params, own, this.#chain)?.key) ?? this.#hash(params, own);
  }

  /** The params of a call, and its key, where they are plain data; `undefined` where it takes more to find it, or that there is none. */
  known(params: unknown, scope: string | undefined, call?: CopyingCall): KnownArguments | undefined {
    return this.#chain && this.index.known(params, scope ?? this.options.scope, this.#chain, call);
  }

  /** Lets an entry that comes into memory with params of its own share those by which its calls are found. */
  shareParams(entry: MemoryEntry): void {
    const { encodedParams, scope } = entry.origin ?? {};
    if (this.#chain === undefined || encodedParams === undefined || encodedParams.byteLength > mostShared)
      return;
    try {
      const taken = this.index.taken(this.codec.decode(encodedParams), scope, this.#chain);
      if (entry.origin && taken) entry.origin = sharingParams(entry.origin, taken, this.codec);
    } catch {
      // Written by a program with other codecs, perhaps: they are held as they are.
    }
  }

  #ownScope(scope: string | undefined): string | undefined {
    return scope === undefined ? this.options.scope : text(scope, 'scope');
  }
}

/** A method under options of one of its callers, who shares the rest with the others. */
export function stateUnder(shared: MethodState, options: ResolvedMethodOptions): MethodState {
  if (!haveSameTtl(options, shared.options)) shared.hasOtherTtls = true;
  if (options.keepParams !== undefined) shared.hasOtherParams = true;
  return new MethodState(shared.name, options, shared);
}

/** Longer params, in bytes, are held as they are: to look whether they are held already would take too long. */
const mostShared = 16_384;

/** More names than a harness has tools: something that varies without end has got into them. */
export const manyMethods = 10_000;

/** Warns of memory that will not come back: the state of a method is kept for its statistics and guards. */
export function warnOfManyMethods(latest: string): void {
  process.emitWarning(
    `${manyMethods} method names are in use, the latest is ${shown(latest.slice(0, 100))}. Each takes some KB until the cache is ` +
      'closed: name the tool, and put what varies into the params, `scope` or `version`',
    { type: 'ToolstashWarning', code: 'TOOLSTASH_MANY_METHODS' },
  );
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

/**
 * Whether a method's results can be stored at all: callers do not wait for a load whose result they can't share. Warns
 * of the first that can't be stored.
 */
export class Storability {
  readonly #method: string;
  #isWarned = false;
  /** Whether its last result could not be stored, nor shared with those who waited for it. */
  isUnstorable = false;

  constructor(method: string) {
    this.#method = method;
  }

  refused(error: UnstorableValueError): void {
    this.isUnstorable = true;
    if (this.#isWarned) return;
    this.#isWarned = true;
    process.emitWarning(
      `A result of \`${this.#method}\` can't be stored and is handed out uncached: ${error.message}. Return plain data ` +
        '(`await response.text()` and not the response), or give the class one of `codecs`. Until then ' +
        'concurrent calls of it share nothing.',
      { type: 'ToolstashWarning', code: 'TOOLSTASH_UNSTORABLE_RESULT' },
    );
  }
}
