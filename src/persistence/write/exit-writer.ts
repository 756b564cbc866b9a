/**
 * Writes a batch at once, blocking, into partitions of its own: for a process that is exiting, where nothing
 * asynchronous is ever done. What a flush under way is writing already may be written twice, which does no harm: it is
 * the same entry with the same stamp.
 */

import {
  closeSync,
  constants,
  fdatasyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CacheError } from '../../errors.js';
import { toStorageError } from '../disk-errors.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { hasCode } from '../file-system.js';
import { deflateMemberSync, type EncodedEntry } from '../format/member-body.js';
import { frameMember, isNameable } from '../format/member-frame.js';
import {
  hashMethod,
  monthFolder,
  type PartitionName,
  parsePartitionFileName,
  partitionFileName,
  randomId,
  utcDay,
} from '../format/partition-name.js';
import { encodeByMethod } from './batch-encoding.js';
import { appendMembers, memberGroups } from './member-groups.js';
import type { WriteBuffer } from './write-buffer.js';

/** What writing at the exit takes. */
export interface ExitWriterInit {
  readonly options: Pick<
    ResolvedDiskOptions,
    'persistDir' | 'fileMode' | 'dirMode' | 'compressionLevel' | 'durability'
  >;
  /** The id of this process's writer. */
  readonly writer: string;
  readonly now: () => number;
  /** Whether the folder is another's: then nothing is written. */
  readonly isTaken: () => boolean;
  /** Hears of each method whose entries could not be written. */
  readonly onError: (error: CacheError) => void;
}

/** Writes what it can; the rest is lost with the process. */
export function writeAtExit(batch: WriteBuffer, init: ExitWriterInit): void {
  if (batch.isEmpty || init.isTaken()) return;
  for (const [method, entries] of encodeByMethod(batch)) {
    try {
      writePartition(method, entries(), init);
    } catch (error) {
      init.onError(toStorageError(error, `Writing to ${init.options.persistDir} failed`));
    }
  }
}

function writePartition(method: string, entries: Iterable<EncodedEntry>, init: ExitWriterInit): void {
  const { options, writer, now } = init;
  const name = { methodHash: hashMethod(method), day: utcDay(now()) };
  const fileId = randomId();
  const descriptor = createNext(name, options);
  try {
    let memberNumber = 0;
    for (const group of memberGroups(entries)) {
      const frame = frameMember(deflateMemberSync(name.methodHash, group, options.compressionLevel), {
        fileId,
        writer,
        memberNumber,
        batchIndex: memberNumber % appendMembers,
        writtenAt: now(),
        ...(memberNumber === 0 && isNameable(method) ? { method } : {}),
      });
      for (let written = 0; written < frame.length; ) {
        written += writeSync(descriptor, frame, written);
      }
      memberNumber += 1;
    }
    if (options.durability === 'disk') fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Creates the next free partition of a method and day, under a name that nobody else has. */
function createNext(name: Omit<PartitionName, 'partition'>, options: ExitWriterInit['options']): number {
  const { persistDir, fileMode, dirMode } = options;
  const folder = join(persistDir, monthFolder(name.day));
  mkdirSync(folder, { recursive: true, mode: dirMode });
  // A symlink would lead out of the cache folder.
  if (!lstatSync(folder).isDirectory()) {
    throw Object.assign(new Error(`Expected a folder at ${folder}`), { code: 'ENOTDIR' });
  }
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  for (let partition = nextFree(folder, name); ; partition += 1) {
    try {
      const path = join(folder, partitionFileName({ ...name, partition }));
      return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

function nextFree(folder: string, { methodHash, day }: Omit<PartitionName, 'partition'>): number {
  let free = 0;
  for (const entry of readdirSync(folder)) {
    const other = parsePartitionFileName(entry);
    if (other?.methodHash === methodHash && other.day === day) free = Math.max(free, other.partition + 1);
  }
  return free;
}
