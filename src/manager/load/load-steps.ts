/** What a load goes through before its tool is called. */

import type { Flight } from '../../guard/single-flight.js';
import type { Stamp } from '../../stamp.js';
import type { LoadLease } from '../../tier.js';
import { LargeValue } from '../../value/large-value.js';
import { asCacheError, type CacheCore } from '../cache-context.js';
import type { MethodLookups } from '../lookup.js';
import type { MethodState } from '../method-context.js';
import { callTool, enterQueue, isUnknownKey, type LoadRequest } from './load.js';
import { outlasts } from './load-bound.js';
import { awaitLease, leaseOf } from './load-lease.js';
import { type Loaded, nothingFound } from './loader.js';
import type { SlowAnswers } from './slow-answers.js';
import type { StaleAnswers } from './stale-fallback.js';

/** One method's steps from the beginning of a load to its tool. */
export class LoadSteps {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #lookups: MethodLookups;
  readonly #stales: StaleAnswers;
  readonly #answers: SlowAnswers;

  constructor(parts: {
    readonly core: CacheCore;
    readonly state: MethodState;
    readonly lookups: MethodLookups;
    readonly stales: StaleAnswers;
    readonly answers: SlowAnswers;
  }) {
    this.#core = parts.core;
    this.#state = parts.state;
    this.#lookups = parts.lookups;
    this.#stales = parts.stales;
    this.#answers = parts.answers;
  }

  /** One load: slower tiers and known keys where there are any, then the tool. */
  run<T>(request: LoadRequest<T>, flight: Flight<Loaded>): Promise<Loaded> {
    if (this.#core.tiers.leaseGivers.length > 0 || request.options.knownKeys !== undefined)
      return this.#searchAndCall(request, flight);
    if (!request.isRefresh) this.#lookups.missed(request.key);
    // With nothing to wait for, and nothing written so far, what is true now is true when the tool is called.
    const isAtOnce = this.#state.limiter === undefined && !flight.superseded && !flight.isAborted;
    return isAtOnce ? callTool(this.#core, request, flight) : this.#callOncePermitted(request, flight);
  }

  /** What lies below memory, or that nothing can; else the tool, when this load has the lease. */
  async #searchAndCall<T>(request: LoadRequest<T>, flight: Flight<Loaded>): Promise<Loaded> {
    const { tiers } = this.#core;
    const { key, isRefresh } = request;
    if (isRefresh) this.#stales.note(flight, 'not searched');
    const hasLeases = tiers.leaseGivers.length > 0;
    let known: Stamp | undefined;
    if (!isRefresh && hasLeases) {
      const [found] = await this.#answers.search(key);
      const taking = this.#answers.take(request, flight, found);
      const searched = taking instanceof Promise ? await taking : taking;
      if (!('known' in searched)) return searched;
      known = searched.known;
    }
    const lease = this.#leaseOf(request, flight, known);
    const missed = () => {
      if (!isRefresh) this.#lookups.missed(key);
    };
    // With a lease it may be found yet.
    if (lease === undefined) missed();
    if (!isRefresh && request.options.knownKeys !== undefined && isUnknownKey(this.#core, request)) {
      if (lease !== undefined) missed();
      return nothingFound;
    }
    if (lease !== undefined) {
      const found = await awaitLease(this.#core, lease, { request, flight, answers: this.#answers, missed });
      if (found !== undefined) return found;
    }
    return this.#callOncePermitted(request, flight, lease);
  }

  /** The lease for a load, unless one that has begun since it was overtaken takes it: not both from each other. */
  #leaseOf(
    request: LoadRequest<unknown>,
    flight: Flight<Loaded>,
    known?: Parameters<typeof leaseOf>[3],
  ): LoadLease | undefined {
    const { tiers, loads } = this.#core;
    const isOvertaken = flight.superseded && loads.find(request.key) !== undefined;
    return tiers.leaseGivers.length === 0 || isOvertaken
      ? undefined
      : leaseOf(this.#core, request, flight, known);
  }

  /** Calls the tool once it has a permit, unless that has become needless meanwhile. */
  async #callOncePermitted<T>(
    request: LoadRequest<T>,
    flight: Flight<Loaded>,
    firstLease?: LoadLease,
  ): Promise<Loaded> {
    let lease = firstLease;
    const { loads } = this.#core;
    const { key, isRefresh } = request;
    const { limiter } = this.#state;
    for (;;) {
      flight.throwIfAborted();
      const permit = limiter && enterQueue(this.#core, this.#state, { limiter, flight });
      let newer: Flight<Loaded> | undefined;
      try {
        if (permit?.granted !== undefined) await permit.granted;
        if (flight.superseded && !isRefresh) await this.#answers.prepareWritten(key);
        flight.node.holdPermit();
        // From here to the call of the loader nothing may be awaited: what was true must still be true there.
        flight.throwIfAborted();
        newer = flight.superseded ? loads.find(key) : undefined;
        if (newer === undefined) {
          // Written or deleted before the tool was called: its answer will be the newer one.
          if (flight.superseded) {
            const written = isRefresh ? undefined : this.#answers.writtenMeanwhile(key);
            if (written !== undefined) return written;
            this.#stales.forget(flight);
            loads.reinstate(flight);
          }
          return await callTool(this.#core, request, flight, lease?.ticket);
        }
      } finally {
        permit?.leave();
        flight.node.releasePermit();
      }
      // Another load has begun since it was written or deleted: that is the one to wait for, and it may want the lease.
      lease?.end();
      const other = newer;
      const loaded = await loads.join(other, flight.signal).catch((error: unknown) => {
        if (other.isLoneFailure(error) || this.#outlasts(flight, other, error)) return undefined;
        throw other.ownError(error);
      });
      // Who refreshes is owed what the tool says, and not what the other load has found.
      const isAnswer = loaded !== undefined && !(isRefresh && loaded.isFound === true);
      const shared = isAnswer ? await this.#decoded(request, flight, loaded) : undefined;
      if (shared !== undefined) return shared;
      // Now it is this one that loads for all.
      lease = this.#leaseOf(request, flight);
      const found =
        lease &&
        (await awaitLease(this.#core, lease, {
          ...{ request, flight, answers: this.#answers },
          missed: () => undefined,
        }));
      if (found !== undefined) return found;
    }
  }

  /** Whether a load may take longer than another one, which was ended because it took too long. */
  #outlasts({ boundMs, beganAt }: Flight<Loaded>, other: Flight<Loaded>, error: unknown): boolean {
    const waitedMs = beganAt === undefined ? 0 : this.#core.options.clock.elapsed() - beganAt;
    return other.isExpiry(error) && outlasts({ hardTimeout: boundMs }, other, waitedMs);
  }

  /** What another load came to, for the callers of this one; `undefined` where it can't be shared. */
  async #decoded(
    { key }: LoadRequest<unknown>,
    flight: Flight<Loaded>,
    loaded: Loaded,
  ): Promise<Loaded | undefined> {
    if (loaded.shared === undefined) return undefined;
    const { stored } = loaded.shared;
    try {
      if (stored instanceof LargeValue) await stored.prepare(flight.signal);
      return { ...loaded, value: this.#core.keeper.decode(stored) };
    } catch (error) {
      flight.throwIfAborted();
      const name = this.#state.name;
      this.#core.failed(asCacheError(error, `Decoding the result of \`${name}\` failed`), this.#state, key);
      return undefined;
    }
  }
}
