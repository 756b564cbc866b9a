/** What one thread does at a time: a policy, or the optimum, at one size. */

import type { AccessTrace } from './access-trace.js';
import { type Optimum, OptimumFinder } from './optimum.js';
import { type SimulationFigures, Simulator } from './simulation.js';

/** What is to be simulated. */
export interface Job {
  /** `undefined`: the optimum. */
  readonly policy: string | undefined;
  /** Bytes, or entries where the trace knows no sizes. */
  readonly maxBytes: number;
}

/** What it came to. */
export type Outcome = { readonly job: Job } & (
  | { readonly figures: SimulationFigures; readonly optimum?: never }
  | { readonly optimum: Optimum; readonly figures?: never }
);

/** Runs jobs on a trace, keeping what they share. */
export function jobRunner(trace: AccessTrace): (job: Job) => Outcome {
  let simulator: Simulator | undefined;
  let finder: OptimumFinder | undefined;
  return (job) => {
    const { policy, maxBytes } = job;
    if (policy === undefined) {
      finder ??= new OptimumFinder(trace);
      return { job, optimum: finder.at(maxBytes) };
    }
    simulator ??= new Simulator(trace);
    return { job, figures: simulator.run(policy, maxBytes) };
  };
}
