/**
 * Which loads a rollout joins: none that waits, in the end, for this very rollout.
 *
 * A load waits for its rollout's world, and a world may wait for what another rollout holds: a place in a pool, a lock.
 * So worlds come first in the order of what is waited for: who has begun to make one, or has one anyway, waits for no load
 * that waits for another, and runs its own tool instead. Waits that the process can see (loads, writes, worlds that are
 * being made) form a graph, in which a wait that would close a circle is not begun.
 */

import { onAbort } from '../guard/shared-abort.js';
import { enclosingLoad } from '../guard/wait-graph.js';
import type { CacheManager } from '../index.js';
import { type CacheCore, coreOf } from '../manager/cache-context.js';
import type { Materialization } from './environment.js';

/** A caller who has joined a load of another rollout. */
interface Joined {
  readonly world: Materialization | undefined;
  leave(): void;
}

/** What loads of one cache wait for a world, and who has joined which. */
class WorldWaits {
  /** Whether any rollout of the cache makes its world. */
  isUsed = false;
  readonly #loads = new Map<string, Set<Materialization>>();
  readonly #joined = new Map<string, Set<Joined>>();

  /** Makes the world that a load of this key runs in. */
  async make(key: string, world: Materialization): Promise<void> {
    const remove = addTo(this.#loads, key, world);
    for (const joined of this.#joined.get(key) ?? []) this.#leaveIfHolding(key, joined);
    try {
      await world.materialize();
    } finally {
      remove();
    }
  }

  /** Tells `joined` to leave once it holds a world, and the load of this key waits for another. */
  join(key: string, joined: Joined): () => void {
    const remove = addTo(this.#joined, key, joined);
    const forget = joined.world?.onBegun(() => this.#leaveIfHolding(key, joined));
    this.#leaveIfHolding(key, joined);
    return () => {
      forget?.();
      remove();
    };
  }

  #leaveIfHolding(key: string, { world, leave }: Joined): void {
    if (world?.isVirtual) return;
    for (const awaited of this.#loads.get(key) ?? []) if (awaited !== world) leave();
  }
}

const waitsByCache = new WeakMap<CacheManager, WorldWaits>();

/** How to ask for a value that others may be loading. */
export interface Ask<Result> {
  /** @throws what has no key */
  key(): string;
  readonly signal: AbortSignal | undefined;
  /** Asks, and joins the load under way. */
  join(signal: AbortSignal | undefined): Promise<Result>;
  /** Runs its own tool, for others too. */
  renew(): Promise<Result>;
  /** Runs its own tool for itself: what it waits for might wait for it. */
  alone(): Promise<Result>;
}

/** How one rollout joins loads of others. */
export class Joining {
  readonly #core: CacheCore | undefined;
  readonly #waits: WorldWaits;
  readonly #world: Materialization | undefined;
  /** Keys whose tool is running for this rollout. */
  readonly #running = new Set<string>();

  constructor(cache: CacheManager, world: Materialization | undefined) {
    this.#core = coreOf(cache);
    this.#waits = waitsByCache.get(cache) ?? new WorldWaits();
    waitsByCache.set(cache, this.#waits);
    this.#world = world;
    if (world !== undefined) this.#waits.isUsed = true;
  }

  /** Whether `ask` may do anything but join. */
  get isNeeded(): boolean {
    const isLoading = this.#core !== undefined && this.#core.loads.size > 0;
    return isLoading && (this.#waits.isUsed || enclosingLoad() !== undefined);
  }

  ask<Result>(ask: Ask<Result>): Promise<Result> {
    let key: string;
    try {
      key = ask.key();
    } catch {
      // It joins nobody.
      return ask.join(ask.signal);
    }
    const flight = this.#core?.loads.find(key);
    if (flight === undefined) return ask.join(ask.signal);
    // A tool that calls itself is told so.
    if (this.#core?.loads.isWaitedForHere(flight) && !this.#running.has(key)) return ask.alone();
    return this.#waits.isUsed ? this.#joinUntilHolding(key, ask) : ask.join(ask.signal);
  }

  /** Runs a tool as the load of a key, in the rollout's world. */
  async run<Result>(key: string, tool: () => Promise<Result>): Promise<Result> {
    this.#running.add(key);
    try {
      if (this.#world !== undefined && !this.#world.isReady) await this.#make(key, this.#world);
      return await tool();
    } finally {
      this.#running.delete(key);
    }
  }

  /** Who holds the world that this one waits for may need the permit that this load holds. */
  #make(key: string, world: Materialization): Promise<void> {
    const make = () => this.#waits.make(key, world);
    return enclosingLoad()?.withoutPermit(make) ?? make();
  }

  async #joinUntilHolding<Result>(key: string, { signal, join, renew }: Ask<Result>): Promise<Result> {
    const wait = new AbortController();
    const left = {};
    const abort = () => wait.abort(signal?.reason);
    const release = signal && onAbort(signal, abort);
    if (signal?.aborted) abort();
    let forget: (() => void) | undefined;
    try {
      const joined = join(wait.signal);
      forget = this.#waits.join(key, { world: this.#world, leave: () => wait.abort(left) });
      return await joined;
    } catch (error) {
      if (error !== left) throw error;
      return await renew();
    } finally {
      forget?.();
      release?.();
    }
  }
}

/** Adds to a set of a map, and returns what takes it out again. */
function addTo<T>(sets: Map<string, Set<T>>, key: string, value: T): () => void {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set.add(value));
  return () => {
    set.delete(value);
    if (set.size === 0 && sets.get(key) === set) sets.delete(key);
  };
}
