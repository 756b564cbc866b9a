/** What a consolidation finds in the folder: the partitions of ours, who may still append to them, what is garbage. */

import { basename, sep } from 'node:path';
import type { ResolvedDiskOptions } from '../disk-options.js';
import type { FileSystem } from '../file-system.js';
import { parsePartitionFileName } from '../format/partition-name.js';
import type { PartitionFile } from '../index/partition-file.js';
import type { PartitionIndex } from '../index/partition-index.js';
import type { FolderLoader } from '../read/folder-loader.js';
import { findClosed, type PartitionTraces } from './closed-partitions.js';
import { expiryGrace } from './merge-rules.js';
import type { PlannedFile } from './plan.js';

/** What a survey needs of the folder's store. */
export interface ScanHost {
  readonly options: ResolvedDiskOptions;
  readonly files: FileSystem;
  readonly loader: FolderLoader;
  readonly writer: string;
  readonly index: () => PartitionIndex;
  readonly now: () => number;
  /** Whether this process appends to the file. */
  readonly owns: (path: string) => boolean;
  readonly onFailure: (error: unknown) => void;
  /** What earlier consolidations have made: nobody appends to it. */
  readonly products: Set<string>;
  /** Files that hold no less garbage when written again, by id, with the values they held. */
  readonly settled: Map<string, number>;
  /** Files with members that this process can't read, by id: they are merged by those who can. */
  readonly tooLarge: Set<string>;
}

/** What the survey is for. */
export interface ScanRequest {
  /** Whether everything closed is merged, whatever it costs; otherwise only what is worth it. */
  readonly isThorough: boolean;
  /** Files that nobody appends to any more, however young. */
  readonly closed: ReadonlySet<string>;
  /** Whether a writer has left the folder, as far as is known. */
  readonly hasLeft: (writer: string) => Promise<boolean>;
  /** Whether the folder is on a network file system. */
  readonly isOnNetwork: () => Promise<boolean>;
}

export class PartitionScan {
  readonly #host: ScanHost;
  readonly #request: ScanRequest;
  #isOnNetwork: Promise<boolean> | undefined;

  constructor(host: ScanHost, request: ScanRequest) {
    this.#host = host;
    this.#request = request;
  }

  /** Bytes of all partitions. */
  get bytes(): number {
    return this.#found().reduce((sum, { size }) => sum + size, 0);
  }

  /** The partitions as they were listed last. Who has left is asked after that, so that no newcomer counts as gone. */
  async run(): Promise<PlannedFile[]> {
    const index = this.#host.index();
    const byPath = new Map(index.files.map((file, number) => [file.path, number]));
    const live = await index.liveCounts(this.#host.now() - expiryGrace);
    const found = this.#found().map((one) => {
      const number = byPath.get(one.path);
      const file = number === undefined ? undefined : index.files[number]!;
      return { ...one, file, live: number === undefined ? 0 : live[number]! };
    });
    const closed = await this.#closed(found);
    return found.map(({ path, name, size, file, live: values }) => ({
      path,
      name,
      size,
      isClosed: isMergeable(file) && closed.has(path) && !this.#host.owns(path),
      isWasteful: file !== undefined && this.#isWasteful(file, values),
    }));
  }

  async #closed(
    found: readonly (FoundPartition & { file: PartitionFile | undefined })[],
  ): Promise<Set<string>> {
    const { options, now, owns, products, writer } = this.#host;
    const { closed, hasLeft } = this.#request;
    const partitions = found
      .filter(({ path }) => !owns(path))
      .map(({ path, name, modifiedAt, file }): PartitionTraces => {
        const { day } = name;
        return { path, day, modifiedAt, writer: file?.writer, methodHash: file?.methodHash };
      });
    const facts = { options, writer, hasLeft, now: now(), isOnNetwork: await this.#onNetwork() };
    return new Set([...closed, ...products, ...(await findClosed(partitions, facts))]);
  }

  /** Where it can't be told for an error, more care does no harm. */
  #onNetwork(): Promise<boolean> {
    this.#isOnNetwork ??= this.#request.isOnNetwork().catch((error: unknown) => {
      this.#host.onFailure(error);
      return true;
    });
    return this.#isOnNetwork;
  }

  #found(): FoundPartition[] {
    const { options, loader } = this.#host;
    const found: FoundPartition[] = [];
    for (const [path, { size, modifiedAt, kind }] of loader.seen) {
      const name = parsePartitionFileName(basename(path));
      const isOurs = path.startsWith(options.persistDir + sep) && kind === 'file';
      if (name !== undefined && isOurs) found.push({ path, name, size, modifiedAt });
    }
    return found;
  }

  #isWasteful(file: PartitionFile, live: number): boolean {
    const { entries } = this.#host.index().fileTable.extentOf(file);
    const settled = this.#host.settled.get(file.id);
    if (settled !== undefined && live * 2 >= settled) return false;
    return this.#request.isThorough ? live < entries : live * 2 < entries;
  }
}

type FoundPartition = Pick<PlannedFile, 'path' | 'name' | 'size'> & { readonly modifiedAt: number };

function isMergeable(file: PartitionFile | undefined): boolean {
  return file !== undefined && !file.isPlain && !file.isNewer && !file.isReadOnly;
}
