/** A file system whose every call waits for the test: before it has its effect, or before its result is known. */

import type { FileSystem, OpenFile } from '../../../src/persistence/file-system.js';

/** What a call waits for, given what it is. */
export type Step = (call: string) => Promise<void>;

/** A process's view of a file system, which ends with the process. */
export class SteppedFiles implements FileSystem {
  readonly #inner: FileSystem;
  readonly #step: Step;
  /** Whether the next call waits before its effect, or after it. */
  readonly #waitsFirst: () => boolean;
  #isKilled = false;
  calls = 0;

  constructor(inner: FileSystem, step: Step, waitsFirst: () => boolean) {
    this.#inner = inner;
    this.#step = step;
    this.#waitsFirst = waitsFirst;
  }

  /** The process is killed: none of its calls has an effect or comes back any more. */
  kill(): void {
    this.#isKilled = true;
  }

  openToRead = (path: string) => this.#open('open', () => this.#inner.openToRead(path));
  openToAppend = (path: string) => this.#open('open', () => this.#inner.openToAppend(path));
  create = (path: string, mode: number) => this.#open('create', () => this.#inner.create(path, mode));
  list = (path: string) => this.#call('list', () => this.#inner.list(path));
  status = (path: string) => this.#call('status', () => this.#inner.status(path));
  makeFolder = (path: string, options: { mode: number; recursive: boolean }) =>
    this.#call('makeFolder', () => this.#inner.makeFolder(path, options));
  link = (path: string, newPath: string) => this.#call('link', () => this.#inner.link(path, newPath));
  rename = (path: string, newPath: string) => this.#call('rename', () => this.#inner.rename(path, newPath));
  unlink = (path: string) => this.#call('unlink', () => this.#inner.unlink(path));
  syncFolder = (path: string) => this.#call('syncFolder', () => this.#inner.syncFolder(path));

  async #open(name: string, open: () => Promise<OpenFile>): Promise<OpenFile> {
    const file = await this.#call(name, open);
    return {
      read: (length, position) => this.#call('read', () => file.read(length, position)),
      append: (bytes) => this.#call('append', () => file.append(bytes)),
      status: () => this.#call('file status', () => file.status()),
      sync: () => this.#call('sync', () => file.sync()),
      close: () => this.#call('close', () => file.close()),
    };
  }

  async #call<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.#waitsFirst()) {
      await this.#wait(name);
      return run();
    }
    try {
      return await run();
    } finally {
      await this.#wait(`after ${name}`);
    }
  }

  async #wait(call: string): Promise<void> {
    if (!this.#isKilled) await this.#step(call);
    if (this.#isKilled) await new Promise(() => {});
  }
}
