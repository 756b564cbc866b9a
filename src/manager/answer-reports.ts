/** Telling the observers of a cache where its answers come from. Only called where there is one. */

import { type AnswerSource, asRepeat, type CacheAnswer, type RepeatableHit } from '../answers.js';
import type { TierName } from '../entry.js';
import type { Asker, RecordedValue } from '../recorded-tools.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import type { CacheCore } from './cache-context.js';
import { type Asked, type CallToLoad, type Loaded, nothingFound } from './load/loader.js';
import type { MethodState } from './method-context.js';

/** A value of an entry was handed out. */
export function reportEntry(
  core: CacheCore,
  { name: method }: MethodState,
  entry: MemoryEntry,
  { tier, isStale, value }: { readonly tier: TierName; readonly isStale: boolean; readonly value: unknown },
): void {
  const ageMs = ageOf(core, entry.createdAt);
  core.answered({ method, key: entry.key, source: tier, ageMs, isStale }, value);
}

/** Tells who makes a call that a value of an entry answers it. */
export function tellAsker(
  core: CacheCore,
  by: Asker | undefined,
  {
    entry,
    tier,
    isStale = false,
  }: { readonly entry: MemoryEntry; readonly tier: TierName; isStale?: boolean },
): void {
  by?.onFound?.({ source: tier, ageMs: ageOf(core, entry.createdAt), isStale });
}

/** A value was handed out that comes from the tool, or from another's load. */
export function reportLoaded(
  core: CacheCore,
  { name: method }: MethodState,
  { key, source, value, createdAt }: LoadedAnswer,
): void {
  const ageMs = createdAt === undefined ? 0 : ageOf(core, createdAt);
  core.answered({ method, key, source, ageMs, isStale: false }, value);
}

interface LoadedAnswer {
  readonly key: string | undefined;
  readonly source: AnswerSource;
  readonly value: unknown;
  /** When it was set or loaded, if not just now. */
  readonly createdAt?: number | undefined;
}

/** Who began a load has its value. */
export function reportOwn<T>(
  core: CacheCore,
  state: MethodState,
  { key, made }: Pick<Asked<T>, 'key' | 'made'>,
  loaded: Loaded,
): void {
  const { value, found, recorded } = loaded;
  if (recorded !== undefined) {
    reportRecorded(core, state, key, { value, answer: recorded });
    return;
  }
  if (found === undefined) {
    reportLoaded(core, state, { key, source: loaded === nothingFound ? 'unknownKey' : 'tool', value });
    return;
  }
  reportEntry(core, state, found.entry, { tier: found.tier, isStale: false, value });
  reportHit(core, state, found.entry, made);
}

/** A recording has answered in the place of the tool. */
export function reportRecorded(
  core: CacheCore,
  { name: method }: MethodState,
  key: string,
  { value, answer }: Pick<RecordedValue, 'value' | 'answer'>,
): void {
  const { ageMs, approximate } = answer;
  const always = { method, key, ageMs, isStale: false };
  const told: CacheAnswer =
    approximate === undefined
      ? { ...always, source: 'recording' }
      : { ...always, source: 'approximate', approximate };
  core.answered(told, value);
}

/** A call was answered by an entry, and its tool can be asked again, unless a recording stands in its place. */
export function reportHit(
  core: CacheCore,
  state: MethodState,
  entry: MemoryEntry,
  made: () => CallToLoad<unknown>,
): void {
  if (core.replay !== undefined || core.observers?.every(({ hit }) => hit === undefined) === true) return;
  const { keeper, tiers, options } = core;
  const { name: method } = state;
  const { key } = entry;
  const hit: RepeatableHit = {
    method,
    key,
    createdAt: entry.createdAt,
    isCurrent() {
      if (tiers.peek(key) !== entry) return false;
      const staleAt = state.staleAt(entry);
      return staleAt === null || entry.now(options.clock) < staleAt;
    },
    value: () => keeper.decode(entry.stored),
    asStored: (result) => keeper.decode(keeper.encode(result).stored),
    prepare() {
      const { loader, call } = made();
      call.prepare?.(key);
      const nothing = () => undefined;
      return ({ signal, withhold }) =>
        loader(asRepeat({ signal, key, method, setTtl: nothing, skip: nothing, withhold }));
    },
  };
  core.hitAgain(hit);
}

function ageOf(core: CacheCore, createdAt: number): number {
  return Math.max(0, core.options.clock.now() - createdAt);
}
