/** Files that stay open for a while to be read, those used last. */

import { dirname } from 'node:path';
import { CacheClosedError } from '../../errors.js';
import type { FileSystem, OpenFile } from '../file-system.js';

const maxOpenFiles = 16;

/** What open files are kept with. */
export interface OpenFilesInit {
  readonly files: FileSystem;
  /** Whether a folder lies on a network file system. */
  readonly isOnNetwork: (files: FileSystem, folder: string) => Promise<boolean>;
  /** Hears of files that could not be closed. */
  readonly onError: (error: unknown) => void;
}

interface Opened {
  readonly opening: Promise<OpenFile>;
  /** The file once it is open, if it may be read at once. */
  near: OpenFile | undefined;
}

export class OpenFiles {
  readonly #init: OpenFilesInit;
  readonly #opened = new Map<string, Opened>();
  /** By folder, whether its files may be read at once. */
  readonly #isNear = new Map<string, Promise<boolean>>();
  #isClosed = false;

  constructor(init: OpenFilesInit) {
    this.#init = init;
  }

  /** The file of this path, opened if it is not. */
  open(path: string): Promise<OpenFile> {
    const known = this.#used(path);
    if (known !== undefined) return known.opening;
    if (this.#isClosed) return Promise.reject(new CacheClosedError('The disk tier is closed'));
    const opening = this.#init.files.openToRead(path);
    const opened: Opened = { opening, near: undefined };
    this.#opened.set(path, opened);
    opening.then(
      async (file) => {
        if (file.readSync !== undefined && (await this.#isInNearFolder(path))) opened.near = file;
      },
      () => {
        if (this.#opened.get(path) === opened) this.#opened.delete(path);
      },
    );
    if (this.#opened.size > maxOpenFiles) {
      const oldest = this.#opened.keys().next().value;
      // A file that is being read closes when that reading has ended.
      if (oldest !== undefined) void this.release(oldest);
    }
    return opening;
  }

  /** The same if it is open and may be read at once: where it lies on a network, a reading may take for ever. */
  near(path: string): OpenFile | undefined {
    return this.#used(path)?.near;
  }

  /** Closes the file that was opened under this path, so that the next reading opens it anew. */
  async release(path: string): Promise<void> {
    const opened = this.#opened.get(path);
    this.#opened.delete(path);
    await this.#close(opened);
  }

  /** Closes all, and opens nothing from now on: nobody would close it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.all(opened.map((each) => this.#close(each)));
  }

  #used(path: string): Opened | undefined {
    const opened = this.#opened.get(path);
    if (opened === undefined) return undefined;
    this.#opened.delete(path);
    this.#opened.set(path, opened);
    return opened;
  }

  #isInNearFolder(path: string): Promise<boolean> {
    const folder = dirname(path);
    let isNear = this.#isNear.get(folder);
    if (isNear === undefined) {
      isNear = this.#init.isOnNetwork(this.#init.files, folder).then(
        (isOnNetwork) => !isOnNetwork,
        // Whatever is wrong with the folder, reading without blocking will tell.
        () => false,
      );
      this.#isNear.set(folder, isNear);
    }
    return isNear;
  }

  async #close(opened: Opened | undefined): Promise<void> {
    if (opened === undefined) return;
    opened.near = undefined;
    // That it could not be opened was told to whoever wanted to read it.
    const file = await opened.opening.catch(() => undefined);
    await file?.close().catch(this.#init.onError);
  }
}
