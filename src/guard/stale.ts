/** Stale values: how far past its ttl a value may still answer, for whom, and when a failed refresh is tried again. */

/** For how long after its ttl a value may still answer. */
export interface StaleWindows {
  /** It answers at once while a refresh runs in the background; ms after `staleAt`, 0 is off. */
  readonly staleWhileRevalidate: number;
  /** It answers when its load fails; ms after `staleAt`, 0 is off. */
  readonly staleIfError: number;
}

/**
 * What a value is good for now.
 *
 * - `fresh`: answers
 * - `stale-while-revalidate`: answers at once and should be refreshed; also answers when that load fails
 * - `stale-if-error-only`: must be loaded anew; answers only if that fails
 * - `expired`: answers nobody
 */
export type Freshness = 'fresh' | 'stale-while-revalidate' | 'stale-if-error-only' | 'expired';

/** What a value is good for now. Each limit is the first moment at which it no longer holds; `null` is never. */
export function freshness({
  now,
  staleAt,
  expiresAt,
  staleWhileRevalidate,
  staleIfError,
}: StaleWindows & {
  readonly now: number;
  readonly staleAt: number | null;
  readonly expiresAt: number | null;
}): Freshness {
  if (expiresAt !== null && now >= expiresAt) return 'expired';
  if (staleAt === null || now < staleAt) return 'fresh';
  if (now < staleAt + staleWhileRevalidate) return 'stale-while-revalidate';
  if (now < staleAt + staleIfError) return 'stale-if-error-only';
  return 'expired';
}

/**
 * How long to leave a value unrefreshed after so many failed refreshes in a row, in ms.
 *
 * Doubles from `firstMs` up to `mostMs`; the upper half of each wait is random, so that keys which failed
 * together don't return together, while none returns at once.
 */
export function refreshBackoff({
  failures,
  firstMs,
  mostMs,
  random,
}: {
  /** Failed refreshes in a row: 1 after the first. */
  readonly failures: number;
  readonly firstMs: number;
  readonly mostMs: number;
  readonly random: () => number;
}): number {
  if (failures <= 0) return 0;
  // 2 ** 52 doublings overflow nothing, and every first wait has reached any limit long before.
  const wait = Math.min(firstMs * 2 ** Math.min(failures - 1, 52), mostMs);
  return Math.round(wait / 2 + (wait / 2) * random());
}
