/** Damage in a partition file, told with its place. */

import { CacheError } from '../errors.js';

/** A file, or a part of one, that is not what it should be. The rest of the cache is not touched by it. */
export class PartitionDamagedError extends CacheError {
  /** The file's path; empty while it is not known. */
  readonly file: string;
  /** The byte in the file from which on it is damaged. */
  readonly offset: number;
  /** What is wrong, without the place. */
  readonly reason: string;

  constructor(reason: string, place: { file?: string; offset?: number } = {}, options?: ErrorOptions) {
    const { file = '', offset = 0 } = place;
    super('ERR_PARTITION_DAMAGED', file === '' ? reason : `${reason} (${file}, byte ${offset})`, options);
    this.name = 'PartitionDamagedError';
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** The same damage, with the place filled in; anything else becomes damage that it caused. */
export function damageAt(error: unknown, file: string, offset: number): PartitionDamagedError {
  const reason = error instanceof PartitionDamagedError ? error.reason : String((error as Error).message);
  return new PartitionDamagedError(reason, { file, offset }, { cause: error });
}
