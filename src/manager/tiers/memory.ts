/** The memory of a cache: a tier of its own, or one thread's place in an arena. */

import type { RememberedErrors } from '../../guard/error-cache.js';
import type { SingleFlight } from '../../guard/single-flight.js';
import type { TagInvalidations } from '../../guard/tag-invalidation.js';
import type { ResolvedCacheOptions } from '../../options.js';
import type { ArenaWiring, Memory, SharedMemory } from '../../store/arena-options.js';
import { MemoryTier, type MemoryTierOptions } from '../../store/memory-tier.js';
import type { RemoteChange } from '../../tier.js';

/** What an arena has to do with. */
interface ArenaUser {
  readonly options: ResolvedCacheOptions;
  readonly codec: ArenaWiring['codec'];
  readonly keeper: ArenaWiring['keeper'];
  readonly loads: Pick<SingleFlight<unknown>, 'supersede' | 'supersedeAll'>;
  readonly tiers: { readonly tags: Pick<TagInvalidations, 'hear'> };
  states(): Iterable<{ readonly errors: Pick<RememberedErrors, 'forgetChanged'> }>;
}

/** Where threads share their memory, what they do in it; `undefined` elsewhere. */
export function connectArena(core: ArenaUser, writer: string): SharedMemory | undefined {
  const { arena, clock, maxBytes, maxEntryBytes } = core.options;
  return arena?.connect({
    ...{ clock, codec: core.codec, keeper: core.keeper, writer },
    // Without a bound of its own an entry is bounded by the arena.
    maxEntryBytes: maxEntryBytes < maxBytes ? maxEntryBytes : undefined,
    onChange: (change) => apply(change, core),
  });
}

/** What a cache without an arena holds its entries in. */
export function openMemory(
  options: ResolvedCacheOptions,
  listeners: Pick<MemoryTierOptions, 'onRemove' | 'onClear' | 'onError'>,
): Memory {
  const { eviction: store, maxSize, maxBytes, maxEntryBytes, memory, clock, random } = options;
  return new MemoryTier({ store, maxSize, maxBytes, maxEntryBytes, memory, clock, random, ...listeners });
}

/** Takes in what another thread has changed in memory that is shared: loads and remembered errors may be outdated. */
function apply(change: RemoteChange, core: ArenaUser): void {
  const { loads, tiers } = core;
  if (change.kind === 'tag') tiers.tags.hear(change.tag, change.stamp);
  else if (change.kind === 'key') loads.supersede(change.key);
  else loads.supersedeAll(change.kind === 'method' ? change.method : undefined);
  const keys = change.kind === 'key' ? [change.key] : undefined;
  for (const { errors } of core.states()) errors.forgetChanged(keys);
}
