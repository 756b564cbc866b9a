/**
 * How long something stays as it is, where one looks now and then: of each one it is known when it was last seen unchanged, and
 * when it was first seen changed, if ever. B. W. Turnbull, "The empirical distribution function with arbitrarily grouped, censored
 * and truncated data", Journal of the Royal Statistical Society B 38 (1976), 290–295: the estimator of E. L. Kaplan and P. Meier,
 * "Nonparametric estimation from incomplete observations", Journal of the American Statistical Association 53 (1958), 457–481,
 * for changes of which only an interval is known. Where each interval is one cell the two are the same.
 */

/** The shortest age that is told apart, in ms, and how many cells there are each time it doubles. */
const shortestMs = 100;
const cellsByOctave = 4;

/** Up to a year. */
const octaves = 28;

/** Ages at the ends of cells, in ms; the last cell goes on for ever. */
const edges = Array.from(
  { length: octaves * cellsByOctave + 1 },
  (_, at) => shortestMs * 2 ** (at / cellsByOctave),
);

/** The last cell that is over at an age; -1 for none. */
function cellAt(ageMs: number): number {
  return edges.findLastIndex((edge) => edge <= ageMs);
}

/** A point of the curve. */
export interface SurvivalPoint {
  /** How old answers are, in ms. */
  readonly ageMs: number;
  /** The share that is still as it was, 0 to 1. */
  readonly unchanged: number;
  /** Of how many it is known whether they had changed by then. */
  readonly known: number;
}

/** Counts of what was seen, and what it says. Memory is bounded by the number of cells. */
export class Survival {
  /** By the cell up to whose end it was unchanged, and that by whose end it had changed. */
  readonly #seen = new Map<number, number>();

  /** How many were seen. */
  get count(): number {
    return [...this.#seen.values()].reduce((sum, each) => sum + each, 0);
  }

  /** Counts one that was unchanged at an age, and changed at another one or, `undefined`, was not looked at any more. */
  add(unchangedMs: number, changedMs?: number): void {
    // Cell n is up to edge n; what is unchanged at an edge changes in a later cell. All ages are rounded down: one and the same
    // age must not come to lie in two cells.
    const after = cellAt(unchangedMs);
    const last = changedMs === undefined ? edges.length : Math.max(cellAt(changedMs), after + 1);
    const place = (after + 1) * (edges.length + 1) + last;
    this.#seen.set(place, (this.#seen.get(place) ?? 0) + 1);
  }

  addAll(other: Survival): void {
    for (const [place, count] of other.#seen) this.#seen.set(place, (this.#seen.get(place) ?? 0) + count);
  }

  /** The curve, up to the greatest age of which anything is known. */
  curve(): SurvivalPoint[] {
    const seen = Array.from(this.#seen, ([place, count]) => ({
      first: Math.floor(place / (edges.length + 1)),
      last: place % (edges.length + 1),
      count,
    }));
    if (seen.length === 0) return [];
    const shares = estimate(seen);
    const oldest = Math.max(...seen.map(({ first, last }) => (last < edges.length ? last : first - 1)));
    let unchanged = 1;
    return edges.slice(0, oldest + 1).map((ageMs, at) => {
      unchanged -= shares[at]!;
      const known = seen
        .filter(({ first, last }) => first > at || last <= at)
        .reduce((sum, { count }) => sum + count, 0);
      return { ageMs, unchanged: Math.max(0, Math.min(1, unchanged)), known };
    });
  }
}

interface Seen {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

const mostRounds = 500;

/** The share of changes in each cell, by self-consistency: expectation and maximisation until nothing moves. */
function estimate(seen: readonly Seen[]): Float64Array {
  const cells = edges.length + 1;
  // Where nothing tells cells apart, changes are as likely at any time in them: they begin in the proportion of their lengths.
  let shares = Float64Array.from({ length: cells }, (_, at) => {
    const end = edges[at] ?? 2 * edges.at(-1)!;
    return (end - (edges[at - 1] ?? 0)) / (2 * edges.at(-1)!);
  });
  const total = seen.reduce((sum, { count }) => sum + count, 0);
  const sums = new Float64Array(cells + 1);
  for (let round = 0; round < mostRounds; round += 1) {
    for (let at = 0; at < cells; at += 1) sums[at + 1] = sums[at]! + shares[at]!;
    // What each cell has of the observations that may be in it, as differences of running sums.
    const steps = new Float64Array(cells + 1);
    for (const { first, last, count } of seen) {
      const inside = sums[last + 1]! - sums[first]!;
      if (inside <= 0) continue;
      steps[first] = steps[first]! + count / inside;
      steps[last + 1] = steps[last + 1]! - count / inside;
    }
    const next = new Float64Array(cells);
    let weight = 0;
    let moved = 0;
    for (let at = 0; at < cells; at += 1) {
      weight += steps[at]!;
      next[at] = Math.max(0, (shares[at]! * weight) / total);
      moved = Math.max(moved, Math.abs(next[at]! - shares[at]!));
    }
    shares = next;
    if (moved < 1e-7) break;
  }
  return shares;
}
