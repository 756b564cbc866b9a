/** Single entries for the page: found by method and text, and all that is known of one. */

import { inspect } from 'node:util';
import { messageOf } from '../errors.js';
import type { CacheCore } from '../manager/cache-context.js';
import { metadataOf } from '../manager/lookup.js';
import type { Held } from '../manager/tiers/held-entries.js';
import type { TierRecord } from '../tier.js';
import { deepest, excerptOf, mostItems } from './excerpt.js';

/** What a search is told. */
export interface EntryQuery {
  /** Exactly so called; empty: any. */
  readonly method: string;
  /** What key or params hold; empty: anything. */
  readonly text: string;
}

/** An entry in a list. */
export interface FoundEntry {
  readonly method: string;
  readonly key: string;
  readonly tier: string;
  /** `undefined` where they were not kept. */
  readonly params: string | undefined;
}

/** What a search came to. */
export interface FoundEntries {
  readonly entries: readonly FoundEntry[];
  /** Of the method. */
  readonly lookedAt: number;
  /** Whether there is more to look at, or to list. */
  readonly isCut: boolean;
}

/** All that is known of an entry, for people. */
export interface EntryDetails extends FoundEntry {
  readonly value: string;
  /** Names and values in the order in which they are shown. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

const mostListed = 100;
const longestSearchMs = 1000;
/** Of a value: a page is no place for more. */
const longestText = 100_000;
/** Of a text that shows a value: few values have less. */
const charactersByPart = 5;

/** Entries of a method whose key or params hold a text. */
export async function searchEntries(core: CacheCore, { method, text }: EntryQuery): Promise<FoundEntries> {
  const entries: FoundEntry[] = [];
  const { clock } = core.options;
  const until = clock.elapsed() + longestSearchMs;
  const wanted = text.toLowerCase();
  let lookedAt = 0;
  let isOver = false;
  const entriesUntil = core.tiers.entries(method === '' ? undefined : method, {
    isOver() {
      isOver = clock.elapsed() > until;
      return isOver;
    },
  });
  for await (const held of entriesUntil) {
    if (entries.length === mostListed) return { entries, lookedAt, isCut: true };
    lookedAt += 1;
    const found = summaryOf(core, held);
    if (found.key.includes(wanted) || found.params?.toLowerCase().includes(wanted)) entries.push(found);
  }
  return { entries, lookedAt, isCut: isOver };
}

/** The entry of a key: that of memory, else that of the first slower tier that has it. */
export async function entryDetails(
  core: CacheCore,
  { method, key }: { readonly method: string; readonly key: string },
): Promise<EntryDetails | undefined> {
  const held = await findEntry(core, method, key);
  if (held === undefined) return undefined;
  const own = held.tier === 'memory' ? held.entry : held.record;
  const times = 'record' in held ? held.record.metadata : metadataOf(held.entry);
  const origin = 'record' in held ? held.record : held.entry.origin;
  const time = (ms: number | null | undefined) => (ms === null || ms === undefined ? 'never' : isoTime(ms));
  const facts: [string, string | undefined][] = [
    ['tier', held.tier],
    ['created', time(times.createdAt)],
    ['stale from', time(times.staleAt)],
    ['expires', time(times.expiresAt)],
    ['load took', `${times.loadMs} ms`],
    ['used', `${times.accessCount} times`],
    ['last used', time(times.lastAccess)],
    ['bytes', String('entry' in held ? held.entry.bytes : held.record.encoded.byteLength)],
    ['tags', own.tags?.join(', ')],
    ['scope', origin?.scope],
    ['version', origin?.version === undefined ? undefined : String(origin.version)],
    ['task', origin?.task],
    ['rollout', origin?.rollout],
    ['written by', own.stamp.writer],
  ];
  return {
    ...summaryOf(core, held),
    value: valueText(core, held),
    facts: facts.filter((fact): fact is [string, string] => fact[1] !== undefined),
  };
}

async function findEntry(core: CacheCore, method: string, key: string): Promise<Held | undefined> {
  const entry = core.tiers.peek(key);
  if (entry !== undefined) return entry.method === method ? { entry, tier: 'memory' } : undefined;
  for (const tier of core.tiers.slow) {
    const record: TierRecord | undefined = await tier.lookup(key, method);
    if (record !== undefined) return { record, tier: tier.name };
  }
  return undefined;
}

function summaryOf(core: CacheCore, held: Held): FoundEntry {
  const { method, key } = 'entry' in held ? held.entry : held.record;
  const encoded = 'entry' in held ? held.entry.origin?.encodedParams : held.record.encodedParams;
  const params = encoded === undefined ? undefined : textOf(() => core.codec.decode(encoded), 1000);
  return { method, key, tier: held.tier, params };
}

function valueText(core: CacheCore, held: Held): string {
  return textOf(
    () => ('entry' in held ? core.keeper.decode(held.entry.stored) : core.codec.decode(held.record.encoded)),
    longestText,
  );
}

/** JSON where it says all, else as Node shows it. Nothing of the value's own code runs: what is decoded has none. */
function textOf(read: () => unknown, longest: number): string {
  try {
    const { value, isWhole } = excerptOf(read(), longest / charactersByPart);
    const text =
      typeof value === 'string'
        ? value
        : inspect(value, {
            depth: deepest,
            maxArrayLength: mostItems,
            maxStringLength: 10_000,
            breakLength: 100,
            customInspect: false,
          });
    if (!isWhole) return `${text.slice(0, longest)}… (too large to show all of it)`;
    return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
  } catch (error) {
    return `It can't be read: ${messageOf(error)}`;
  }
}

function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
