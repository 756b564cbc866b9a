/** An arena under a cache, and its parts by themselves: what a cache costs around it can be told apart. */

import { ArenaMemory } from '../../src/arena/arena-memory.js';
import { readKey } from '../../src/arena/key-words.js';
import { entry, type StripeMemory } from '../../src/arena/layout.js';
import { SharedArena } from '../../src/arena/shared-arena.js';
import { CacheManager } from '../../src/index.js';
import { StampClock } from '../../src/stamp.js';
import type { Arena, ArenaHandle, ArenaWiring, SharedMemory } from '../../src/store/arena-options.js';
import { MemoryEntry } from '../../src/store/memory-entry.js';

/** The bounds of an arena. */
export interface Bounds {
  readonly maxBytes: number;
  readonly maxSize: number;
}

/** One thread's place in an arena. */
export class Layers {
  readonly arena: SharedArena;
  readonly cache: CacheManager;
  readonly #tier: SharedMemory;
  readonly #wiring: ArenaWiring;
  readonly #stamps: StampClock;
  readonly #key = new Int32Array(4);
  readonly #words = new Int32Array(2 ** 16);
  readonly #taker = {
    take: ({ ring }: StripeMemory, place: number) => {
      const size = ring[place]!;
      if (size <= 0 || size > this.#words.length) return false;
      this.#words.set(ring.subarray(place, place + size));
      return true;
    },
  };

  private constructor(arena: SharedArena) {
    let given: { tier: SharedMemory; wiring: ArenaWiring } | undefined;
    this.arena = arena;
    const memory: Arena = {
      share: () => arena.share(),
      stats: () => arena.stats(),
      connect(wiring) {
        given = { tier: new ArenaMemory(arena, wiring), wiring };
        return given.tier;
      },
    };
    this.cache = new CacheManager({ memory });
    if (given === undefined) throw new Error('Expected the cache to connect to its memory');
    this.#tier = given.tier;
    this.#wiring = given.wiring;
    this.#stamps = new StampClock(given.wiring.clock, given.wiring.writer, given.tier);
  }

  static create(bounds: Bounds): Layers {
    return new Layers(SharedArena.create(bounds));
  }

  static attach(handle: ArenaHandle): Layers {
    return new Layers(SharedArena.attach(handle));
  }

  /** What the memory tier has, decoded. */
  get(key: string): unknown {
    const entry = this.#tier.get(key);
    return entry === undefined ? undefined : this.#wiring.keeper.decode(entry.stored);
  }

  /** What the memory tier has, as it lies: bytes in memory of their own. */
  getBytes(key: string): Uint8Array | undefined {
    return this.#tier.get(key)?.stored as Uint8Array | undefined;
  }

  /** The bytes of an entry in memory that the next read overwrites; 0 is none. */
  getFast(key: string): number {
    readKey(key, this.#key);
    return this.arena.stripeOf(this.#key).read(this.#key, this.#taker) ? this.#words[entry.bytes]! : 0;
  }

  /** Stores a value in the memory tier. */
  set(key: string, method: string, value: unknown): boolean {
    const { keeper, clock } = this.#wiring;
    const { stored, bytes } = keeper.encode(value);
    const createdElapsed = clock.elapsed();
    const times = { createdAt: clock.now(), staleAt: null, expiresAt: null, loadMs: 0, createdElapsed };
    const stamp = this.#stamps.next();
    return this.#tier.set(new MemoryEntry({ key, method, stored, bytes, stamp, ...times }));
  }
}
