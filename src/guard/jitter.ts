/** Jitter: entries set in one instant don't all expire in one instant, so their loads don't come as one wave. */

import { type Duration, parseDuration } from '../duration.js';
import { expected } from '../option-checks.js';

/** By how much a ttl may be shortened: a fraction of itself, or at most so many milliseconds. */
export type Jitter = { readonly fraction: number } | { readonly ms: number };

/** No jitter: every ttl stays as it is. */
export const noJitter: Jitter = { fraction: 0 };

/**
 * Reads the option: a number from 0 to 1 is a fraction, a larger one milliseconds, text always a duration.
 *
 * @throws InvalidOptionError naming the option, the value and the fix
 */
export function parseJitter(value: Duration, optionName: string): Jitter {
  const isPercentage = typeof value === 'string' && value.trim().endsWith('%');
  if (isPercentage || (typeof value === 'number' && !(value >= 0))) {
    throw expected(optionName, "a fraction from 0 to 1 such as 0.1 or a duration such as '30s'", value);
  }
  return typeof value === 'number' && value <= 1
    ? { fraction: value }
    : { ms: parseDuration(value, optionName) };
}

/**
 * The ttl to use instead of `ttlMs`: whole ms, evenly spread over the last part of it.
 *
 * It only ever shortens, because the ttl is a promise on how old an answer may be. A ttl above 0 stays above 0.
 */
export function jitteredTtl({
  ttlMs,
  jitter,
  random,
}: {
  readonly ttlMs: number;
  readonly jitter: Jitter;
  readonly random: () => number;
}): number {
  const spread = 'ms' in jitter ? Math.min(jitter.ms, ttlMs) : jitter.fraction * ttlMs;
  return spread === 0 ? ttlMs : ttlMs - Math.floor(random() * spread);
}
