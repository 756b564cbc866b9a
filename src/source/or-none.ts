/** Going on without a cache that is closed or fails, where its caller's own work must be done all the same. */

import { CacheError } from '../errors.js';

/** What a task of the cache's gives; `undefined` where the cache refuses it, which it tells of itself. */
export async function orNone<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof CacheError) return undefined;
    throw error;
  }
}
