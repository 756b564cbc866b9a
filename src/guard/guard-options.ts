/** The options of the guards: what they mean, and their defaults. */

import type { Duration } from '../duration.js';
import type { CacheErrors } from './error-cache.js';
import type { KnownKeys } from './known-keys.js';
import { isNothing, type NegativeTest } from './negative.js';

/** How many failures are too many, and for how long the tool is then left alone. */
export interface CircuitBreakerRule {
  /**
   * Opens after so many failures in a row.
   * @default 5, unless `failureRate` is given
   */
  readonly failures?: number;
  /**
   * Opens when at least this share of the calls within `within` failed, above 0 to 1; instead of `failures`.
   * @default undefined
   */
  readonly failureRate?: number;
  /**
   * With `failureRate`: fewer calls than this tell nothing.
   * @default 10
   */
  readonly minimumCalls?: number;
  /**
   * With `failureRate`: how far back calls count, in ms or as text.
   * @default '1m'
   */
  readonly within?: Duration;
  /**
   * How long the tool is left alone before one call tries it again, in ms or as text.
   * @default '30s'
   */
  readonly openFor?: Duration;
  /**
   * Whether an error says that the tool is failing; others, such as those of wrong params, count neither way.
   * @default every error
   */
  readonly isFailure?: (error: unknown) => boolean;
}

/** How many loads may run at once, and how many may wait. */
export interface ConcurrencyRule {
  /**
   * Loads at once. Loads that a loader itself starts have a limit of their own at each depth, and an aborted load gives
   * its turn back at once: a tool that doesn't heed its signal may then run more often.
   */
  readonly limit: number;
  /**
   * Loads that may wait in line; one more fails with a `QueueFullError`.
   * @default 1000
   */
  readonly queueLimit?: number;
}

/**
 * The options of the guards. All are off, or do no harm, by default. `false` switches off what would be inherited.
 * The order in which they act is that of `load-pipeline.ts`.
 */
export interface GuardOptions {
  /**
   * How long after its `ttl` a value is answered at once while one background load renews it, in ms or as text.
   * @default 0
   */
  readonly staleWhileRevalidate?: Duration | false;
  /**
   * How long after its `ttl` a value is answered when its load fails or is refused, in ms or as text.
   * @default 0
   */
  readonly staleIfError?: Duration | false;
  /**
   * Whether hits near the end of a value's `ttl` renew it in the background, by lot: the likelier, the nearer the end
   * and the longer its load took. A `beta` above 1 renews earlier, one below 1 later.
   * @default false
   */
  readonly refreshAhead?: boolean | { readonly beta: number };
  /**
   * By how much a ttl is shortened at random, so that what was set together doesn't expire together: up to 1 a fraction
   * of it, above that ms, or as text.
   * @default 0
   */
  readonly jitter?: Duration | false;
  /**
   * How long a value stays in memory at most, in ms or as text; slower tiers keep it for its whole ttl.
   * @default false (as long as it may be used)
   */
  readonly memoryTtl?: Duration | false;
  /**
   * How long "nothing found" is fresh, in ms or as text; 0 stores no such result.
   * @default false (as any other value)
   */
  readonly negativeTtl?: Duration | false;
  /**
   * Whether a result says "nothing found".
   * @default `null` and `undefined` do
   */
  readonly isNegative?: NegativeTest | false;
  /**
   * The keys that exist, such as a `BloomFilter`: for a key it surely doesn't hold the loader is not called, and the
   * answer is `undefined`. What is stored is added to it.
   * @default false
   */
  readonly knownKeys?: KnownKeys | false;
  /**
   * How long a loader's error is thrown again instead of calling the tool, in ms or as text; `false` is not at all.
   * @default false
   */
  readonly cacheErrors?: CacheErrors | false;
  /**
   * Whether a result *is* an error, such as one of MCP with `isError: true`. It is handed out, never stored, and counts
   * as a failure.
   * @default false (only what is thrown)
   */
  readonly isError?: ((value: unknown) => boolean) | false;
  /**
   * How long a caller waits before a stale value will do, in ms or as text. The load goes on and is stored. It takes
   * `staleIfError` to have stale values.
   * @default false
   */
  readonly softTimeout?: Duration | false;
  /**
   * How long a caller waits at all, in ms or as text; then it gets a `LoaderTimeoutError`. The load goes on for those
   * who still wait; if nobody does, it is aborted.
   * @default false
   */
  readonly hardTimeout?: Duration | false;
  /**
   * How many loads of a method may run at once, as a number or with the length of the line.
   * @default false
   */
  readonly concurrency?: number | ConcurrencyRule | false;
  /**
   * When a failing tool is left alone for a while; `true` takes the defaults.
   * @default false
   */
  readonly circuitBreaker?: boolean | CircuitBreakerRule;
  /**
   * What `invalidateTags` can make values invalid by: names, or a function of the value.
   * @default []
   */
  readonly tags?: readonly string[] | ((value: unknown) => readonly string[]) | false;
  /**
   * Whether each hit starts the `ttl` anew, until `maxAge`. What nobody has read for one `ttl` is gone, also as a stale
   * value: `staleWhileRevalidate` and `staleIfError` begin at `maxAge`. Slower tiers don't hear of hits: a value that
   * memory has let go of is there for one `ttl` after it was set. Found there, it slides on.
   * @default false
   */
  readonly sliding?: boolean;
  /**
   * With `sliding`: how old a value may get however often it is read, in ms or as text.
   * @default false
   */
  readonly maxAge?: Duration | false;
  /**
   * What a value is worth to the `gdsf` store in a unit of your own, such as tokens or money: above 0.
   * @default false (the ms that its load took)
   */
  readonly cost?: ((value: unknown) => number) | false;
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
} as const satisfies Required<GuardOptions>;

/** The defaults within `circuitBreaker` and `concurrency`. */
export const ruleDefaults = {
  failures: 5,
  minimumCalls: 10,
  within: '1m',
  openFor: '30s',
  queueLimit: 1000,
} as const;

/** Those that can be set for a single call of `set`. */
export type SetGuardName =
  | 'staleWhileRevalidate'
  | 'staleIfError'
  | 'jitter'
  | 'memoryTtl'
  | 'negativeTtl'
  | 'isNegative'
  | 'tags'
  | 'sliding'
  | 'maxAge'
  | 'cost';

/** Those that can be set for a single call of `getOrSet`. */
export type LoadGuardName =
  | SetGuardName
  | 'refreshAhead'
  | 'cacheErrors'
  | 'isError'
  | 'softTimeout'
  | 'hardTimeout';
