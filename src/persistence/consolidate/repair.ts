/** Sees to what a load has found in the cache folder: damaged files are salvaged, leftovers removed. */

import type { Clock } from '../../clock.js';
import type { PartitionDamagedError } from '../disk-errors.js';
import { TooLargeError } from '../disk-errors.js';
import type { ResolvedDiskOptions } from '../disk-options.js';
import { type FileSystem, hasCode } from '../file-system.js';
import type { DamagedFile, LoadReport } from '../read/folder-loader.js';
import type { PartitionFiles } from '../write/partition-files.js';
import { type SalvageReport, salvagePartition } from './salvage.js';

/** What a repair works with. */
export interface FolderRepairInit {
  readonly options: Pick<ResolvedDiskOptions, 'closeAfter' | 'maxMemberBytes' | 'fileMode'>;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly maker: PartitionFiles;
  /** Whether this process appends to the file. */
  readonly owns: (path: string) => boolean;
  /** Closes the file where it is open to be read. */
  readonly release: (path: string) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** What repairs came to. */
export interface RepairCounters {
  readonly salvagedMembers: number;
  readonly quarantinedFiles: number;
}

/** A file under a temporary name is written in minutes; one that is older, also by a clock an hour off, was left. */
const temporaryLife = 5_400_000;

export class FolderRepair {
  readonly #init: FolderRepairInit;
  /** Files of the folder in which reading has found damage. */
  readonly #damaged = new Map<string, PartitionDamagedError>();
  /** Files with members that are too large for this process, by their identity: they wait for another to salvage them. */
  readonly #tooLarge = new Set<string>();
  readonly #counts = { salvagedMembers: 0, quarantinedFiles: 0 };

  constructor(init: FolderRepairInit) {
    this.#init = init;
  }

  get counters(): RepairCounters {
    return { ...this.#counts };
  }

  /** Takes note of damage that showed only in reading: the next repair sees to it. */
  noteDamage(damage: PartitionDamagedError): void {
    this.#damaged.set(damage.file, damage);
  }

  /** Sees to damaged files and leftovers; tells whether any file has moved. */
  async repair(report: LoadReport): Promise<boolean> {
    const { clock, options, owns } = this.#init;
    let hasMoved = false;
    const found = [...this.#damaged].map(([path, damage]) => ({ path, damage: [damage], modifiedAt: 0 }));
    this.#damaged.clear();
    for (const file of [...report.damaged, ...found]) {
      if (owns(file.path)) continue;
      const isQuiet = clock.now() - file.modifiedAt > options.closeAfter;
      if (file.damage.length === 0 && !isQuiet) continue;
      hasMoved = (await this.#attempt(() => this.#salvage(file))) || hasMoved;
    }
    for (const path of report.temporary) await this.#attempt(() => this.#removeLeftover(path));
    return hasMoved;
  }

  async #salvage(file: DamagedFile): Promise<boolean> {
    const { options, files, clock, maker, release } = this.#init;
    const identity = await this.#identityOf(file.path);
    if (identity === undefined || this.#tooLarge.has(identity)) return false;
    await release(file.path);
    let report: SalvageReport | undefined;
    try {
      report = await salvagePartition(file.path, file.damage.length > 0, {
        files,
        maker,
        maxMemberBytes: options.maxMemberBytes,
        fileMode: options.fileMode,
        now: () => clock.now(),
      });
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      this.#tooLarge.add(identity);
      this.#init.onError(error.in(file.path));
    }
    this.#counts.salvagedMembers += report?.members ?? 0;
    if (report?.quarantined !== undefined) this.#counts.quarantinedFiles += 1;
    return true;
  }

  /** What tells a file from others, whatever its name; `undefined` when it has gone. */
  async #identityOf(path: string): Promise<string | undefined> {
    try {
      return (await this.#init.files.status(path)).identity;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async #removeLeftover(path: string): Promise<void> {
    const { files, clock } = this.#init;
    try {
      const { modifiedAt } = await files.status(path);
      if (clock.now() - modifiedAt > temporaryLife) await files.unlink(path);
    } catch (error) {
      // It has got its name meanwhile, or somebody else has removed it.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  async #attempt<T>(repair: () => Promise<T>): Promise<T | undefined> {
    try {
      return await repair();
    } catch (error) {
      this.#init.onError(error);
      return undefined;
    }
  }
}
