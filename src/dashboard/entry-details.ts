/** All that is known of a single entry, for the page. */

import type { CacheCore } from '../manager/cache-context.js';
import { metadataOf } from '../manager/lookup.js';
import type { Held } from '../manager/tiers/held-entries.js';
import type { TierRecord } from '../tier.js';
import type { FoundEntry } from './entry-search.js';
import { cut, paramsText, valueText } from './entry-text.js';

/** What is shown of an entry. */
export interface EntryDetails extends FoundEntry {
  readonly value: string;
  /** Names and values in the order in which they are shown. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** Characters of params. */
const longestParams = 10_000;

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
  const params = origin?.encodedParams && (await paramsText(core.codec, origin.encodedParams));
  return {
    ...{ method, key, tier: held.tier },
    params: params && cut(params, longestParams),
    value: valueText(() =>
      'entry' in held ? core.keeper.decode(held.entry.stored) : core.codec.decode(held.record.encoded),
    ),
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

function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
