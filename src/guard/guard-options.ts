/** The options of the guards: what they mean, and their defaults. */

import type { Duration } from '../duration.js';
import type { CacheErrors } from './error-cache.js';
import type { KnownKeys } from './known-keys.js';
import { isNothing } from './negative.js';

/** How many failures open the circuit, and for how long. */
export interface CircuitBreakerRule {
  /**
   * Opens after so many failures in a row.
   * @default 5, unless `failureRate` is given
   */
  readonly failures?: number | undefined;
  /**
   * Opens when at least this share of the calls within `within` failed, above 0 to 1; instead of `failures`.
   * @default undefined
   */
  readonly failureRate?: number | undefined;
  /**
   * With `failureRate`: fewer calls than this never open the circuit.
   * @default 10
   */
  readonly minimumCalls?: number | undefined;
  /**
   * With `failureRate`: how far back calls count, in ms or as text.
   * @default '1m'
   */
  readonly within?: Duration | undefined;
  /**
   * How long the circuit stays open (the tool is not called) before one call tries it again, in ms or as text.
   * @default '30s'
   */
  readonly openFor?: Duration | undefined;
  /**
   * Whether an error says that the tool is failing; others, such as those of wrong params, count neither way.
   * @default every error
   */
  readonly isFailure?: ((error: unknown) => boolean) | undefined;
}

/** How many loads may run at once, and how many may wait. */
export interface ConcurrencyRule {
  /**
   * Loads at once. Loads that a loader itself starts have a limit of their own at each depth, and an aborted load gives
   * its permit back at once: a tool that doesn't heed its signal may then run more often.
   */
  readonly limit: number;
  /**
   * Loads that may wait in the queue; one more fails with a `QueueFullError`.
   * @default 1000
   */
  readonly queueLimit?: number | undefined;
}

/** How early hits refresh a value before it expires. */
export interface RefreshAheadRule {
  /** Above 1 refreshes earlier, below 1 later: 0 or more. */
  readonly beta: number;
}

/**
 * The options of the guards. All are off, or do no harm, by default. `false` switches off what would be inherited.
 */
export interface GuardOptions {
  /**
   * How long after its `ttl` a value is answered at once while one background load refreshes it, in ms or as text.
   * @default 0
   */
  readonly staleWhileRevalidate?: Duration | false | undefined;
  /**
   * How long after its `ttl` a value is answered when its load fails or is refused, in ms or as text.
   * @default 0
   */
  readonly staleIfError?: Duration | false | undefined;
  /**
   * Whether a hit near the end of a value's `ttl` refreshes it in the background (probabilistic early expiration): the
   * likelier, the nearer the end and the longer its load took.
   * @default false
   */
  readonly refreshAhead?: boolean | RefreshAheadRule | undefined;
  /**
   * By how much a ttl is shortened at random, so that what was set together doesn't expire together: up to 1 a fraction
   * of it, above that ms, or as text.
   * @default 0
   */
  readonly jitter?: Duration | false | undefined;
  /**
   * How long a value stays in memory at most, in ms or as text; slower tiers keep it for its whole ttl.
   * @default false (as long as it may be used)
   */
  readonly memoryTtl?: Duration | false | undefined;
  /**
   * How long "nothing found" is fresh, in ms or as text; 0 stores no such result.
   * @default false (as any other value)
   */
  readonly negativeTtl?: Duration | false | undefined;
  /**
   * Whether a result says "nothing found".
   * @default `null` and `undefined` do
   */
  readonly isNegative?: ((value: unknown) => boolean) | false | undefined;
  /**
   * The keys that exist, such as a `BloomFilter`: for a key it surely doesn't hold the loader is not called, and the
   * answer is `undefined`. What is stored is added to it.
   * @default false
   */
  readonly knownKeys?: KnownKeys | false | undefined;
  /**
   * How long a loader's error is thrown again instead of calling the tool, in ms or as text; `false` is not at all.
   * @default false
   */
  readonly cacheErrors?: CacheErrors | false | undefined;
  /**
   * Whether a result *is* an error, such as one of MCP with `isError: true`. It is handed out, never stored, and counts
   * as a failure.
   * @default false (only what is thrown)
   */
  readonly isError?: ((value: unknown) => boolean) | false | undefined;
  /**
   * How long a caller waits before a stale value will do, in ms or as text. The load goes on and is stored. It takes
   * `staleIfError` to have stale values.
   * @default false
   */
  readonly softTimeout?: Duration | false | undefined;
  /**
   * The longest that a caller waits, in ms or as text, and that a load takes in all: then `LoaderTimeoutError`, or a
   * stale value within `staleIfError`. A load that takes longer is aborted, whoever waits for it, counts as failed, also
   * for `circuitBreaker`, and gives its permit back; the next caller starts a fresh one. It has the bound of the call that
   * began it, from then on: slower tiers and waiting for a permit included.
   *
   * @default false
   */
  readonly hardTimeout?: Duration | false | undefined;
  /**
   * How many loads of a method may run at once, as a number or with the limit of the queue.
   * @default false
   */
  readonly concurrency?: number | ConcurrencyRule | false | undefined;
  /**
   * When a failing tool is not called for a while; `true` takes the defaults.
   * @default false
   */
  readonly circuitBreaker?: boolean | CircuitBreakerRule | undefined;
  /**
   * What `invalidateTags` can make values invalid by: names, or a function of the value.
   * @default []
   */
  readonly tags?: readonly string[] | ((value: unknown) => readonly string[]) | false | undefined;
  /**
   * Whether each hit starts the `ttl` anew, until `maxAge`. What nobody has read for one `ttl` is gone, also as a stale
   * value: `staleWhileRevalidate` and `staleIfError` begin at `maxAge`. Slower tiers don't hear of hits: a value that
   * memory has let go of is there for one `ttl` after it was set. Found there, it slides on.
   * @default false
   */
  readonly sliding?: boolean | undefined;
  /**
   * With `sliding`: how old a value may get however often it is read, in ms or as text.
   * @default false
   */
  readonly maxAge?: Duration | false | undefined;
  /**
   * What a value cost, in a unit of your own, such as tokens or money, for the `gdsf` store: above 0.
   * @default false (the ms that its load took)
   */
  readonly cost?: ((value: unknown) => number) | false | undefined;
  /**
   * With `remote`, what is answered from memory and disk while the shared tier can't be reached. `'bounded'`: a value only
   * until a bound after its load began or it was known to be unchanged, then the tool is asked; `'available'`: whatever there
   * is, checked once the tier is back.
   * @default 'bounded'
   */
  readonly coherence?: 'bounded' | 'available' | false | undefined;
}

/** The default of every guard option. */
export const guardDefaults = {
  staleWhileRevalidate: 0,
  staleIfError: 0,
  refreshAhead: false,
  jitter: 0,
  memoryTtl: false,
  negativeTtl: false,
  isNegative: isNothing,
  knownKeys: false,
  cacheErrors: false,
  isError: false,
  softTimeout: false,
  hardTimeout: false,
  concurrency: false,
  circuitBreaker: false,
  tags: [],
  sliding: false,
  maxAge: false,
  cost: false,
  coherence: 'bounded',
} as const satisfies Required<GuardOptions>;

/** The defaults within `circuitBreaker` and `concurrency`. */
export const ruleDefaults = {
  failures: 5,
  minimumCalls: 10,
  within: '1m',
  openFor: '30s',
  queueLimit: 1000,
} as const;
