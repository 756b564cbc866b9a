/** Searching the slower tiers for the newest entries of some keys, and bringing them into those above. */

import { inBackground } from '../../clock.js';
import { CacheError } from '../../errors.js';
import { TimeSlice } from '../../next-turn.js';
import type { LookupOutcome, SlowTier } from '../../tier.js';
import type { MethodState } from '../method-context.js';
import { KeySearch, type SearchPlace } from './key-search.js';
import { inMemory, type Read, type Search, type SlowRead } from './slow-reads.js';

/** Whose search it is. */
export interface SearchOptions {
  /** Goes past a read that a load has waited for in vain, with an error: there is a tool to ask. */
  readonly passesStuck?: boolean;
}

/**
 * The newest entries of the slower tiers, brought into memory, one for each key. Searches of a key that is being read share
 * that; a write or deletion meanwhile makes it start over, and an older answer is never brought in.
 *
 * All in one function: each more that is waited for costs a hit what its value takes to be decoded.
 */
export async function searchBelow(
  place: SearchPlace,
  state: MethodState,
  keys: readonly string[],
  options: SearchOptions = {},
): Promise<Search[]> {
  const { reads, slow, clock } = place;
  const found: Search[] = keys.map(() => undefined);
  let open = keys.map((_, at) => at);
  while (open.length > 0 && !place.isClosed()) {
    const begun: SlowRead[] = [];
    let asked: readonly Asked[];
    try {
      asked = beginReads(place, state, { keys, open, begun, found }, options);
      let left = begun.map((read) => new KeySearch(place, state, read));
      // One search of each tier for all keys that are still looked for. It settles their reads.
      for (let at = 0; at < slow.length && left.length > 0; at += 1) {
        const tier = slow[at]!;
        const began = clock.elapsed();
        let outcomes: readonly LookupOutcome[];
        try {
          outcomes = await lookUp(tier, left, state.name);
          if (outcomes.length !== left.length) throw miscounted(outcomes.length, left.length);
        } catch (failure) {
          outcomes = left.map(() => ({ failure }));
        }
        if (reads.listeners.size > 0 && !outcomes.every(isFailure)) {
          const lookup = { method: state.name, tier: tier.name, ms: clock.elapsed() - began };
          for (const listener of reads.listeners) listener(lookup);
        }
        const rest = takeAll(left, outcomes, at);
        left = rest instanceof Promise ? await rest : rest;
      }
      for (const search of left) {
        const ending = search.end();
        if (ending !== undefined) await ending;
      }
    } finally {
      // Whatever was thrown, whoever has joined looks for itself.
      for (const read of begun) if (!read.isSettled) reads.settle(read, 'superseded');
    }
    open = [];
    for (const { at, read } of asked) {
      const outcome = read.isSettled ? (read.outcome as Read) : await read.outcome;
      if (outcome === 'superseded') found[at] = inMemory(place.get(read.key, state));
      else if (!isOutdated(place, outcome)) found[at] = outcome;
      else open.push(at);
      if (outcome === 'superseded' && found[at] === undefined) open.push(at);
    }
  }
  return found;
}

/** A key by its place, and the read of it. */
interface Asked {
  readonly at: number;
  readonly read: SlowRead;
}

/** The reads of the keys that are open: those under way, or else new ones, which are noted as begun. */
function beginReads(
  place: SearchPlace,
  state: MethodState,
  search: {
    readonly keys: readonly string[];
    readonly open: readonly number[];
    readonly begun: SlowRead[];
    readonly found: Search[];
  },
  { passesStuck = false }: SearchOptions,
): Asked[] {
  const { reads } = place;
  const { keys, open, begun, found } = search;
  const asked: Asked[] = [];
  for (const at of open) {
    const key = keys[at]!;
    const error = passesStuck ? reads.problemWith(key) : undefined;
    if (error !== undefined) {
      place.failed(error, state, key);
      found[at] = { error };
      continue;
    }
    let read = reads.find(key);
    if (read === undefined) {
      read = reads.start(key, state.name);
      begun.push(read);
    }
    asked.push({ at, read });
  }
  return asked;
}

/** Whether a tag of what was found was invalidated since. */
function isOutdated(place: SearchPlace, found: Search): boolean {
  return found !== undefined && 'entry' in found && place.isInvalid(found.entry);
}

/** Takes in what a tier has of some keys; those for which the search goes on. */
function takeAll(
  searches: readonly KeySearch[],
  outcomes: readonly LookupOutcome[],
  at: number,
): KeySearch[] | Promise<KeySearch[]> {
  if (searches.length > 1) return takeInSlices(searches, outcomes, at);
  const [only] = searches;
  const goesOn = only!.take(outcomes[0], at, false);
  const rest = (isOpen: boolean) => (isOpen ? [only!] : []);
  return goesOn instanceof Promise ? goesOn.then(rest) : rest(goesOn);
}

async function takeInSlices(
  searches: readonly KeySearch[],
  outcomes: readonly LookupOutcome[],
  at: number,
): Promise<KeySearch[]> {
  const rest: KeySearch[] = [];
  const slice = new TimeSlice();
  for (const [which, search] of searches.entries()) {
    // Asked for some of them together: it reads the clock.
    if (which % 16 === 15 && slice.isOver) await slice.next();
    const goesOn = search.take(outcomes[which], at, true);
    if (goesOn === true || (goesOn !== false && (await goesOn))) rest.push(search);
  }
  return rest;
}

/** What a tier has of some keys. What fails for one of them concerns no other. */
function lookUp(
  tier: SlowTier,
  searches: readonly KeySearch[],
  method: string,
): Promise<readonly LookupOutcome[]> {
  const keys = searches.map(({ key }) => key);
  const lookUpOne = async (key: string): Promise<LookupOutcome> => {
    try {
      return await tier.lookup(key, method);
    } catch (failure) {
      return { failure };
    }
  };
  return inBackground(() => tier.lookupMany?.(keys, method) ?? Promise.all(keys.map(lookUpOne)));
}

function miscounted(count: number, expected: number): CacheError {
  return new CacheError('ERR_STORAGE', `Expected ${expected} outcomes of \`lookupMany\`, got ${count}`);
}

function isFailure(outcome: LookupOutcome): boolean {
  return typeof outcome === 'object' && outcome !== null && 'failure' in outcome;
}
