/** Toolstash: caches the results of tool calls. */

export * from './contract.js';
export type { Duration } from './duration.js';
export {
  CacheClosedError,
  CacheError,
  type CacheErrorCode,
  CircuitOpenError,
  InvalidArgumentError,
  InvalidOptionError,
  LoaderTimeoutError,
  QueueFullError,
  ReentrantLoadError,
  UnhashableParamsError,
  UnstorableValueError,
} from './errors.js';
export type { CacheEventName, CacheEvents, CacheListener, CallEvent, CircuitStateName } from './events.js';
export { BloomFilter, type BloomFilterOptions } from './guard/bloom-filter.js';
export type { CacheErrors } from './guard/error-cache.js';
export type {
  CircuitBreakerRule,
  ConcurrencyRule,
  GuardOptions,
  RefreshAheadRule,
} from './guard/guard-options.js';
export type { IgnoredPath } from './key/ignored-path.js';
export { hashKey, type KeyOptions } from './key/key-hasher.js';
export type { KeepParams } from './key/key-origin.js';
export { CacheManager } from './manager/cache-manager.js';
export type { LoadRequest } from './manager/call-checks.js';
export type { DeleteCriteria, DeletionReport } from './manager/deletion.js';
export type { CacheEntry } from './manager/entry-listing.js';
export type { Loader, LoaderContext } from './manager/load/loader.js';
export type { FailedLookup, FoundValue, Lookup, MissedValue } from './manager/lookup.js';
export type { MethodCache } from './manager/method-cache.js';
export type {
  CacheOptions,
  LoadOptions,
  LookupOptions,
  MethodOptions,
  SetOptions,
  Ttl,
} from './options.js';
export type { ConsolidationReport } from './persistence/consolidate/consolidation.js';
export type { DropCounts } from './persistence/consolidate/merge-rules.js';
export type { DiskOptions } from './persistence/disk-options.js';
export { formatStats } from './report/stats-report.js';
export type { CacheStats } from './stats/counters.js';
export type { LoadTimes } from './stats/load-times.js';
export { registerStore, storeNames } from './store/registry.js';
// By a star: the declarations of named exports can't be augmented.
export type * from './store/store-names.js';
export type { Effect, ResourceEffect } from './tools/effect.js';
export type { ToolOptions, ToolRule, ToolRules } from './tools/tool-rules.js';
export type { Cached, CachedMethod, CachedSync, CachedSyncMethod } from './wrap/decorator-types.js';
export type { SyncWrapOptions, WrapOptions } from './wrap/wrap-options.js';
export type {
  AnyFunction,
  AsyncFunction,
  FunctionObject,
  SyncOnly,
  Wrapped,
  WrappedMembers,
  WrappedSync,
} from './wrap/wrapped-types.js';
