/**
 * How a value becomes an entry of memory and a record of the slower tiers; what options say of its lifetime, its tags
 * and its cost.
 */

import type { Clock } from '../clock.js';
import { type Duration, parseDuration } from '../duration.js';
import { CacheError, InvalidOptionError } from '../errors.js';
import { jitteredTtl } from '../guard/jitter.js';
import { type KeyOrigin, plainOrigin } from '../key/key-origin.js';
import type { ResolvedMethodOptions } from '../options.js';
import type { Stamp, StampClock } from '../stamp.js';
import { entryBytes, MemoryEntry } from '../store/memory-entry.js';
import type { LoadTicket, TierMetadata, TierRecord } from '../tier.js';
import type { Accepted, DecodedValue, ValueKeeper } from '../value/keeper.js';
import { ownString } from '../value/own-string.js';

/** What the options come to for one value. Times in ms. */
export interface EntryLifetime {
  /** How long it is fresh; `null` is for ever, 0 is not to be stored. */
  readonly ttl: number | null;
  /** How long after that it may be answered as stale, to whoever may have stale values. */
  readonly staleFor: number;
  /** How long it may go unread; 0 is no limit. */
  readonly idleMs: number;
  /** How long it stays in memory. */
  readonly memoryTtl: number | undefined;
  readonly tags: readonly string[] | undefined;
  readonly cost: number | undefined;
  readonly isNegative: boolean;
  /** Whether the ttl was given for this value alone: by its call, or by its loader. */
  readonly hasOwnTtl: boolean;
}

/**
 * The lifetime of one value. What the loader decided on its ttl comes before `negativeTtl`, and that before `ttl`.
 * @throws InvalidOptionError when a function of the user gives what it should not, and what it throws itself
 */
export function lifetimeOf(
  options: ResolvedMethodOptions,
  value: unknown,
  {
    decidedTtl,
    random,
    method,
  }: {
    readonly decidedTtl: number | null | undefined;
    readonly random: () => number;
    /** The options of its method, without those of its call. */
    readonly method: ResolvedMethodOptions;
  },
): EntryLifetime {
  const { negativeTtl, isNegative, sliding, maxAge, jitter } = options;
  // Without a ttl of its own, "nothing found" is a value like any other.
  const isNothing = negativeTtl !== undefined && isNegative(value);
  const plain = decidedTtl !== undefined ? decidedTtl : isNothing ? negativeTtl : options.ttl;
  const ttl = typeof plain === 'function' ? ttlFrom(plain(value)) : plain;
  const slides = sliding && decidedTtl === undefined && !isNothing && ttl !== null && ttl > 0;
  const tags = typeof options.tags === 'function' ? tagsFrom(options.tags, value) : options.tags;
  const freshFor = slides && maxAge !== undefined ? maxAge : ttl;
  return {
    ttl: freshFor === null ? null : jitteredTtl({ ttlMs: freshFor, jitter, random }),
    staleFor: Math.max(options.staleWhileRevalidate, options.staleIfError),
    idleMs: slides ? ttl : 0,
    memoryTtl: options.memoryTtl,
    tags: tags.length === 0 ? undefined : counted(tags).map(ownString),
    cost: options.cost === undefined ? undefined : costFrom(options.cost(value)),
    isNegative: isNothing,
    hasOwnTtl: decidedTtl !== undefined || (options !== method && !haveSameTtl(options, method)),
  };
}

function ttlFrom(own: Duration | null): number | null {
  return own === null ? null : parseDuration(own, 'ttl(value)');
}

/** Readers of partition files refuse more: see `FORMAT.md`. */
const maxTags = 100_000;

function tagsFrom(tags: (value: unknown) => unknown, value: unknown): readonly string[] {
  const own: unknown = tags(value);
  if (!Array.isArray(own) || !own.every((tag) => typeof tag === 'string' && tag !== '')) {
    throw new InvalidOptionError('Expected `tags(value)` to return a list of non-empty strings');
  }
  return own;
}

function counted(tags: readonly string[]): readonly string[] {
  if (tags.length <= maxTags) return tags;
  throw new InvalidOptionError(`Expected \`tags\` to hold at most ${maxTags} tags, got ${tags.length}`);
}

function costFrom(cost: number): number {
  if (typeof cost === 'number' && cost >= 0 && cost < Infinity) return cost;
  throw new InvalidOptionError(`Expected \`cost(value)\` to return a number of at least 0, got \`${cost}\``);
}

/** The options that decide how long a value is fresh. */
type TtlOptions = Pick<ResolvedMethodOptions, 'ttl' | 'negativeTtl' | 'sliding' | 'maxAge'>;

