/** What other caches call their options (lru-cache, node-cache, cache-manager, bentocache, keyv, p-memoize …), and we. */

/** Our names for theirs, the likeliest first. */
const ours: Readonly<Record<string, readonly string[]>> = {
  maxSize: [
    'max',
    'maxEntries',
    'maxItems',
    'maxKeys',
    'maxLength',
    'limit',
    'capacity',
    'cacheSize',
    'size',
  ],
  maxBytes: ['maxMemory', 'memoryLimit', 'maxWeight', 'maxTotalSize'],
  maxEntryBytes: ['maxEntrySize', 'maxItemSize', 'maxValueSize'],
  ttl: [
    'stdTTL',
    'defaultTtl',
    'expire',
    'expires',
    'expiry',
    'expiresIn',
    'expiration',
    'lifetime',
    'maxAge',
  ],
  staleIfError: [
    'grace',
    'gracePeriod',
    'graced',
    'stale',
    'staleTtl',
    'serveStale',
    'allowStaleOnFetchRejection',
  ],
  staleWhileRevalidate: ['swr', 'stale', 'staleTtl', 'revalidate', 'allowStale', 'staleWhileRefetching'],
  refreshAhead: ['refreshThreshold', 'earlyExpiration', 'beta', 'prefetch', 'backgroundRefresh'],
  hardTimeout: ['timeout', 'maxWait', 'deadline'],
  softTimeout: ['timeout', 'staleTimeout'],
  negativeTtl: ['nullTtl', 'emptyTtl', 'notFoundTtl', 'missTtl'],
  cacheErrors: ['errorTtl', 'cacheRejection', 'cachePromiseRejection', 'cacheFailures'],
  sliding: ['updateAgeOnGet', 'rolling', 'touch', 'idleTimeout', 'maxIdle', 'refreshTtlOnGet'],
  scope: ['namespace', 'prefix', 'keyPrefix', 'tenant', 'user'],
  version: ['cacheVersion', 'revision'],
  ignore: ['exclude', 'omit', 'ignoreParams', 'ignoredKeys'],
  tags: ['group', 'groups', 'labels', 'surrogateKeys'],
  key: ['cacheKey', 'keyFn', 'keyGenerator', 'keyBuilder', 'resolver', 'normalizer', 'getKey', 'hash'],
  params: ['argNames', 'args', 'parameters'],
  shared: ['static', 'global'],
  eviction: ['policy', 'strategy', 'algorithm', 'evictionPolicy', 'store'],
  values: ['useClones', 'clone', 'cloneValues', 'copy'],
  codecs: ['serialize', 'deserialize', 'serializer', 'transformer', 'codec'],
  concurrency: ['maxConcurrency', 'maxConcurrent', 'parallelism'],
  circuitBreaker: ['breaker', 'circuit', 'circuitBreakerDuration'],
  knownKeys: ['bloom', 'bloomFilter', 'filter'],
  cost: ['weight', 'priority'],
  persist: ['disk', 'persistence', 'persistent', 'l2Layer', 'l2', 'stores'],
  remote: ['redis', 'l2Layer', 'l2', 'stores'],
  persistDir: ['dir', 'directory', 'folder', 'path', 'cacheDir', 'filename', 'file', 'persistPath'],
  durability: ['fsync', 'sync', 'durable'],
  maxDiskBytes: ['diskLimit', 'maxDiskSize'],
  signal: ['abortSignal', 'abort', 'abortController'],
  failures: ['threshold', 'failureThreshold', 'errorThreshold', 'volumeThreshold', 'maxFailures'],
  failureRate: ['errorThresholdPercentage', 'errorRate', 'failureRatio'],
  openFor: ['resetTimeout', 'halfOpenAfter', 'cooldown', 'duration', 'breakDuration', 'timeout'],
  limit: ['max', 'maxConcurrency', 'maxConcurrent', 'concurrency', 'parallelism'],
  queueLimit: ['queue', 'maxQueue', 'queueSize'],
  falsePositiveRate: ['errorRate', 'fpp', 'p'],
  prefix: ['namespace', 'keyPrefix'],
  remoteTimeout: ['timeout', 'commandTimeout', 'connectTimeout'],
  maxRows: ['limit', 'max', 'maxItems'],
};

/** What there is no option for, and what to do instead. */
const instead: Readonly<Record<string, string>> = {
  sizeCalculation: 'sizes are measured, and `maxBytes` bounds them: leave it out',
  weigher: 'sizes are measured, and `maxBytes` bounds them: leave it out',
  ttlAutopurge: 'what has expired leaves by itself: leave it out',
  ttlResolution: 'what has expired leaves by itself: leave it out',
  checkperiod: 'what has expired leaves by itself: leave it out',
  deleteOnExpire: 'what has expired leaves by itself: leave it out',
  dispose: "listen to what leaves with `cache.on('remove', …)`",
  disposeAfter: "listen to what leaves with `cache.on('remove', …)`",
  onEvict: "listen to what leaves with `cache.on('remove', …)`",
  onEviction: "listen to what leaves with `cache.on('remove', …)`",
  fetchMethod: 'give the loader to `getOrSet`, or the function to `wrap`',
  loader: 'give the loader to `getOrSet`, or the function to `wrap`',
  forceFresh: 'call `refresh` in place of `getOrSet`',
  forceRefresh: 'call `refresh` in place of `getOrSet`',
  force: 'call `refresh` in place of `getOrSet`',
  noCache: 'call `refresh` in place of `getOrSet`',
  lock: 'concurrent calls of one key share one load by themselves: leave it out',
  lockTimeout: 'concurrent calls of one key share one load by themselves: leave it out',
  dedupe: 'concurrent calls of one key share one load by themselves: leave it out',
  coalesce: 'concurrent calls of one key share one load by themselves: leave it out',
  retry: 'retry in the tool itself: a failure is not stored, so the next call tries again',
  retries: 'retry in the tool itself: a failure is not stored, so the next call tries again',
};

/** What we call an option of another cache. */
export function ownNamesFor(foreign: string): readonly string[] {
  return Object.keys(ours).filter((own) => ours[own]?.some((each) => isSame(each, foreign)));
}

/** What to do in place of an option of another cache that we have none for. */
export function insteadOf(foreign: string): string | undefined {
  const found = Object.keys(instead).find((each) => isSame(each, foreign));
  return found === undefined ? undefined : instead[found];
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
