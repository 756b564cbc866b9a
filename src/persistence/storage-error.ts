/** Failures of the file system as errors of ours. */

import { CacheError } from '../errors.js';

/** The error itself where it is one of ours, else `ERR_STORAGE` with the message and the reason. */
export function toStorageError(error: unknown, message: string): CacheError {
  if (error instanceof CacheError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CacheError('ERR_STORAGE', `${message}: ${reason}`, { cause: error });
}
