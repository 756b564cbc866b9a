/** How what users implement themselves is checked: tiers and clocks. */

import { type Clock, systemClock } from './clock.js';
import { InvalidOptionError } from './errors.js';
import { expected, expectedUnseen, hasMethods } from './option-checks.js';
import { type Remote, type SlowTier, tierMethods } from './tier.js';

/** @throws InvalidOptionError naming the tier and the method it lacks */
export function resolveTiers(tiers: readonly SlowTier[]): readonly SlowTier[] {
  if (!Array.isArray(tiers)) throw expected('tiers', 'a list of tiers', tiers);
  for (const [at, tier] of tiers.entries()) hasMethods(tier, `tiers[${at}]`, tierMethods);
  return tiers;
}

/** @throws InvalidOptionError for what can't be connected */
export function resolveRemote(remote: Remote | undefined): Remote | undefined {
  if (remote === undefined) return remote;
  const given = remote as Partial<Record<'connect' | 'sendCommand', unknown>> | null;
  const what = 'an object with a method `connect()`, as `redis({ url })` of `toolstash/redis` makes one';
  if (typeof given?.connect !== 'function') throw expectedUnseen('remote', what, given);
  // Clients have a `connect` of their own.
  if ('sendCommand' in given) {
    throw new InvalidOptionError(
      `Expected \`remote\` to be ${what}, got a client: give it to \`redis({ client })\``,
    );
  }
  return remote;
}

/** @throws InvalidOptionError for what is no clock */
export function resolveClock(clock: Clock | undefined): Clock {
  if (clock === undefined) return systemClock;
  hasMethods(clock, 'clock', ['now', 'elapsed', 'schedule']);
  return clock;
}
