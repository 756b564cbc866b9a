/** The partitions that a writer appends to, one for each method: it keeps few of them open, and comes back to the others. */

import { type FileSystem, hasCode, type OpenFile, readFully } from '../file-system.js';
import { fileIdOf, headWithId } from '../format/member-header.js';

/** A file that a writer has created, and is the only one to append to. */
export interface Partition {
  readonly path: string;
  /** Closed while others are written to; it is opened again for the next append. */
  file: OpenFile | undefined;
  readonly identity: string;
  readonly id: string;
  readonly methodHash: string;
  readonly day: string;
  bytes: number;
  members: number;
  lastAppend: number;
  /** Appends under way: while there are any, it stays open. */
  appends: number;
}

const maxOpen = 256;
/** Files that are remembered, open or not, at about 500 bytes each; the others are left for good. */
const maxPartitions = 50_000;

export class OwnPartitions {
  readonly #files: FileSystem;
  /** By the md5 of their method. */
  readonly #partitions = new Map<string, Partition>();
  readonly #paths = new Set<string>();
  /** The one that was used last at the end. */
  readonly #open = new Set<Partition>();

  constructor(files: FileSystem) {
    this.#files = files;
  }

  get paths(): string[] {
    return [...this.#paths];
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  of(methodHash: string): Partition | undefined {
    return this.#partitions.get(methodHash);
  }

  async add(partition: Partition): Promise<void> {
    this.#partitions.set(partition.methodHash, partition);
    this.#paths.add(partition.path);
    this.#open.add(partition);
    await this.#closeSome(partition);
  }

  /** The partition's file; `undefined` when another one, or nothing, lies at its path now. */
  async open(partition: Partition): Promise<OpenFile | undefined> {
    this.#open.delete(partition);
    this.#open.add(partition);
    if (partition.file !== undefined) return partition.file;
    try {
      partition.file = await this.#files.openToAppend(partition.path);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ELOOP', 'EINVAL')) return undefined;
      throw error;
    }
    await this.#closeSome(partition);
    const { identity, size } = await partition.file.status();
    if (identity !== partition.identity || size !== partition.bytes) return undefined;
    // While it was closed, its name and its inode may have gone to another file: the id tells.
    const head = await readFully(partition.file, Math.min(headWithId, size), 0);
    return fileIdOf(head) === partition.id ? partition.file : undefined;
  }

  /** Closes a partition, which is never appended to again. */
  async leave(partition: Partition): Promise<void> {
    this.#forget(partition);
    await this.#close(partition);
  }

  async leaveAll(): Promise<void> {
    const open = [...this.#open];
    this.#partitions.clear();
    this.#paths.clear();
    this.#open.clear();
    await Promise.all(open.map((partition) => this.#close(partition)));
  }

  async #closeSome(stored: Partition): Promise<void> {
    const closing: Partition[] = [];
    for (const partition of this.#open) {
      if (this.#open.size - closing.length <= maxOpen) break;
      if (partition !== stored && partition.appends === 0) closing.push(partition);
    }
    for (const partition of this.#partitions.values()) {
      if (this.#partitions.size <= maxPartitions) break;
      if (partition === stored || partition.appends > 0) continue;
      this.#forget(partition);
      closing.push(partition);
    }
    await Promise.all(closing.map((partition) => this.#close(partition)));
  }

  #forget(partition: Partition): void {
    if (this.#partitions.get(partition.methodHash) === partition)
      this.#partitions.delete(partition.methodHash);
    this.#paths.delete(partition.path);
  }

  async #close(partition: Partition): Promise<void> {
    const { file } = partition;
    this.#open.delete(partition);
    partition.file = undefined;
    await file?.close();
  }
}
