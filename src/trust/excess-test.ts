/**
 * Whether a share is above a bound, asked again and again while it is counted. Each look is an exact binomial test (C. J.
 * Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26
 * (1934), 404–413). Who looks at every count finds chance above any bound in the end, so looks are at twice the count each,
 * and the k-th, from 1, may err with a probability of 0.05 / 2^k: all together, by the union bound, of 0.05 at most.
 */

const mostErrors = 0.05;

/** A test that goes on as more is counted. */
export class ExcessTest {
  readonly #bound: number;
  #nextLook: number;
  #level = mostErrors;

  /** @param least the count at the first look */
  constructor(bound: number, least: number) {
    this.#bound = bound;
    this.#nextLook = least;
  }

  /** Whether it is sure by now that the share is above the bound. To be asked after each count. */
  isSure(found: number, of: number): boolean {
    if (of < this.#nextLook) return false;
    this.#nextLook = of * 2;
    this.#level /= 2;
    return upperTail(found, of, this.#bound) <= this.#level;
  }
}

/** The probability of so many or more of `of`, where each has this share; 1 for what is no more than expected. */
export function upperTail(found: number, of: number, share: number): number {
  if (found <= of * share) return 1;
  if (share === 0) return 0;
  // By logarithms: the powers are too small for a double.
  let log = found * Math.log(share) + (of - found) * Math.log1p(-share);
  for (let at = 1; at <= found; at++) log += Math.log((of - found + at) / at);
  let term = Math.exp(log);
  let sum = term;
  // Terms fall from here on, each faster than the one before.
  for (let at = found; at < of && term > sum * Number.EPSILON; at++) {
    term *= ((of - at) / (at + 1)) * (share / (1 - share));
    sum += term;
  }
  return sum;
}
