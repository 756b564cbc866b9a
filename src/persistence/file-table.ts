/** The partition files of an index, by number and by what they call themselves. */

import type { PartitionFile } from './partition-file.js';

export class FileTable {
  readonly list: PartitionFile[] = [];
  readonly #numbers = new Map<string, number>();

  /** The file of this id: the folder's own, or the given one at a path, which may be a copy of it. */
  find(id: string, givenPath?: string): PartitionFile | undefined {
    const number = this.#numbers.get(nameOf(id, givenPath));
    return number === undefined ? undefined : this.list[number];
  }

  add(file: PartitionFile): PartitionFile {
    this.#numbers.set(nameOf(file.id, givenPathOf(file)), this.list.length);
    this.list.push(file);
    return file;
  }

  numberOf(file: PartitionFile): number {
    return this.#numbers.get(nameOf(file.id, givenPathOf(file)))!;
  }
}

/** Whether what a file holds is to be read from there, even where a later one holds the same. */
export function isPreferred(file: PartitionFile, later: PartitionFile): boolean {
  return !file.isGiven && !file.isGone && later.isGiven;
}

function givenPathOf({ isGiven, path }: PartitionFile): string | undefined {
  return isGiven ? path : undefined;
}

function nameOf(id: string, givenPath: string | undefined): string {
  return givenPath === undefined ? id : `${id} ${givenPath}`;
}
