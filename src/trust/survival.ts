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

const cells = edges.length + 1;

/** Where nothing tells cells apart, changes are as likely at any time in them: they begin in the proportion of their lengths. */
const evenShares = Float64Array.from({ length: cells }, (_, at) => {
  const end = edges[at] ?? 2 * edges.at(-1)!;
  return (end - (edges[at - 1] ?? 0)) / (2 * edges.at(-1)!);
});

/** The last cell that is over at an age; -1 for none. */
function cellAt(ageMs: number): number {
  if (!(ageMs >= shortestMs)) return -1;
  const about = Math.min(edges.length - 1, Math.round(cellsByOctave * Math.log2(ageMs / shortestMs)));
  // Logarithms are not exact.
  return edges[about]! <= ageMs ? about : about - 1;
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
  #curve: readonly SurvivalPoint[] | undefined;
  #count = 0;

  /** How many were seen. */
  get count(): number {
    return this.#count;
  }

  /** Counts one that was unchanged at an age, and changed at another one or, `undefined`, was not looked at any more. */
  add(unchangedMs: number, changedMs?: number): void {
    this.#count += 1;
    this.#put(placeOf(unchangedMs, changedMs), 1);
  }

  /** One that was counted as unchanged at an age turns out to be so at another one, or to have changed by a third. */
  extend(countedMs: number, unchangedMs: number, changedMs?: number): void {
    const [from, to] = [placeOf(countedMs), placeOf(unchangedMs, changedMs)];
    if (from === to) return;
    this.#put(from, -1);
    this.#put(to, 1);
  }

  /** The curve, up to the greatest age of which anything is known. It is worked out once for what was seen. */
  curve(): readonly SurvivalPoint[] {
    this.#curve ??= curveOf(
      Array.from(this.#seen, ([place, count]) => ({
        first: Math.floor(place / cells),
        last: place % cells,
        count,
      })),
    );
    return this.#curve;
  }

  #put(place: number, more: number): void {
    const count = (this.#seen.get(place) ?? 0) + more;
    if (count === 0) this.#seen.delete(place);
    else this.#seen.set(place, count);
    this.#curve = undefined;
  }
}

function placeOf(unchangedMs: number, changedMs?: number): number {
  // Cell n is up to edge n; what is unchanged at an edge changes in a later cell. All ages are rounded down: one and the same
  // age must not come to lie in two cells.
  const after = cellAt(unchangedMs);
  const last = changedMs === undefined ? edges.length : Math.max(cellAt(changedMs), after + 1);
  return (after + 1) * cells + last;
}

interface Seen {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

function curveOf(seen: readonly Seen[]): SurvivalPoint[] {
  if (seen.length === 0) return [];
  const shares = estimate(seen);
  const oldest = Math.max(...seen.map(({ first, last }) => (last < edges.length ? last : first - 1)));
  // Of how many it begins, and ceases, to be unknown at a cell whether they have changed.
  const begins = new Float64Array(cells);
  for (const { first, last, count } of seen) {
    begins[first]! += count;
    begins[last]! -= count;
  }
  let [unchanged, known] = [1, seen.reduce((sum, { count }) => sum + count, 0)];
  return edges.slice(0, oldest + 1).map((ageMs, at) => {
    unchanged -= shares[at]!;
    known -= begins[at]!;
    return { ageMs, unchanged: Math.max(0, Math.min(1, unchanged)), known };
  });
}

/** Rounds at most, and how much work: observations times rounds. */
const [mostRounds, mostSteps] = [500, 10_000];

/**
 * The share of changes in each cell, by self-consistency: expectation and maximisation until nothing moves. Cells between
 * which no observation begins or ends are one: they keep their proportion.
 */
function estimate(seen: readonly Seen[]): Float64Array {
  const total = seen.reduce((sum, { count }) => sum + count, 0);
  const isBegun = new Uint8Array(cells + 1);
  for (const { first, last } of seen) {
    isBegun[first] = 1;
    isBegun[last + 1] = 1;
  }
  // The number of the group that each cell is in.
  const groups = new Uint8Array(cells + 1);
  for (let at = 1; at <= cells; at += 1) groups[at] = groups[at - 1]! + isBegun[at]!;
  const within = seen.map(({ first, last, count }) => ({
    first: groups[first]!,
    end: groups[last]! + 1,
    count,
  }));
  const prior = new Float64Array(groups[cells]! + 1);
  for (let at = 0; at < cells; at += 1) prior[groups[at]!]! += evenShares[at]!;
  const sums = new Float64Array(prior.length + 1);
  const steps = new Float64Array(prior.length + 1);
  /** One round. What comes out adds up to 1, whatever goes in. */
  const improve = (shares: Float64Array): Float64Array => {
    for (let at = 0; at < shares.length; at += 1) sums[at + 1] = sums[at]! + shares[at]!;
    // What each has of the observations that may be in it, as differences of running sums.
    steps.fill(0);
    for (const { first, end, count } of within) {
      const inside = sums[end]! - sums[first]!;
      if (inside <= 0) continue;
      steps[first]! += count / inside;
      steps[end]! -= count / inside;
    }
    const next = new Float64Array(shares.length);
    let weight = 0;
    for (let at = 0; at < shares.length; at += 1) {
      weight += steps[at]!;
      next[at] = Math.max(0, (shares[at]! * weight) / total);
    }
    return next;
  };
  let shares = improve(prior);
  for (let left = Math.min(mostRounds, mostSteps / seen.length); left > 0; left -= 3) {
    const once = improve(shares);
    const twice = improve(once);
    if (once.every((share, at) => Math.abs(share - shares[at]!) < 1e-5)) break;
    shares = improve(leap(shares, once, twice));
  }
  return evenShares.map((share, at) => (share * shares[groups[at]!]!) / prior[groups[at]!]!);
}

/**
 * Where rounds would lead, by the last two of them; the second of them where that is nowhere. R. Varadhan, C. Roland, "Simple and
 * globally convergent methods for accelerating the convergence of any EM algorithm", Scandinavian Journal of Statistics 35 (2008),
 * 335–353: its third step length.
 */
function leap(from: Float64Array, once: Float64Array, twice: Float64Array): Float64Array {
  let [moves, turns] = [0, 0];
  for (let at = 0; at < from.length; at += 1) {
    moves += (once[at]! - from[at]!) ** 2;
    turns += (twice[at]! - 2 * once[at]! + from[at]!) ** 2;
  }
  const length = Math.sqrt(moves / turns);
  if (!(length > 1 && Number.isFinite(length))) return twice;
  const there = from.map(
    (share, at) =>
      share + 2 * length * (once[at]! - share) + length ** 2 * (twice[at]! - 2 * once[at]! + share),
  );
  return there.every((share) => share >= 0) ? there : twice;
}
