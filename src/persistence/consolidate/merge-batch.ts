/**
 * Merges groups of partitions: fences each source by giving it another name, reads them, writes the newest of every key
 * to one new partition, and only then removes the sources. A crash anywhere leaves duplicates at worst, and no step
 * relies on nobody else doing the same. Groups that don't concern each other take each step together, since syncing a
 * folder, listing it and looking through the index cost the same for many as for one.
 */

import { basename, join } from 'node:path';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { type FileSystem, hasCode, unlinkIfThere } from '../file-system.js';
import { monthFolder, parsePartitionFileName, temporaryFileName } from '../format/partition-name.js';
import type { PartitionFile } from '../index/partition-file.js';
import type { PartitionIndex } from '../index/partition-index.js';
import type { FolderLoader } from '../read/folder-loader.js';
import type { PartitionFiles } from '../write/partition-files.js';
import { noWriter } from './closed-partitions.js';
import { makeGroupRules } from './group-rules.js';
import { type Merged, mergePartitions } from './merge-partitions.js';
import type { PlannedGroup } from './plan.js';

/** What a batch needs of the folder's store. */
export interface MergeBatchHost {
  readonly options: ResolvedDiskOptions;
  readonly files: FileSystem;
  readonly maker: PartitionFiles;
  readonly loader: FolderLoader;
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  /** Whether this process appends to the file. */
  readonly owns: (path: string) => boolean;
  /** Keeps loads, flushes and repairs out while the task runs. */
  readonly inTurn: <T>(task: () => Promise<T>) => Promise<T>;
  /** Lets go of a file that was read under this path. */
  readonly release: (path: string) => Promise<void>;
  /** Partitions that were made by merging: nobody appends to them. */
  readonly products: Set<string>;
  /** How many values products held when they were made, by id. */
  readonly settled: Map<string, number>;
  /** Hears of what went wrong without any harm to a group. */
  readonly onFailure: (error: unknown) => void;
  /** Hears why so many groups stay as they are. */
  readonly onGroupsFailed: (error: unknown, groups: number) => void;
}

/** Merges groups that don't concern each other; those that fail stay as they are. Returns what was made. */
export async function mergeBatch(
  groups: readonly PlannedGroup[],
  dropShare: number,
  host: MergeBatchHost,
): Promise<Merged[]> {
  const temporary = new Set<string>();
  let merges = groups.map((group) => new GroupMerge(group, host));
  const fail = (failed: readonly GroupMerge[], error: unknown) => {
    merges = merges.filter((merge) => !failed.includes(merge));
    if (failed.length > 0) host.onGroupsFailed(error, failed.length);
  };
  const each = (step: (merge: GroupMerge) => Promise<void>) =>
    Promise.all(merges.map((merge) => step(merge).catch((error: unknown) => fail([merge], error))));
  const eachFolder = async (step: (folder: string) => Promise<void>) => {
    for (const folder of new Set(merges.map((merge) => merge.folder))) {
      const inIt = () => merges.filter((merge) => merge.folder === folder);
      await step(folder).catch((error: unknown) => fail(inIt(), error));
    }
  };
  const { maker, files, inTurn, index } = host;
  const all = merges;
  try {
    await inTurn(async () => {
      await eachFolder(async (folder) => void (await maker.makeFolder(basename(folder))));
      await each((merge) => merge.link());
      await eachFolder((folder) => maker.syncNames(folder));
      await each((merge) => merge.leaveOldNames());
      // Names of a group that goes no further would make more of them each time.
      await Promise.all(all.map((merge) => merge.removeLinks().catch(host.onFailure)));
    });
    merges = merges.filter((merge) => merge.hasSources);
    for (const merge of merges) temporary.add(basename(merge.temporary));
    await each((merge) => merge.run(dropShare, temporary));
    await inTurn(async () => {
      await each((merge) => merge.publish());
      merges = merges.filter((merge) => merge.isUnchanged);
      // Those without a product have nothing to be synced, which does no harm.
      await eachFolder((folder) => files.syncFolder(folder));
      await each((merge) => merge.takeIn());
      await each((merge) => merge.leaveSources());
      // What still has its place in a source was dropped on purpose.
      await index().forgetGone();
      await each((merge) => merge.removeSources());
      await eachFolder((folder) => files.syncFolder(folder));
    });
  } catch (error) {
    fail(merges, error);
  } finally {
    await Promise.all(all.map((merge) => merge.discard().catch(host.onFailure)));
  }
  return merges.flatMap(({ merged }) => merged ?? []);
}

