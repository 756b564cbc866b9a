/**
 * Refresh ahead (probabilistic early expiration): a hot entry is loaded anew shortly before it expires, by one of its
 * callers, chosen at random.
 *
 * XFetch of Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
 */

/**
 * Whether this read should start a refresh although the value is still fresh.
 *
 * The nearer the expiry and the longer the load takes, the likelier; a read `gap` ms before the expiry starts one
 * with the probability exp(-gap / (loadMs × beta)). A value whose load time is not known (0) is never refreshed early,
 * an expired one always.
 */
export function shouldRefreshEarly({
  now,
  expiresAt,
  loadMs,
  beta,
  random,
}: {
  /** Epoch ms. */
  readonly now: number;
  /** When the value stops being fresh, in epoch ms; `null` is never. */
  readonly expiresAt: number | null;
  /** What the load took last time, in ms. */
  readonly loadMs: number;
  /** 1 is the paper's optimum; larger is earlier, 0 is off. */
  readonly beta: number;
  /** A number in [0, 1). */
  readonly random: () => number;
}): boolean {
  if (expiresAt === null) return false;
  // 1 - random() lies in (0, 1]: the logarithm stays finite.
  return now - loadMs * beta * Math.log(1 - random()) >= expiresAt;
}
