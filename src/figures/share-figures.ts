/** Leaving what this process counts where others find it, and summing up what all have left. */

import { join } from 'node:path';
import type { Timer } from '../clock.js';
import { type Duration, positiveDuration } from '../duration.js';
import { CacheError, InvalidOptionError } from '../errors.js';
import type { CacheManager } from '../index.js';
import { type CacheCore, coreOf } from '../manager/cache-context.js';
import { printed } from '../manager/statistics.js';
import { nodeCrypto } from '../node-crypto.js';
import { expected, filePath, objectOf, refuseUnknown, text } from '../option-checks.js';
import type { ProcessNotes } from '../tier.js';
import { FolderNotes, notesFolder } from './folder-notes.js';
import { type FigureSum, figuresOf, type ProcessFigures, textOf } from './process-figures.js';
import { readSum, reportOf } from './sum-report.js';

/** How a process shares its figures. */
export interface ShareFiguresOptions {
  /** What this process is called in reports. @default 'process' */
  readonly name?: string | undefined;
  /** How often the figures are left. @default '10s' */
  readonly interval?: Duration | undefined;
  /** How long they count after they were left last, so also those of a process that has died. @default '7d' */
  readonly keepFor?: Duration | undefined;
  /**
   * The folder that the processes share for it.
   * @default Redis where the cache has it as `remote`, else `.figures` in `persistDir`
   */
  readonly folder?: string | undefined;
}

/** Figures that are shared. */
export interface SharedFigures {
  /** What all processes have counted together, this one up to now. Rejects where the place can't be read. */
  sum(): Promise<FigureSum>;
  /** Prints the sum as `cache.report()` does, and resolves to it as plain text. */
  report(): Promise<string>;
  /** Leaves the figures for the last time. So does closing the cache. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Leaves the figures of this process every `interval` where those who share the cache's folder or Redis find them, so that
 * `sum()`, and `toolstash report <dir>`, tell of all together. In the background: no call waits for it, and a failure is an
 * `error` event. Figures are one small file, or Redis key, for each process, of the latest 1,000.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const figures = shareFigures(cache, { name: 'worker' });
 * const { stats } = await figures.sum();
 */
export function shareFigures(cache: CacheManager, options: ShareFiguresOptions = {}): SharedFigures {
  const core = typeof cache === 'object' && cache !== null ? coreOf(cache) : undefined;
  if (core === undefined) throw expected('cache', 'a `CacheManager` of this build of the package', cache);
  refuseUnknown(objectOf(options, 'options'), ['name', 'interval', 'keepFor', 'folder'], {
    of: 'shareFigures',
  });
  const { name = 'process', interval = '10s', keepFor = '7d', folder } = options;
  const sharing = new Sharing(core, notesOf(core, folder), {
    name: text(name, 'name').slice(0, 200),
    intervalMs: positiveDuration(interval, 'interval'),
    keepMs: positiveDuration(keepFor, 'keepFor'),
  });
  return {
    sum: () => sharing.sum(),
    report: async () => printed(reportOf(await sharing.sum())),
    stop: () => sharing.stop(),
  };
}

/** Where they are left. @throws InvalidOptionError */
function notesOf({ options, tiers }: CacheCore, folder: string | undefined): ProcessNotes {
  const { fileMode = 0o600, dirMode = 0o700, persistDir } = options.disk ?? {};
  if (folder !== undefined) return new FolderNotes({ folder: filePath(folder, 'folder'), fileMode, dirMode });
  if (tiers.remote?.notes !== undefined) return tiers.remote.notes;
  if (options.persist && persistDir !== undefined)
    return new FolderNotes({ folder: join(persistDir, notesFolder), fileMode, dirMode });
  throw new InvalidOptionError(
    'Expected a cache with `persistDir` or Redis as `remote`, got one of this process alone: give `folder`',
  );
}

interface SharingFacts {
  readonly name: string;
  readonly intervalMs: number;
  readonly keepMs: number;
}

/** Who leaves a cache's figures: the same however often they are shared, or they would be summed up twice. */
interface Writer {
  readonly name: string;
  /** Until it has left what it was told to. */
  leaving: Promise<void>;
}

const writers = new WeakMap<CacheCore, Writer>();

class Sharing {
  readonly #core: CacheCore;
  readonly #notes: ProcessNotes;
  readonly #facts: SharingFacts;
  readonly #writer: Writer;
  readonly #startedAt = Date.now();
  #timer: Timer | undefined;
  #stopped: Promise<void> | undefined;
  /** Whether the last attempt failed: of several in a row one is told. */
  #isFailing = false;

  constructor(core: CacheCore, notes: ProcessNotes, facts: SharingFacts) {
    this.#core = core;
    this.#notes = notes;
    this.#facts = facts;
    const name = nodeCrypto().randomBytes(8).toString('hex');
    this.#writer = writers.get(core) ?? { name, leaving: Promise.resolve() };
    writers.set(core, this.#writer);
    core.onClose.add(this.#close);
    this.#schedule(0);
  }

  sum(): Promise<FigureSum> {
    return readSum(this.#notes, this.#figures());
  }

  stop(): Promise<void> {
    this.#core.onClose.delete(this.#close);
    this.#timer?.cancel();
    this.#stopped ??= this.#leave(true);
    return this.#stopped;
  }

  readonly #close = () => this.stop();

  #schedule(delayMs: number): void {
    this.#timer = this.#core.options.clock.schedule(() => {
      void this.#leave().then(() => {
        if (this.#stopped === undefined) this.#schedule(this.#facts.intervalMs);
      });
    }, delayMs);
  }

  /** Never rejects. One after the other: an earlier text never comes after a later one. */
  #leave(isOver = false): Promise<void> {
    this.#writer.leaving = this.#writer.leaving.then(async () => {
      try {
        const { keepMs } = this.#facts;
        await this.#notes.leave(this.#writer.name, textOf(this.#figures(isOver)), keepMs);
        this.#isFailing = false;
      } catch (cause) {
        if (!this.#isFailing)
          this.#core.failed(
            new CacheError('ERR_STORAGE', 'Leaving figures for other processes failed', { cause }),
          );
        this.#isFailing = true;
      }
    });
    return this.#writer.leaving;
  }

  #figures(isOver = this.#stopped !== undefined): ProcessFigures {
    const { name, intervalMs, keepMs } = this.#facts;
    return figuresOf(this.#core, {
      ...{ name, intervalMs, isOver, writer: this.#writer.name, startedAt: this.#startedAt },
      until: Date.now() + keepMs,
    });
  }
}