/** One group on its way. */
class GroupMerge {
  readonly folder: string;
  readonly temporary: string;
  merged: Merged | undefined;
  /** Whether the sources are still what was read. */
  isUnchanged = false;
  readonly #group: PlannedGroup;
  readonly #host: MergeBatchHost;
  /** New names whose file still has its old one. */
  #links: { readonly old: string; readonly name: string }[] = [];
  readonly #sources: string[] = [];
  #product: string | undefined;
  #nextNumber: number;

  constructor(group: PlannedGroup, host: MergeBatchHost) {
    this.#group = group;
    this.#host = host;
    this.folder = join(host.options.persistDir, monthFolder(group.day));
    this.temporary = join(this.folder, temporaryFileName());
    this.#nextNumber = 1 + group.files.reduce((last, { name }) => Math.max(last, name.partition), 0);
  }

  get hasSources(): boolean {
    return this.#sources.length > 0;
  }

  /** Gives every source another name besides the one it has. */
  async link(): Promise<void> {
    for (const { path } of this.#group.files) {
      if (this.#host.owns(path)) continue;
      try {
        this.#links.push({ old: path, name: await this.#linkToFreeName(path) });
      } catch (error) {
        // Somebody else was faster.
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
  }

  /** Takes the old names away, so that a writer that still appends to a source notices. */
  async leaveOldNames(): Promise<void> {
    const { files, index } = this.#host;
    for (let link = this.#links.shift(); link !== undefined; link = this.#links.shift()) {
      const { old, name } = link;
      // From here on lookups find it under its new name.
      for (const file of this.#filesAt(old)) index().fileTable.move(file, name);
      // Where somebody else was faster, the name of ours leads to the same file and is merged all the same.
      this.#sources.push(name);
      await unlinkIfThere(files, old);
    }
  }

  /** Takes new names away again: there is an old one, or that of somebody else who was faster. */
  async removeLinks(): Promise<void> {
    for (const { name } of this.#links) await unlinkIfThere(this.#host.files, name);
    this.#links = [];
  }

  /** Writes the temporary file. */
  async run(dropShare: number, unrelated: ReadonlySet<string>): Promise<void> {
    const { options } = this.#host;
    this.merged = await mergePartitions({
      ...this.#host,
      path: this.temporary,
      sources: this.#sources,
      rules: (paths) =>
        makeGroupRules({
          ...this.#host,
          group: this.#group,
          folder: this.folder,
          sources: new Set(paths),
          unrelated,
          dropShare,
        }),
      // It is finished when it gets its name, so nobody has to be waited for who might append to it.
      writer: noWriter,
      fileMode: options.fileMode,
      maxMemberBytes: options.maxMemberBytes,
      compressionLevel: options.compressionLevel,
    });
  }

  /** Gives the temporary file its name, if nobody has touched the sources meanwhile. */
  async publish(): Promise<void> {
    this.isUnchanged = await this.#areUnchanged(this.merged!);
    if (this.isUnchanged && this.merged!.path !== undefined)
      this.#product = await this.#linkToFreeName(this.merged!.path);
  }

  /** Reads what takes the place of the sources: they stay until it has been read. */
  async takeIn(): Promise<void> {
    if (this.#product === undefined) return;
    const { loader, index, products, settled } = this.#host;
    const { errors } = await loader.loadFiles(index(), [this.#product]);
    if (errors[0] !== undefined) throw errors[0];
    products.add(this.#product);
    for (const { id } of this.#filesAt(this.#product)) settled.set(id, this.merged!.writtenValues);
  }

  async leaveSources(): Promise<void> {
    for (const path of this.merged!.sources) {
      for (const file of this.#filesAt(path)) file.isGone = true;
      await this.#host.release(path);
    }
  }

  async removeSources(): Promise<void> {
    for (const path of this.merged!.sources) await unlinkIfThere(this.#host.files, path);
  }

  /** Removes the temporary name. */
  async discard(): Promise<void> {
    if (this.merged?.path !== undefined) await unlinkIfThere(this.#host.files, this.merged.path);
  }

  async #linkToFreeName(path: string): Promise<string> {
    const name = await this.#host.maker.link(path, this.#group, this.#nextNumber);
    this.#nextNumber = 1 + (parsePartitionFileName(basename(name))?.partition ?? 0);
    return name;
  }

  /**
   * Whether nobody has taken the sources meanwhile: then what was read of them may be outdated. Nor appended to them: who
   * did may die before it notices that it has to append elsewhere, and what is in the index of it would count as newer.
   */
  async #areUnchanged({ sources, sizes }: Merged): Promise<boolean> {
    for (const [number, path] of sources.entries()) {
      try {
        const { size } = await this.#host.files.status(path);
        if (size !== sizes[number]) return false;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
    }
    return true;
  }

  #filesAt(path: string): PartitionFile[] {
    return this.#host
      .index()
      .fileTable.at(path)
      .filter((file) => !file.isReadOnly);
  }
}
