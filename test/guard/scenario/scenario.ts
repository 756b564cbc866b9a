/** A trouble that a guard is there for, told so that it can be gone through with and without the guard. */

import { expect } from 'vitest';
import type { CacheOptions } from '../../../src/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import type { SlowTier } from '../../../src/tier.js';
import type { Toolstash } from '../../helper/mutant.js';

/** What one member of the table is made from. */
interface ScenarioInit<Outcome> {
  /** What the guard does in it, as the end of a test's name. */
  readonly does: string;
  /** Goes through it and tells what came of it. It must end, whatever the library does. */
  drive(toolstash: Toolstash, isGuarded: boolean): Promise<Outcome>;
  /** What comes of it with the guard: an equal value, or a check of it. */
  readonly guarded: NoFunction<Outcome> | ((outcome: Outcome) => void);
  /** The harm without it. */
  readonly bare: NoFunction<Outcome> | ((outcome: Outcome) => void);
}

type NoFunction<Outcome> = Outcome extends (...args: never[]) => unknown ? never : Outcome;

/** A trouble and what is expected to come of it. */
export interface Scenario {
  readonly does: string;
  /** Goes through it, and returns the check of what came of it. */
  run(toolstash: Toolstash, isGuarded: boolean): Promise<() => void>;
}

export function scenario<Outcome>({ does, drive, guarded, bare }: ScenarioInit<Outcome>): Scenario {
  return {
    does,
    async run(toolstash, isGuarded) {
      const outcome = await drive(toolstash, isGuarded);
      const expected = isGuarded ? guarded : bare;
      return () => {
        if (typeof expected === 'function') (expected as (outcome: Outcome) => void)(outcome);
        else expect(outcome).toEqual(expected);
      };
    },
  };
}

/** A cache on a clock of its own. */
export function makeCache(toolstash: Toolstash, options: CacheOptions = {}, tiers: readonly SlowTier[] = []) {
  const clock = new FakeClock();
  return { cache: new toolstash.CacheManager({ clock, ...options }, tiers), clock };
}

/** What a promise comes to while `ms` pass: its value, the code or message of its error, or `'waiting'`. */
export async function outcomeWithin(
  clock: FakeClock,
  ms: number,
  promise: Promise<unknown>,
): Promise<unknown> {
  let outcome: unknown = 'waiting';
  promise.then(
    (value) => {
      outcome = value;
    },
    (error: { code?: string; message?: string }) => {
      outcome = error.code ?? error.message;
    },
  );
  await clock.advanceAsync(ms);
  for (let permit = 0; permit < 3; permit += 1) await clock.flush();
  return outcome;
}

/** A tool that is down. */
export const down = () => Promise.reject(new Error('down'));
