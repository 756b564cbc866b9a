/** The error for bytes that are no stored value. */

import { CacheError } from '../errors.js';

export function unreadable(message: string, cause?: unknown): CacheError {
  return new CacheError('ERR_UNREADABLE_VALUE', message, cause === undefined ? undefined : { cause });
}
