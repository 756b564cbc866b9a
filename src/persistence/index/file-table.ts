/** The partition files of an index, by number and by what they call themselves. */

import type { PartitionFile } from './partition-file.js';

/** What was taken in of a file. */
export interface FileExtent {
  entries: number;
  /** The oldest stamp time among them; 0 for a plain file, of which it is not known. */
  oldest: number;
}

export class FileTable {
  readonly list: PartitionFile[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #extents = new Map<PartitionFile, FileExtent>();
  readonly #byPath = new Map<string, PartitionFile[]>();
  readonly #byMethod = new Map<string, PartitionFile[]>();
  readonly #plain: PartitionFile[] = [];

  /** The file of this id: the folder's own, or the given one at a path, which may be a copy of it. */
  find(id: string, readOnlyPath?: string): PartitionFile | undefined {
    const number = this.#numbers.get(nameOf(id, readOnlyPath));
    return number === undefined ? undefined : this.list[number];
  }

  add(file: PartitionFile): PartitionFile {
    this.#numbers.set(nameOf(file.id, readOnlyPathOf(file)), this.list.length);
    this.list.push(file);
    addTo(this.#byPath, file.path, file);
    if (file.isPlain || file.methodHash === undefined) this.#plain.push(file);
    else addTo(this.#byMethod, file.methodHash, file);
    return file;
  }

  /** The files that were last seen at a path: some of them may have gone. */
  at(path: string): readonly PartitionFile[] {
    return this.#byPath.get(path) ?? [];
  }

  /** The files that may hold entries of a method. */
  *concerning(methodHash: string): IterableIterator<PartitionFile> {
    yield* this.#byMethod.get(methodHash) ?? [];
    yield* this.#plain;
  }

  move(file: PartitionFile, path: string): void {
    if (file.path === path) return;
    const others = this.at(file.path).filter((other) => other !== file);
    if (others.length === 0) this.#byPath.delete(file.path);
    else this.#byPath.set(file.path, others);
    file.path = path;
    addTo(this.#byPath, path, file);
  }

  extentOf(file: PartitionFile): FileExtent {
    let extent = this.#extents.get(file);
    if (extent === undefined) {
      extent = { entries: 0, oldest: file.isPlain ? 0 : Number.POSITIVE_INFINITY };
      this.#extents.set(file, extent);
    }
    return extent;
  }

  numberOf(file: PartitionFile): number {
    return this.#numbers.get(nameOf(file.id, readOnlyPathOf(file)))!;
  }
}

/** Whether what a file holds is to be read from there, even where a later one holds the same. */
export function isPreferred(file: PartitionFile, later: PartitionFile): boolean {
  return !file.isReadOnly && !file.isGone && later.isReadOnly;
}

function addTo(map: Map<string, PartitionFile[]>, id: string, file: PartitionFile): void {
  const files = map.get(id);
  if (files === undefined) map.set(id, [file]);
  else files.push(file);
}

function readOnlyPathOf({ isReadOnly, path }: PartitionFile): string | undefined {
  return isReadOnly ? path : undefined;
}

function nameOf(id: string, readOnlyPath: string | undefined): string {
  return readOnlyPath === undefined ? id : `${id} ${readOnlyPath}`;
}
