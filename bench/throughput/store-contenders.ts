/** Raw stores, by policy: a key goes in with a number, and the number comes out. */

import lfuCache from '@akashbabu/lfu-cache';
import { TTLCache } from '@isaacs/ttlcache';
import { LRUCache } from 'lru-cache';
import NodeCache from 'node-cache';
import QuickLRU from 'quick-lru';
import { systemClock } from '../../src/clock.js';
import { entryBytes, MemoryEntry } from '../../src/store/memory-entry.js';
import { MemoryTier } from '../../src/store/memory-tier.js';
import { createStore } from '../../src/store/registry.js';
import type { StoreEntry } from '../../src/store/store.js';

/** A store as the bench uses it. */
export interface BenchedStore {
  get(key: string): number | undefined;
  set(key: string, value: number): void;
}

type Policy = 'lru' | 'lfu' | 'fifo' | 'ttl' | 'sieve' | 's3-fifo' | 'w-tinylfu' | 'auto';

/** One way to hold entries. */
export interface StoreContender {
  readonly name: string;
  /** Contenders of one policy are compared with each other. `none` evicts nothing. */
  readonly policy: 'none' | Policy;
  /** Ours, not a peer. */
  readonly isOurs?: boolean;
  /** `maxSize` entries; other bounds, where they are kept at all, are never reached. */
  create(maxSize: number): BenchedStore;
}

// Its types tell of a default export beside the class; what Node imports is the class.
const LfuCache = lfuCache as unknown as typeof lfuCache.default;

const ttlMs = 3_600_000;
const plentyOfBytes = Number.MAX_SAFE_INTEGER;

const lruCache: StoreContender = {
  name: 'lru-cache',
  policy: 'lru',
  create: (max) => new LRUCache<string, number>({ max }),
};

/** All policies that are to keep up with lru-cache. */
export const policyContenders: readonly StoreContender[] = [
  lruCache,
  lruCacheOfEntries(),
  ...(['lru', 'sieve', 's3-fifo', 'w-tinylfu', 'auto'] as const).map(ours),
];

export const storeContenders: readonly StoreContender[] = [
  {
    name: 'Map, unbounded',
    policy: 'none',
    create: () => new Map<string, number>(),
  },
  {
    name: 'node-cache, unbounded',
    policy: 'none',
    create: () => new NodeCache({ stdTTL: ttlMs / 1000, checkperiod: 0, useClones: false }) as BenchedStore,
  },
  lruCache,
  {
    name: 'lru-cache, bytes too',
    policy: 'lru',
    create: (max) =>
      new LRUCache<string, number>({ max, maxSize: plentyOfBytes, sizeCalculation: () => 100 }),
  },
  { name: 'quick-lru', policy: 'lru', create: (maxSize) => new QuickLRU<string, number>({ maxSize }) },
  ours('lru'),
  oursWithClock(),
  { name: '@akashbabu/lfu-cache', policy: 'lfu', create: (max) => new LfuCache<number>({ max }) },
  ours('lfu'),
  { name: 'Map as FIFO', policy: 'fifo', create: mapAsFifo },
  ours('fifo'),
  {
    name: '@isaacs/ttlcache',
    policy: 'ttl',
    create: (max) => new TTLCache<string, number>({ max, ttl: ttlMs }),
  },
  ours('ttl'),
];

class NumberEntry implements StoreEntry {
  readonly key: string;
  readonly bytes = 100;
  readonly expiresAt: number | null;
  readonly loadMs = 0;
  readonly value: number;

  constructor(key: string, value: number, expiresAt: number | null) {
    this.key = key;
    this.value = value;
    this.expiresAt = expiresAt;
  }
}

/** One of our stores alone, as its contract has it: entries are objects, and bytes are bounded too. */
function ours(policy: Policy): StoreContender {
  const expires = policy === 'ttl';
  return {
    name: `toolstash ${policy}`,
    policy,
    isOurs: true,
    create(maxSize) {
      const store = createStore<NumberEntry>(policy, {
        maxSize,
        maxBytes: plentyOfBytes,
        random: Math.random,
        onRemove: () => undefined,
      });
      return {
        get: (key) => store.get(key)?.value,
        set: (key, value) => void store.set(new NumberEntry(key, value, expires ? Date.now() + ttlMs : null)),
      };
    },
  };
}

/** lru-cache with what each store of ours has to do besides: hold the entries that it is given, and tell of those that leave. */
function lruCacheOfEntries(): StoreContender {
  return {
    name: 'lru-cache of entries',
    policy: 'lru',
    create(max) {
      const cache = new LRUCache<string, NumberEntry>({ max, dispose: () => undefined });
      return {
        get: (key) => cache.get(key)?.value,
        set: (key, value) => void cache.set(key, new NumberEntry(key, value, null)),
      };
    },
  };
}

/** What the cache itself uses: a store, the clock, and whole entries. */
function oursWithClock(): StoreContender {
  return {
    name: 'toolstash lru, memory tier',
    policy: 'lru',
    isOurs: true,
    create(maxSize) {
      const tier = new MemoryTier({
        store: 'lru',
        maxSize,
        maxBytes: plentyOfBytes,
        clock: systemClock,
        random: Math.random,
        onRemove: () => undefined,
      });
      return {
        get: (key) => tier.get(key)?.stored as number | undefined,
        set(key, value) {
          const createdAt = Date.now();
          tier.set(
            new MemoryEntry({
              key,
              method: 'search',
              stored: value,
              bytes: entryBytes(16),
              createdAt,
              staleAt: null,
              expiresAt: null,
              loadMs: 0,
              stamp: { time: createdAt * 1000, writer: '' },
            }),
          );
        },
      };
    },
  };
}

/** What many a program writes itself. */
function mapAsFifo(maxSize: number): BenchedStore {
  const map = new Map<string, number>();
  return {
    get: (key) => map.get(key),
    set(key, value) {
      if (map.size >= maxSize && !map.has(key)) map.delete(map.keys().next().value as string);
      map.set(key, value);
    },
  };
}
