/** Leases of loads: of all who share a tier one loads a key, and the others wait for what comes of it. */

import { inBackground } from '../../clock.js';
import type { Flight } from '../../guard/single-flight.js';
import type { LoadLease, LoadLeaseRequest } from '../../tier.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import type { MethodState } from '../method-context.js';
import { checkBreaker, type LoadRequest } from './load.js';
import type { Loaded } from './loader.js';
import type { SlowAnswers, Unanswered } from './slow-answers.js';

type LeaseGiver = CacheCore['tiers']['leaseGivers'][number];

/** The lease of a load that may wait for others'; `undefined` where it can't, or had nothing of it. */
export function leaseOf(
  core: CacheCore,
  request: LoadRequest<unknown>,
  flight: Flight<Loaded>,
  known: Unanswered['known'],
): LoadLease | undefined {
  const { state, key, options, isRefresh, renews } = request;
  // Who asks for a refresh is owed what the tool says; and what is not stored can be handed to nobody.
  const isForced = isRefresh && renews === undefined;
  const tiers = core.tiers.leaseGivers.filter(
    (tier) => tier.takeLease !== undefined && (!isForced || tier === core.tiers.remote),
  );
  if (tiers.length === 0 || options.ttl === 0 || state.storability.isUnstorable) return undefined;
  const load: LoadLeaseRequest = {
    key,
    method: state.name,
    known: renews?.stamp ?? known,
    isForced,
    get signal() {
      return flight.signal;
    },
    get isNested() {
      return flight.node.isWaitedFor;
    },
  };
  return leaseInAll(core, state, tiers, load);
}

/**
 * Waits until a load is to call its tool; or what another has loaded meanwhile. From then on the lease lasts until the
 * load has settled, or is aborted: its tool may go on for nobody.
 */
export async function awaitLease<T>(
  core: CacheCore,
  lease: LoadLease,
  load: {
    readonly request: LoadRequest<T>;
    readonly flight: Flight<Loaded>;
    readonly answers: SlowAnswers;
    /** Counts the miss, if it is one: until then the value may be found yet. */
    readonly missed: () => void;
  },
): Promise<Loaded | undefined> {
  const { request, flight, answers, missed } = load;
  let found: Loaded | undefined;
  try {
    // While the tool is not to be called there is nothing to wait for.
    checkBreaker(core, request.state, request.key);
    while (found === undefined && (await lease.next()) === 'look-again') {
      flight.throwIfAborted();
      found = await lookAgain(answers, request, flight);
    }
    flight.throwIfAborted();
    const end = () => lease.end();
    if (found === undefined) {
      flight.signal.addEventListener('abort', end, { once: true });
      flight.promise.then(end, end);
    } else end();
  } catch (error) {
    lease.end();
    missed();
    throw error;
  }
  if (found === undefined) missed();
  return found;
}

async function lookAgain<T>(
  answers: SlowAnswers,
  request: LoadRequest<T>,
  flight: Flight<Loaded>,
): Promise<Loaded | undefined> {
  if (request.renews !== undefined) return answers.findNewer(request, flight, request.renews.stamp);
  const found = await answers.find(request, flight);
  return 'known' in found ? undefined : found;
}

/** A lease in every tier that has them, fastest first. A tier that breaks the contract is counted, and passed over. */
function leaseInAll(
  core: CacheCore,
  state: MethodState,
  tiers: readonly LeaseGiver[],
  load: LoadLeaseRequest,
): LoadLease {
  const leases: (LoadLease | undefined)[] = [];
  const failed = (error: unknown, tier: LeaseGiver | undefined) => {
    const name = tier === undefined ? 'a slower' : `the ${tier.name}`;
    core.failed(asCacheError(error, `The lease of ${name} tier failed`), state, load.key);
  };
  let at = 0;
  return {
    get ticket() {
      return leases.findLast((lease) => lease?.ticket !== undefined)?.ticket;
    },
    async next() {
      for (; at < tiers.length; at += 1) {
        try {
          leases[at] ??= tiers[at]!.takeLease?.(load);
          if ((await inBackground(() => leases[at]?.next())) === 'look-again') return 'look-again';
        } catch (error) {
          failed(error, tiers[at]);
        }
      }
      return 'load';
    },
    end() {
      for (const [number, lease] of [...leases.entries()].reverse()) {
        try {
          lease?.end();
        } catch (error) {
          failed(error, tiers[number]);
        }
      }
    },
  };
}
