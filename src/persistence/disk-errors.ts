/** What can be wrong with a file of the cache folder: damage with its place, a size beyond this process's limit, a failing disk. */

import { CacheError, isError, messageOf } from '../errors.js';

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

/** A member, or a plain file, that takes more in memory than `maxMemberBytes` of this process. */
export class TooLargeError extends CacheError {
  /** The file's path; empty while it is not known. */
  readonly file: string;
  readonly #sizes: { readonly bytes: number; readonly limit: number };

  /** @param sizes.bytes what it takes, as far as is known before it is read */
  constructor(sizes: { readonly bytes: number; readonly limit: number }, file = '') {
    const { bytes, limit } = sizes;
    const where = file === '' ? '' : ` in ${file}`;
    super(
      'ERR_STORAGE',
      `Expected at most ${limit} bytes (\`maxMemberBytes\`), got ${bytes} bytes or more${where}: it is left as it is. Set \`maxMemberBytes\` as high here as where it was written`,
    );
    this.name = 'TooLargeError';
    this.file = file;
    this.#sizes = sizes;
  }

  /** The same, with the file filled in. */
  in(file: string): TooLargeError {
    return new TooLargeError(this.#sizes, file);
  }
}

/** What a member's header and trailer add to its body, at most; DEFLATE adds next to nothing to what it can't shrink. */
const frameBytes = 1024 * 1024;

/** Fails for a member that can't be read within the limit, as its length in the file tells already. */
export function assertReadableLength(memberLength: number, limit: number, file: string): void {
  if (memberLength > limit + frameBytes)
    throw new TooLargeError({ bytes: memberLength - frameBytes, limit }, file);
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
};

/** Why a path that somebody named can't be read, in a sentence; where it is one below it that can't, that is named. */
export function unreadablePath(path: string, cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  const { code, path: failed = path }: NodeJS.ErrnoException = isError(cause) ? cause : new Error();
  const reason = (code !== undefined && reasons[code]) || messageOf(cause);
  return new CacheError('ERR_STORAGE', `Can't read ${failed}: ${reason}`, { cause });
}

/** The error itself where it is one of ours, else `ERR_STORAGE` with the message and the reason. */
export function toStorageError(error: unknown, message: string): CacheError {
  if (error instanceof CacheError) return error;
  const reason = messageOf(error);
  return new CacheError('ERR_STORAGE', `${message}: ${reason}`, { cause: error });
}
