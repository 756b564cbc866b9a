/** How the options of the guards are checked and resolved. */

import { atOnce } from '../at-once.js';
import { systemClock } from '../clock.js';
import { type Duration, parseDuration, positiveDuration } from '../duration.js';
import { InvalidOptionError } from '../errors.js';
import {
  type Defined,
  expected,
  functionOf,
  missing,
  objectOf,
  oneOf,
  refuseUnknown,
  trueOrFalse,
} from '../option-checks.js';
import { ConcurrencyLimiter } from './concurrency.js';
import type { CacheErrors } from './error-cache.js';
import { type FailureThreshold, failureCounter } from './failure-threshold.js';
import {
  type CircuitBreakerRule,
  type ConcurrencyRule,
  type GuardOptions,
  guardDefaults,
  ruleDefaults,
} from './guard-options.js';
import { noJitter, parseJitter } from './jitter.js';
import type { KnownKeys } from './known-keys.js';
import { isNothing, type NegativeTest } from './negative.js';

/** A circuit breaker's rule with nothing left open. Times in ms. */
export interface ResolvedCircuitBreaker {
  readonly threshold: FailureThreshold;
  readonly openForMs: number;
  readonly isFailure: (error: unknown) => boolean;
}

type Reader = (value: never, path: string) => unknown;

/** How each option is read. Each throws `InvalidOptionError` naming the option, the value and the fix. */
const readers = {
  staleWhileRevalidate: otherwise(0, parseDuration),
  staleIfError: otherwise(0, parseDuration),
  refreshAhead: readBeta,
  jitter: otherwise(noJitter, parseJitter),
  memoryTtl: unlessOff(durationOrOff),
  negativeTtl: unlessOff(parseDuration),
  isNegative: otherwise(isNothing, readIsNegative),
  knownKeys: unlessOff(readKnownKeys),
  cacheErrors: unlessOff(aFunction<CacheErrors>),
  isError: unlessOff(aFunction<(value: unknown) => boolean>),
  softTimeout: unlessOff(durationOrOff),
  hardTimeout: unlessOff(durationOrOff),
  concurrency: unlessOff(readConcurrency),
  circuitBreaker: readCircuitBreaker,
  tags: otherwise([], readTags),
  sliding: trueOrFalse,
  maxAge: unlessOff(durationOrOff),
  cost: unlessOff(aFunction<(value: unknown) => number>),
  coherence: otherwise('bounded' as const, readCoherence),
} as const satisfies { readonly [N in keyof GuardOptions]-?: Reader };

/** The guards' options with nothing left open: durations in ms, `undefined` for what is off. */
export type ResolvedGuardOptions = {
  readonly [N in keyof typeof readers]: ReturnType<(typeof readers)[N]>;
};

/** Every option of a guard. */
export const guardOptionNames = Object.keys(readers) as readonly (keyof GuardOptions)[];

/** Lays own options over inherited ones. @throws InvalidOptionError */
export function resolveGuardOptions(
  own: GuardOptions,
  path: string,
  inherited: ResolvedGuardOptions,
): ResolvedGuardOptions {
  const resolved: Record<string, unknown> = { ...inherited };
  for (const name of guardOptionNames) {
    const value = own[name];
    if (value !== undefined) resolved[name] = (readers[name] as Reader)(value as never, `${path}${name}`);
  }
  if (resolved['sliding'] === true && resolved['maxAge'] === undefined) {
    throw missing(
      `\`${path}maxAge\``,
      'sliding: true',
      'say how old a value may get however often it is read',
    );
  }
  return resolved as ResolvedGuardOptions;
}

/** The defaults, resolved. */
export const resolvedGuardDefaults: ResolvedGuardOptions = resolveGuardOptions(
  guardDefaults,
  '',
  {} as ResolvedGuardOptions,
);

function unlessOff<V, R>(read: (value: V, path: string) => R) {
  return otherwise<V, R | undefined>(undefined, read);
}

function otherwise<V, R>(off: R, read: (value: V, path: string) => R) {
  return (value: V | false, path: string): R => (value === false ? off : read(value, path));
}

function durationOrOff(value: Duration, path: string): number {
  return positiveDuration(value, path, 'a duration above 0, or `false` for none');
}