/**
 * From when on an entry is stale to a reader with these options, epoch ms; `null` is never. An entry that lives by its
 * method's ttl was stored under the ttl of that day: where the reader's is shorter, it is stale that long after it was
 * created. An entry that was given a ttl of its own keeps it.
 */
export function staleAtFor(
  entry: Pick<MemoryEntry, 'createdAt' | 'staleAt' | 'hasOwnTtl' | 'isNegative'>,
  options: TtlOptions,
): number | null {
  const { createdAt, staleAt } = entry;
  if (entry.hasOwnTtl) return staleAt;
  const longest = longestFresh(options, entry.isNegative);
  if (longest === null) return staleAt;
  return staleAt === null ? createdAt + longest : Math.min(staleAt, createdAt + longest);
}

/** Whether values live equally long under both. */
export function haveSameTtl(one: TtlOptions, other: TtlOptions): boolean {
  return (
    one.ttl === other.ttl &&
    one.negativeTtl === other.negativeTtl &&
    one.sliding === other.sliding &&
    one.maxAge === other.maxAge
  );
}

/** A function of the value can only be asked where a value is stored. */
function longestFresh({ ttl, negativeTtl, sliding, maxAge }: TtlOptions, isNegative: boolean): number | null {
  if (isNegative && negativeTtl !== undefined) return negativeTtl;
  if (sliding && maxAge !== undefined) return maxAge;
  return typeof ttl === 'function' ? null : ttl;
}

/** Whether a reader with these options takes every value for fresh that has no `staleAt`. */
export function keepsForever(options: TtlOptions): boolean {
  return longestFresh(options, false) === null && longestFresh(options, true) === null;
}

/** A value on its way in. */
export interface Incoming {
  readonly stored: unknown;
  /** Bytes of the value alone. */
  readonly bytes: number;
  readonly loadMs: number;
  readonly lifetime: EntryLifetime;
  /** What its key was made from, where that is kept. */
  readonly origin?: KeyOrigin | undefined;
  /** Of the moment its load began; none for a value that was set. */
  readonly began: Stamp | undefined;
  /** The right to store it where other machines have it from; a load without one is not stored there. */
  readonly ticket?: LoadTicket | undefined;
  /** Of the entry that holds the same value and is to be another by now. */
  readonly replaces?: Stamp;
  /** When it was made, where that is not now. */
  readonly createdAt?: number;
}

/**
 * When it came. A value that is no new one is just newer than the entry that it replaces, so that whatever others have changed
 * since, and what was not heard of yet, is newer.
 */
export function stampOf({ began, replaces }: Incoming, stamps: StampClock): Stamp {
  if (replaces === undefined) return began ?? stamps.next();
  const stamp = { time: replaces.time + 1, writer: stamps.writer };
  stamps.observe(stamp);
  return stamp;
}

/** The entry of a value in memory. */
export function newEntry(
  { stored, bytes, loadMs, lifetime, origin, createdAt }: Incoming,
  place: { readonly key: string; readonly method: string; readonly stamp: Stamp; readonly clock: Clock },
): MemoryEntry {
  const { key, method, stamp, clock } = place;
  const now = clock.now();
  const { tags, idleMs, cost, isNegative, hasOwnTtl, memoryTtl } = lifetime;
  const staleAt = lifetime.ttl === null ? null : now + lifetime.ttl;
  const validUntil = staleAt === null ? null : staleAt + lifetime.staleFor;
  // No `...`: V8 makes objects of such literals field by field, and this is done at every miss.
  return new MemoryEntry({
    key,
    method,
    stored,
    bytes: entryBytes(bytes, tags, origin),
    loadMs,
    stamp,
    tags,
    origin,
    idleMs,
    cost,
    isNegative,
    hasOwnTtl,
    createdAt: createdAt ?? now,
    createdElapsed: createdAt === undefined ? clock.elapsed() : createdElapsed(createdAt, clock),
    staleAt,
    validUntil,
    expiresAt: memoryTtl === undefined ? validUntil : inMemoryUntil(validUntil, now + memoryTtl),
  });
}

/**
 * The record of the same value: slower tiers keep it for its whole ttl, but hear of no hits that extend it.
 * @param isLasting it never expires, and is only stale once its ttl is over
 */
