/** Toolstash: caches the results of tool calls. */

export type { Clock, Timer } from './clock.js';
export type { Duration } from './duration.js';
export type { EntryMetadata, TierName } from './entry.js';
export * from './errors.js';
export type { CacheEventName, CacheEvents, CacheListener, CircuitStateName } from './events.js';
export { BloomFilter, type BloomFilterOptions } from './guard/bloom-filter.js';
export type { CacheErrors } from './guard/error-cache.js';
export type { CircuitBreakerRule, ConcurrencyRule, GuardOptions } from './guard/guard-options.js';
export type { KnownKeys } from './guard/known-keys.js';
export type { IgnoredPath } from './key/ignored-path.js';
export { hashKey, type KeyOptions } from './key/key-hasher.js';
export { type CacheEntry, CacheManager, type LoadRequest } from './manager/cache-manager.js';
export type { Loader, LoaderContext } from './manager/loader.js';
export type { MethodCache } from './manager/method-cache.js';
export type { Lookup } from './manager/method-lookups.js';
export type { CacheOptions, LoadOptions, LookupOptions, MethodOptions, SetOptions, Ttl } from './options.js';
export type { ConsolidationReport } from './persistence/consolidation.js';
export type { DiskOptions } from './persistence/disk-options.js';
export type { CacheStats } from './stats/counters.js';
export type { LoadTimes } from './stats/load-times.js';
export { registerStore, storeNames } from './store/registry.js';
export type { RemovalReason, Store, StoreEntry, StoreFactory, StoreOptions } from './store/store.js';
export type { ClassCodec } from './value/value-codec.js';
export type { Cached, CachedMethod, CachedSync, CachedSyncMethod } from './wrap/decorator-types.js';
export type { SyncWrapOptions, WrapOptions } from './wrap/wrap-options.js';
export type {
  AnyFunction,
  AsyncFunction,
  SyncOnly,
  Wrapped,
  WrappedMembers,
  WrappedSync,
} from './wrap/wrapped-types.js';
