/** Watches the memory of the process, and says how much a cache has to give back, with hysteresis. */

import type { Clock, Timer } from '../clock.js';
import { callListener } from '../listener.js';
import type { ResolvedMemoryOptions } from './memory-options.js';
import type { MemoryUse, ProcessMemory } from './process-memory.js';

/** What a watch may ask of the memory tier. */
export interface ShrinkableTier {
  readonly bytes: number;
  /** Lets entries leave until no more than so many bytes are held; tells how many left. */
  shrink(bytes: number): number;
}

/** What a watch is made from. */
export interface MemoryPressureInit {
  readonly options: ResolvedMemoryOptions;
  readonly memory: ProcessMemory;
  readonly clock: Clock;
  /** The cache's own bound. */
  readonly maxBytes: number;
  readonly tier: ShrinkableTier;
  /** Hears what the tier throws when it is to shrink of its own accord. */
  readonly onError: (error: unknown) => void;
}

/** Milliseconds between looks while nothing is stored. */
const interval = 1000;

/** A look is due once the cache has grown by this share of the heap's limit. */
const shareBetweenLooks = 1 / 128;

/** Shrinks to this share of what may be in use, so that the next look finds room. */
const lowWater = 0.9;

/** From this share downwards the cache may grow again: below `lowWater`, so that it does not swing. */
const growWater = 0.8;

/** The least of the cache that leaves at once, and the most that it may grow by at a look. */
const step = 1 / 8;

/** What the tiers that a process has hold, by the process: what watches are held by holds no cache. */
const tiersOf = new WeakMap<ProcessMemory, Set<WeakRef<ShrinkableTier>>>();

function bytesIn(memory: ProcessMemory): number {
  let bytes = 0;
  for (const tier of tiersOf.get(memory) ?? []) bytes += tier.deref()?.bytes ?? 0;
  return bytes;
}

/**
 * Lowers the bound of a memory tier while the process is short of memory, and raises it again step by step.
 *
 * How much of the heap is garbage only a collection shows. So what counts as in use is what the last collection of the whole
 * heap has left, and what the cache has stored since; before the first, all that is allocated. After a shrinking the
 * next waits for a collection, which shows what it brought, unless the cache grows past its new bound.
 *
 * Of all memory, the process keeps pages that entries have left, for what comes next: it is as large as before. So what left
 * for its sake counts as free until the process is smaller, or the cache larger, by as much. Several caches of a process
 * share what is too much by what they hold.
 */
export class MemoryPressureWatch {
  readonly #init: MemoryPressureInit;
  /** The bound as it is now: `maxBytes` while there is room. */
  #bound: number;
  /** Bytes stored since the last look. */
  #stored = 0;
  #bytesBetweenLooks: number;
  /** What the last collection has left on the heap, and what the cache held then. */
  #collected: { readonly heap: number; readonly bytes: number } | undefined;
  /** Whether there was a collection since the last shrinking. */
  #isInformed = true;
  #timer: Timer | undefined;
  readonly #tier: WeakRef<ShrinkableTier>;
  readonly #off: () => void;
  /** What has left of all memory and is not given back, as far as is known, and how large process and cache were then. */
  #kept = { free: 0, rss: 0, bytes: 0 };

  constructor(init: MemoryPressureInit) {
    this.#init = init;
    this.#bound = init.maxBytes;
    this.#bytesBetweenLooks = init.memory.heap().limit * shareBetweenLooks;
    // Weak, as the tier's own timer is: a cache that was dropped without being closed is not kept alive.
    const reference = new WeakRef(this);
    const off = init.memory.onCollected(() => {
      const watch = reference.deref();
      if (watch === undefined) off();
      else watch.#onCollected();
    });
    this.#off = off;
    this.#tier = new WeakRef(init.tier);
    const tiers = tiersOf.get(init.memory) ?? new Set();
    // Those of caches that were dropped without being closed.
    for (const tier of tiers) if (tier.deref() === undefined) tiers.delete(tier);
    tiersOf.set(init.memory, tiers.add(this.#tier));
    this.#arm();
  }

  /** An entry was stored. */
  stored(bytes: number): void {
    const { tier } = this.#init;
    if (tier.bytes > this.#bound) tier.shrink(this.#bound);
    this.#stored += bytes;
    if (this.#stored >= this.#bytesBetweenLooks) this.#look({ mayGrow: false });
  }

  /** Compares what is in use with what may be. */
  #look({ mayGrow }: { readonly mayGrow: boolean }): void {
    this.#stored = 0;
    const { memory, options, tier, maxBytes } = this.#init;
    const [heap, rss] = [this.#heapInUse(), this.#allInUse(memory.rss())];
    const [kind, use] =
      heap.used / heap.limit >= rss.used / rss.limit ? (['heap', heap] as const) : (['rss', rss] as const);
    const most = use.limit * options.maxHeapFraction;
    if (use.used > most) {
      if (this.#isInformed) this.#shrink(kind, use, use.used - most * lowWater);
    } else if (mayGrow && use.used < most * growWater && this.#bound < maxBytes && this.#isInformed) {
      this.#bound = Math.min(
        maxBytes,
        this.#bound + Math.ceil(maxBytes * step),
        tier.bytes + (most * lowWater - use.used),
      );
    }
  }

  close(): void {
    tiersOf.get(this.#init.memory)?.delete(this.#tier);
    this.#off();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #shrink(kind: 'heap' | 'rss', { used, limit }: MemoryUse, excess: number): void {
    const { tier, options } = this.#init;
    const before = tier.bytes;
    if (before === 0) return;
    const share = excess * (before / Math.max(before, bytesIn(this.#init.memory)));
    this.#bound = Math.max(1, Math.floor(before - Math.min(before, Math.max(share, before * step))));
    const evicted = tier.shrink(this.#bound);
    if (kind === 'rss') this.#kept.free += before - tier.bytes;
    this.#kept.bytes = tier.bytes;
    this.#isInformed = false;
    const pressure = { kind, used, limit, evicted, evictedBytes: before - tier.bytes, maxBytes: this.#bound };
    // Later: the cache is in the midst of a call.
    queueMicrotask(() => callListener('The `onPressure` of a cache', options.onPressure, pressure));
  }

  #heapInUse(): MemoryUse {
    const { used, limit } = this.#init.memory.heap();
    if (this.#collected === undefined) return { used, limit };
    const { heap, bytes } = this.#collected;
    return { used: Math.min(used, heap + Math.max(0, this.#init.tier.bytes - bytes)), limit };
  }

  /** All memory in use, without what the process keeps for what comes next. */
  #allInUse({ used, limit }: MemoryUse): MemoryUse {
    const { bytes } = this.#init.tier;
    const { free, rss, bytes: before } = this.#kept;
    const taken = Math.max(0, rss - used) + Math.max(0, bytes - before);
    this.#kept = { free: Math.max(0, free - taken), rss: used, bytes };
    return { used: used - this.#kept.free, limit };
  }

  #onCollected(): void {
    const { memory, tier } = this.#init;
    this.#collected = { heap: memory.heap().used, bytes: tier.bytes };
    this.#isInformed = true;
    this.#lookAside();
  }

  /** Where nobody would hear what a faulty store throws. */
  #lookAside(): void {
    try {
      this.#look({ mayGrow: true });
    } catch (error) {
      this.#init.onError(error);
    }
  }

  #arm(): void {
    const reference = new WeakRef(this);
    this.#timer = this.#init.clock.schedule(() => {
      const watch = reference.deref();
      if (watch === undefined || watch.#timer === undefined) return;
      watch.#arm();
      watch.#lookAside();
    }, interval);
  }
}
