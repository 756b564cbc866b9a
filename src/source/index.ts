/** What lies behind a cache: records of a database, lists that are polled, logs that grow. */

export { cacheAside } from './cache-aside.js';
export type { CacheAside, CacheAsideOptions } from './cache-aside-options.js';
export { PagedLog, type PagedLogOptions } from './paged-log.js';
export {
  type PolledRows,
  type PolledSource,
  type PolledSourceOptions,
  polledSource,
} from './polled-source.js';
export type { SecretFields } from './secret-fields.js';
