/** Listings of folders, shared by those who ask at the same time: a folder of many methods has thousands of files. */

import type { FileSystem, FolderEntry } from '../file-system.js';
import { isTemporaryFileName, type PartitionName, parsePartitionFileName } from '../format/partition-name.js';

/** The names in a folder at some moment. */
export class FolderNames {
  /** Names of files that a writer has not finished, or has left behind. */
  readonly temporary: readonly string[];
  readonly #byMethod = new Map<string, { readonly fileName: string; readonly name: PartitionName }[]>();

  constructor(entries: readonly FolderEntry[]) {
    this.temporary = entries.flatMap(({ name }) => (isTemporaryFileName(name) ? [name] : []));
    for (const { name: fileName } of entries) {
      const name = parsePartitionFileName(fileName);
      if (name === undefined) continue;
      const known = this.#byMethod.get(name.methodHash);
      if (known === undefined) this.#byMethod.set(name.methodHash, [{ fileName, name }]);
      else known.push({ fileName, name });
    }
  }

  /** The partitions of a method, or of all. */
  partitions(methodHash?: string): readonly { readonly fileName: string; readonly name: PartitionName }[] {
    if (methodHash === undefined) return [...this.#byMethod.values()].flat();
    return this.#byMethod.get(methodHash) ?? [];
  }
}

export class FolderListings {
  readonly #files: Pick<FileSystem, 'list'>;
  readonly #running = new Map<string, Promise<FolderNames>>();
  readonly #next = new Map<string, Promise<FolderNames>>();

  constructor(files: Pick<FileSystem, 'list'>) {
    this.#files = files;
  }

  /** The names in a folder; the listing begins after this was called, so it knows of all that was done before. */
  list(folder: string): Promise<FolderNames> {
    const running = this.#running.get(folder);
    if (running === undefined) return this.#start(folder);
    const next = this.#next.get(folder) ?? this.#after(running, folder);
    this.#next.set(folder, next);
    return next;
  }

  #start(folder: string): Promise<FolderNames> {
    // Everybody who asks in this turn gets the same.
    const listing = Promise.resolve()
      .then(() => this.#files.list(folder))
      .then((entries) => new FolderNames(entries));
    this.#running.set(folder, listing);
    const end = () => {
      if (this.#running.get(folder) === listing) this.#running.delete(folder);
    };
    listing.then(end, end);
    return listing;
  }

  async #after(running: Promise<FolderNames>, folder: string): Promise<FolderNames> {
    await running.catch(() => undefined);
    this.#next.delete(folder);
    return this.#running.get(folder) ?? this.#start(folder);
  }
}
