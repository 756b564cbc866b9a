/** Texts that processes leave for each other in a folder. A reader meets each whole: it gets its name once it is written. */

import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isError } from '../errors.js';
import type { ProcessNotes } from '../tier.js';

/** Processes whose texts are kept: more are a program that begins anew again and again. */
const mostProcesses = 1_000;
/** More is none of ours. */
const longestText = 2 ** 22;
/** What is half written for so long, nobody writes any more. */
const longestWrite = 600_000;

const notePattern = /^[0-9a-f]{16}\.json$/;

/** How the folder and its files are made. */
export interface FolderNotesInit {
  readonly folder: string;
  readonly fileMode: number;
  readonly dirMode: number;
}

/** The name below a cache folder. */
export const notesFolder = '.figures';

export class FolderNotes implements ProcessNotes {
  readonly #init: FolderNotesInit;
  #isMade = false;

  constructor(init: FolderNotesInit) {
    this.#init = init;
  }

  async leave(writer: string, text: string, keepMs: number): Promise<void> {
    const { folder, fileMode } = this.#init;
    if (!this.#isMade) await this.#make(keepMs);
    this.#isMade = true;
    const half = join(folder, `${writer}.half`);
    try {
      await writeNew(half, text, fileMode);
      await rename(half, join(folder, `${writer}.json`));
    } catch (error) {
      // Somebody may have removed the folder; and the next attempt begins anew.
      this.#isMade = false;
      await unlink(half).catch(() => undefined);
      throw error;
    }
  }

  async read(): Promise<readonly string[]> {
    const texts: string[] = [];
    for (const { name } of (await this.#list()).slice(-mostProcesses)) {
      const text = await this.#textOf(name);
      if (text !== undefined) texts.push(text);
    }
    return texts;
  }

  /** Makes the folder, and removes what has been there for too long, or is of too many. */
  async #make(keepMs: number): Promise<void> {
    const { folder, dirMode } = this.#init;
    await mkdir(folder, { recursive: true, mode: dirMode });
    const notes = await this.#list();
    const now = Date.now();
    const isOver = (at: number, index: number) => now - at > keepMs || index <= notes.length - mostProcesses;
    const old = notes.filter(({ at }, index) => isOver(at, index)).map(({ name }) => name);
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.half')) continue;
      // Another process may have removed it meanwhile.
      const half = await lstat(join(folder, name)).catch(() => undefined);
      if (half !== undefined && now - half.mtimeMs > longestWrite) old.push(name);
    }
    for (const name of old) await unlink(join(folder, name)).catch(ignoreGone);
  }

  /** The files that are there, those written last at the end. */
  async #list(): Promise<{ name: string; at: number }[]> {
    const { folder } = this.#init;
    const found: { name: string; at: number }[] = [];
    try {
      // A symlink would lead out of the cache folder.
      if (!(await lstat(folder)).isDirectory())
        throw Object.assign(new Error(`Expected a folder at ${folder}`), { code: 'ENOTDIR' });
      for (const name of await readdir(folder)) {
        if (!notePattern.test(name)) continue;
        const status = await lstat(join(folder, name)).catch(ignoreGone);
        if (status?.isFile() === true) found.push({ name, at: status.mtimeMs });
      }
    } catch (error) {
      ignoreGone(error);
    }
    return found.sort((a, b) => a.at - b.at);
  }

  async #textOf(name: string): Promise<string | undefined> {
    const path = join(this.#init.folder, name);
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        return (await file.stat()).size > longestText ? undefined : await file.readFile('utf8');
      } finally {
        await file.close();
      }
    } catch (error) {
      ignoreGone(error);
      return undefined;
    }
  }
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, mode);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

function ignoreGone(error: unknown): undefined {
  if (!isError(error) || !('code' in error) || error.code !== 'ENOENT') throw error;
  return undefined;
}
