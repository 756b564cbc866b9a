/** The file operations that persistence needs, few enough to be injected, and the machine's own. */

import { constants, lstatSync, readSync } from 'node:fs';
import type { FileHandle as NodeFileHandle } from 'node:fs/promises';
import { link, lstat, mkdir, open, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { isError } from '../errors.js';

/** What is known of a file. */
export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'other';
  readonly size: number;
  readonly modifiedAt: number;
  /** Device and inode: the same for two names of one file. */
  readonly identity: string;
  /** The owner's user id. */
  readonly owner: number;
}

/** An open file. */
export interface OpenFile {
  /** Reads up to `length` bytes from `position`; fewer at the end of the file. They may be put into `room`. */
  read(length: number, position: number, room?: Buffer): Promise<Buffer>;
  /** The same at once, blocking; not there where it can't be done. Only for what is small and near. */
  readSync?(length: number, position: number, room?: Buffer): Buffer;
  /** Appends with a single write, and tells how many bytes were taken. */
  append(bytes: Uint8Array): Promise<number>;
  status(): Promise<FileStatus>;
  /** Returns when the content is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What lies in a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'other';
}

/** A file system. Failures reject with an error that has Node's `code` (`ENOENT`, `ENOSPC` …). */
export interface FileSystem {
  /** Opens an existing regular file to read; anything else is refused without waiting (`EINVAL`, `ELOOP`). */
  openToRead(path: string): Promise<OpenFile>;
  /** Creates a file to append to; `EEXIST` when there is anything of that name. */
  create(path: string, mode: number): Promise<OpenFile>;
  /** Opens an existing regular file to append to it; anything else is refused as by `openToRead`. */
  openToAppend(path: string): Promise<OpenFile>;
  /** The folder's entries. */
  list(path: string): Promise<FolderEntry[]>;
  /** The status of what the name stands for, links not followed. */
  status(path: string): Promise<FileStatus>;
  /** The same at once, blocking; not there where it can't be done. Only for what is near. */
  statusSync?(path: string): FileStatus;
  /** Makes a folder, with the folders above it where `recursive`; one that is there is left alone. */
  makeFolder(path: string, options: { mode: number; recursive: boolean }): Promise<void>;
  /** Gives a file a second name; `EEXIST` when that is taken. */
  link(path: string, newPath: string): Promise<void>;
  rename(path: string, newPath: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Returns when the folder's names are on the disk. */
  syncFolder(path: string): Promise<void>;
  /** Of what kind the file system at a path is: Linux's number for it (statfs(2)), `undefined` where there is none. */
  volumeType?(path: string): Promise<number | undefined>;
}

/** Reads bytes that must be there; fails when the file system returns fewer, which is no statement about the file. */
export async function readFully(
  file: OpenFile,
  length: number,
  position: number,
  room?: Buffer,
): Promise<Buffer> {
  const bytes = await file.read(length, position, room);
  if (bytes.length === length) return bytes;
  const message = `Expected ${length} bytes from byte ${position}, got ${bytes.length}`;
  throw Object.assign(new Error(message), { code: 'EIO' });
}

/** Whether it is the same file, and nobody has written to it. Inodes are used again, but not with the same time. */
export function isSameStatus(one: FileStatus, other: FileStatus): boolean {
  return one.identity === other.identity && one.size === other.size && one.modifiedAt === other.modifiedAt;
}

/** Whether an error carries one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return isError(error) && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Removes a file that somebody else may have removed already, having taken it for left behind. */
export async function unlinkIfThere(files: Pick<FileSystem, 'unlink'>, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  openToRead: (path) => openRegular(path, constants.O_RDONLY),
  openToAppend: (path) => openRegular(path, constants.O_RDWR | constants.O_APPEND),
  async create(path, mode) {
    const flags =
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return new NodeFile(await open(path, flags, mode));
  },
  async list(path) {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  async status(path) {
    return toStatus(await lstat(path));
  },
  statusSync: (path) => toStatus(lstatSync(path)),
  async makeFolder(path, options) {
    try {
      await mkdir(path, options);
    } catch (error) {
      const isThere = hasCode(error, 'EEXIST') && (await stat(path)).isDirectory();
      if (!isThere) throw error;
    }
  },
  link: (path, newPath) => link(path, newPath),
  rename: (path, newPath) => rename(path, newPath),
  unlink: (path) => unlink(path),
  async syncFolder(path) {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async volumeType(path) {
    // Other systems count in another way. Some of the numbers come out negative where they are 32 bits wide.
    return process.platform === 'linux' ? (await statfs(path)).type >>> 0 : undefined;
  },
};

async function openRegular(path: string, access: number): Promise<OpenFile> {
  // O_NONBLOCK: opening a FIFO would wait for a writer for ever.
  const handle = await open(path, access | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let isFile = false;
  try {
    isFile = (await handle.stat()).isFile();
  } finally {
    if (!isFile) await handle.close();
  }
  if (isFile) return new NodeFile(handle);
  throw Object.assign(new Error(`Expected a regular file at ${path}`), { code: 'EINVAL', path });
}

class NodeFile implements OpenFile {
  readonly #handle: NodeFileHandle;

  constructor(handle: NodeFileHandle) {
    this.#handle = handle;
  }

  async read(length: number, position: number, room?: Buffer): Promise<Buffer> {
    const bytes = room !== undefined && room.length >= length ? room : Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  readSync(length: number, position: number, room?: Buffer): Buffer {
    const bytes = room !== undefined && room.length >= length ? room : Buffer.allocUnsafeSlow(length);
    return bytes.subarray(0, readSync(this.#handle.fd, bytes, 0, length, position));
  }

  async append(bytes: Uint8Array): Promise<number> {
    return (await this.#handle.write(bytes)).bytesWritten;
  }

  async status(): Promise<FileStatus> {
    return toStatus(await this.#handle.stat());
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

interface Kinded {
  isFile(): boolean;
  isDirectory(): boolean;
}

function kindOf(entry: Kinded): FileStatus['kind'] {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other';
}

function toStatus(
  status: Kinded & { size: number; mtimeMs: number; dev: number; ino: number; uid: number },
): FileStatus {
  return {
    kind: kindOf(status),
    size: status.size,
    modifiedAt: status.mtimeMs,
    identity: `${status.dev}:${status.ino}`,
    owner: status.uid,
  };
}