export function newRecord(
  entry: MemoryEntry,
  encoded: Uint8Array,
  lifetime: EntryLifetime,
  isLasting: boolean,
): TierRecord {
  const { key, method, stamp, tags, createdAt, accessCount, lastAccess, loadMs } = entry;
  const { cost, isNegative, hasOwnTtl, origin } = entry;
  const life = lifeOf(entry, lifetime);
  // With a ttl of 0 it answers nobody, however stale a value one takes.
  const times = isLasting ? { staleAt: lifetime.ttl === 0 ? 0 : life.staleAt, expiresAt: null } : life;
  const metadata = { ...times, createdAt, accessCount, lastAccess, loadMs, cost, isNegative, hasOwnTtl };
  return { key, method, encoded, stamp, metadata, ...(tags && { tags }), ...(origin && plainOrigin(origin)) };
}

/** How long a record lives, and how long it may once it is read. */
function lifeOf(
  { createdAt, staleAt }: MemoryEntry,
  { idleMs, staleFor }: Pick<EntryLifetime, 'idleMs' | 'staleFor'>,
): Pick<TierMetadata, 'staleAt' | 'expiresAt' | 'sliding'> {
  if (staleAt === null) return { staleAt, expiresAt: null };
  const expiresAt = staleAt + staleFor;
  if (idleMs === 0) return { staleAt, expiresAt };
  const idleAt = createdAt + idleMs;
  return {
    staleAt: Math.min(staleAt, idleAt),
    expiresAt: Math.min(expiresAt, idleAt),
    sliding: { idleMs, staleAt, expiresAt },
  };
}

/** A record brought into memory, and its value where that was decoded for it. */
export interface ReadEntry {
  readonly entry: MemoryEntry;
  readonly decoded: DecodedValue | undefined;
}

/** Brings a record into memory, where it stays for `memoryTtl` at most. It has not been used yet. */
export function entryFrom(
  record: TierRecord,
  { stored, bytes, decoded }: Accepted,
  { clock, memoryTtl }: { readonly clock: Clock; readonly memoryTtl: number | undefined },
): ReadEntry {
  const { key, method, stamp, tags, metadata } = record;
  const origin = originOf(record);
  const { createdAt, accessCount, lastAccess, loadMs, cost, isNegative, hasOwnTtl, sliding } = metadata;
  const { staleAt, expiresAt } = sliding ?? metadata;
  // Field by field: spreading objects of several shapes takes longer than all the rest.
  const entry = new MemoryEntry({
    key,
    method,
    stamp,
    tags,
    origin,
    stored,
    createdAt,
    accessCount,
    lastAccess,
    loadMs,
    cost,
    isNegative,
    hasOwnTtl,
    staleAt,
    idleMs: sliding?.idleMs ?? 0,
    validUntil: expiresAt,
    createdElapsed: createdElapsed(createdAt, clock),
    expiresAt: memoryTtl === undefined ? expiresAt : inMemoryUntil(expiresAt, clock.now() + memoryTtl),
    bytes: entryBytes(bytes, tags, origin),
  });
  return { entry, decoded };
}

/** What a record knows of its key's origin, in memory of its own; `undefined`: nothing. */
export function originOf(record: KeyOrigin): KeyOrigin | undefined {
  // Whoever keeps the rollout keeps its scope.
  if (record.encodedParams === undefined && record.scope === undefined && record.version === undefined)
    return undefined;
  const { encodedParams, ...others } = plainOrigin(record);
  return { ...others, ...(encodedParams && { encodedParams: new Uint8Array(encodedParams) }) };
}

/** The same for somebody who goes through all records, and passes over one that can't be read. */
export async function readableEntry(
  record: TierRecord,
  { keeper, clock }: { readonly keeper: ValueKeeper; readonly clock: Clock },
  onFailure: (error: CacheError) => void,
): Promise<ReadEntry | undefined> {
  try {
    return entryFrom(record, await keeper.accept(record.encoded), { clock, memoryTtl: undefined });
  } catch (cause) {
    const message = `The value of ${record.key} can't be read`;
    onFailure(new CacheError('ERR_UNREADABLE_VALUE', message, { cause }));
    return undefined;
  }
}

/** How far ahead of this machine's clock another writer's may be. */
const clockSlack = 60_000;

/**
 * Whether a record has come to its end, or comes from a clock that was wrong: its times then say nothing, and it would
 * stay fresh until they have come.
 */
export function isOver({ createdAt, expiresAt }: TierMetadata, now: number): boolean {
  return expiresAt !== null && (now >= expiresAt || createdAt > now + clockSlack);
}

/** When an entry came to be, by `Clock.elapsed()`. */
function createdElapsed(createdAt: number, clock: Clock): number {
  return clock.elapsed() - Math.max(0, clock.now() - createdAt);
}

function inMemoryUntil(expiresAt: number | null, memoryEnds: number): number {
  return expiresAt === null ? memoryEnds : Math.min(expiresAt, memoryEnds);
}
