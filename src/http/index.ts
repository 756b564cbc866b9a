/** What lies before an application: caching headers, a cache of its responses, and one for what it fetches itself. */

export { assetRules, type CacheControlPolicy, cacheControl } from './cache-control.js';
export type { CacheControlRule, ResponseFacts } from './cache-control-rules.js';
export type { FetchHandler, HonoContext, HonoMiddleware } from './fetch-types.js';
export type { NodeMiddleware, NodeRequest } from './node-types.js';
export { type ResponseCache, responseCache } from './response-cache.js';
export type { ResponseCacheOptions, TaggedRequest } from './response-cache-options.js';
export type { ResponseHead } from './storable.js';
export {
  type UndiciCacheKey,
  type UndiciCacheResult,
  type UndiciCacheValue,
  type UndiciHeaders,
  type UndiciStore,
  type UndiciStoreOptions,
  undiciStore,
} from './undici-store.js';