function readBeta(value: boolean | { readonly beta: number }, path: string): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const isRule = typeof value === 'object' && value !== null;
  if (isRule) checkFields(value, ['beta'], path);
  const beta: unknown = isRule ? value.beta : undefined;
  if (typeof beta === 'number' && beta >= 0 && beta < Infinity) return beta;
  throw expected(path, 'true, false or `{ beta }` with a number of at least 0', value);
}

function aFunction<F extends (...args: never[]) => unknown>(value: F, path: string): F {
  return atOnce(functionOf(value, path), path) as F;
}

function readIsNegative(value: NegativeTest, path: string): NegativeTest {
  return value === isNothing ? value : aFunction(value, path);
}

function readKnownKeys(value: KnownKeys, path: string): KnownKeys {
  const isOne = typeof value?.mayHave === 'function' && typeof value.add === 'function';
  if (!isOne) throw expected(path, 'a BloomFilter, or an object with `mayHave(key)` and `add(key)`', value);
  return value;
}

function readTags(
  value: readonly string[] | ((value: unknown) => readonly string[]),
  path: string,
): readonly string[] | ((value: unknown) => readonly string[]) {
  if (typeof value === 'function') return atOnce(value, path);
  const isList = Array.isArray(value) && value.every((tag) => typeof tag === 'string' && tag !== '');
  if (!isList) throw expected(path, 'a list of non-empty strings, or a function that returns one', value);
  return [...value];
}

function readConcurrency(value: number | ConcurrencyRule, path: string): Required<Defined<ConcurrencyRule>> {
  const isRule = typeof value === 'object' && value !== null;
  if (!isRule && typeof value !== 'number') throw expected(path, 'a number, `{ limit }` or false', value);
  const { queueLimit } = ruleDefaults;
  if (isRule) checkFields(value, ['limit', 'queueLimit'], path);
  const rule = isRule
    ? { limit: value.limit, queueLimit: value.queueLimit ?? queueLimit }
    : { limit: value, queueLimit };
  new ConcurrencyLimiter({ name: path, ...rule });
  return rule;
}

function readCircuitBreaker(
  value: boolean | CircuitBreakerRule,
  path: string,
): ResolvedCircuitBreaker | undefined {
  if (value === false) return undefined;
  const rule = value === true ? {} : value;
  checkFields(objectOf(rule, path, 'true, false or a rule'), [...breakerFields, ...sampleFields], path);
  const { failures, failureRate, minimumCalls, within, openFor, isFailure = everyError } = rule;
  if (failures !== undefined && failureRate !== undefined) {
    throw new InvalidOptionError(
      `Expected \`${path}.failures\` or \`${path}.failureRate\`, got both: leave one out`,
    );
  }
  for (const name of sampleFields) {
    if (failureRate !== undefined || rule[name] === undefined) continue;
    throw missing(`\`${path}.failureRate\``, `${path}.${name}`, 'say which share of the calls is too much');
  }
  const threshold: FailureThreshold =
    failureRate === undefined
      ? { failures: failures ?? ruleDefaults.failures }
      : {
          failureRate,
          minimumCalls: minimumCalls ?? ruleDefaults.minimumCalls,
          withinMs: positiveDuration(within ?? ruleDefaults.within, `${path}.within`),
        };
  failureCounter(threshold, systemClock);
  const openForMs = positiveDuration(openFor ?? ruleDefaults.openFor, `${path}.openFor`);
  return { threshold, openForMs, isFailure: aFunction(isFailure, `${path}.isFailure`) };
}

const breakerFields = ['failures', 'failureRate', 'openFor', 'isFailure'] as const;
/** Those that go with `failureRate`. */
const sampleFields = ['minimumCalls', 'within'] as const;

/** A misspelt field would leave its guard at the default without a word. */
function checkFields(rule: object, known: readonly string[], path: string): void {
  refuseUnknown(rule, known, { of: `\`${path}\``, noun: 'field' });
  for (const [name, value] of Object.entries(rule)) {
    if (value === null) throw expected(`${path}.${name}`, 'a value, or left out', value);
  }
}

/** One function, so that rules which leave it open are equal. */
const everyError = () => true;

function readCoherence(value: unknown, path: string): 'bounded' | 'available' {
  return oneOf(value, path, ['bounded', 'available']);
}
