/** Interleaved rounds: everybody runs once a round, in a new order each time, and medians are compared. */

import { type Random, shuffled } from './workloads.js';

/** What one contender took, round by round. */
export interface Samples {
  readonly name: string;
  /** Nanoseconds per operation, one number a round. */
  readonly nanoseconds: number[];
}

/** What takes part in rounds. `run` returns the nanoseconds that one operation took. */
export interface Runner {
  readonly name: string;
  run(round: number): number | Promise<number>;
}

/** Runs all runners `warmUps + rounds` times; the samples of the warm-ups are dropped. */
export async function runRounds(options: {
  readonly runners: readonly Runner[];
  readonly rounds: number;
  readonly warmUps: number;
  readonly random: Random;
}): Promise<Samples[]> {
  const samples = new Map(options.runners.map(({ name }) => [name, [] as number[]]));
  for (let round = -options.warmUps; round < options.rounds; round++) {
    for (const runner of shuffled(options.runners, options.random)) {
      const nanoseconds = await runner.run(round);
      if (round >= 0) samples.get(runner.name)?.push(nanoseconds);
    }
  }
  return Array.from(samples, ([name, nanoseconds]) => ({ name, nanoseconds }));
}

/**
 * Moves what is alive out of the young generation, before a sample is taken. Otherwise the collections that a
 * contender causes would copy the bench's own inputs, which is no cost of the contender's. Needs `--expose-gc`.
 */
export function settleHeap(): void {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Expected node to run with --expose-gc');
  // Two: a survivor of one collection stays young.
  for (let i = 0; i < 2; i++) gc({ type: 'minor' });
}

/**
 * CPU time of this process so far, in nanoseconds. Benches count it rather than elapsed time, because it leaves out
 * what other processes do; it takes in the garbage collector's and the compiler's own threads.
 */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** The number that so large a share of the numbers is below, between neighbours by proportion. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** The median over the rounds of how many times as long `samples` took as `baseline` in the same round. */
export function ratioTo(baseline: Samples, samples: Samples): number {
  return median(samples.nanoseconds.map((each, round) => each / (baseline.nanoseconds[round] ?? Number.NaN)));
}
