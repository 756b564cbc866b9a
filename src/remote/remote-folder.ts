/**
 * What must outlive a process that keeps entries on disk: how far it has followed the log of changes, and which changes of its
 * own Redis has not got yet. One file of each a process, in `.remote` below the folder; rewritten at once, never in place.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareIds, type Left, type Progress } from './redis-log.js';
import type { NewChange } from './redis-outbox.js';

/** A file that was not rewritten for so long is a dead process's. */
const deadAfterMs = 60_000;
const idPattern = /^\d+-\d+$/;

type Kind = 'cursor' | 'outbox';

/** How far the log of each part was followed, by its tag. */
type Places = Readonly<Record<string, Progress>>;

/** What earlier processes have left behind: for each part the progress of the one that has followed its log the least far. */
export interface LeftBehind extends Left {
  readonly changes: readonly NewChange[];
}

export class RemoteFolder {
  readonly #path: string;
  readonly #writer: string;
  /** Names that others have left, which are removed once what they say was done. */
  #others: string[] = [];
  #isWriting: Promise<void> = Promise.resolve();

  constructor(persistDir: string, writer: string) {
    this.#path = join(persistDir, '.remote');
    this.#writer = writer;
  }

  /** @param of which server and prefix: what was followed elsewhere says nothing here */
  async read(of: string): Promise<LeftBehind> {
    const names = await readdir(this.#path).catch(() => []);
    const all: Places[] = [];
    const changes: NewChange[] = [];
    let isUnclear = false;
    for (const name of names) {
      if (!/^[0-9a-f]{16}\.(?:cursor|outbox)$/.test(name) || name.startsWith(this.#writer)) continue;
      const path = join(this.#path, name);
      try {
        const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
        const said = JSON.parse(text) as { of?: unknown; progress?: Places; changes?: NewChange[] };
        if (said.of === of && arePlaces(said.progress)) all.push(said.progress);
        else if (name.endsWith('.cursor')) isUnclear = true;
        if (said.of === of && Array.isArray(said.changes)) changes.push(...said.changes.filter(isChange));
        if (Date.now() - mtimeMs > deadAfterMs || name.endsWith('.outbox')) this.#others.push(name);
      } catch {
        // Half of a file that can't be read says nothing: then it is not known how far that process had come.
        isUnclear ||= name.endsWith('.cursor');
      }
    }
    const progress = isUnclear ? {} : all.reduce(least, all[0] ?? {});
    return { progress, hasOthers: isUnclear || all.length > 0, changes };
  }

  storeProgress(of: string, progress: Places): Promise<void> {
    return this.#store('cursor', { of, progress });
  }

  /** No changes: the file goes. */
  storeChanges(of: string, changes: readonly NewChange[]): Promise<void> {
    return this.#store('outbox', changes.length === 0 ? undefined : { of, changes });
  }

  /** Removes what earlier processes have left, now that it was taken over. */
  async forgetOthers(kind: Kind): Promise<void> {
    const names = this.#others.filter((name) => name.endsWith(kind));
    this.#others = this.#others.filter((name) => !name.endsWith(kind));
    for (const name of names) await unlink(join(this.#path, name)).catch(() => undefined);
  }

  #store(kind: Kind, said: object | undefined): Promise<void> {
    const writing = this.#isWriting.then(() => this.#write(kind, said));
    this.#isWriting = writing.catch(() => undefined);
    return writing;
  }

  async #write(kind: Kind, said: object | undefined): Promise<void> {
    const path = join(this.#path, `${this.#writer}.${kind}`);
    if (said === undefined) {
      await unlink(path).catch(() => undefined);
      return;
    }
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    const temporary = `${path}.${randomBytes(4).toString('hex')}`;
    await writeFile(temporary, JSON.stringify(said), { flag: 'wx', mode: 0o600 });
    await rename(temporary, path);
  }
}

function arePlaces(value: Places | undefined): value is Places {
  return typeof value === 'object' && value !== null && Object.values(value).every(isProgress);
}

function isProgress(value: Progress | null): boolean {
  const { epoch, id, run, acknowledged = '', doubtfulUpTo } = value ?? {};
  const isCursor = /^[0-9a-f]{16}$/.test(epoch ?? '') && idPattern.test(id ?? '') && typeof run === 'string';
  const isPlace = acknowledged === '' || idPattern.test(acknowledged);
  return isCursor && isPlace && Number.isSafeInteger(doubtfulUpTo);
}

function isChange(change: NewChange): boolean {
  const { kind, stamp } = change;
  if (!Number.isSafeInteger(stamp?.time) || !/^[0-9a-f]{16}$/.test(stamp.writer)) return false;
  if (kind === 'key') return /^[0-9a-f]{32}$/.test(change.key) && typeof change.method === 'string';
  return kind === 'tag' ? typeof change.tag === 'string' : kind === 'method';
}

/** What is known of a folder that two processes have written to: nothing of a part whose epoch is not the same for both. */
function least(some: Places, others: Places): Places {
  const common: Record<string, Progress> = {};
  for (const [tag, a] of Object.entries(some)) {
    const b = others[tag];
    if (b?.epoch !== a.epoch) continue;
    const doubtfulUpTo = Math.max(a.doubtfulUpTo, b.doubtfulUpTo);
    const places = [a.acknowledged ?? '', b.acknowledged ?? ''].sort(compareIds);
    common[tag] = { ...(compareIds(a.id, b.id) < 0 ? a : b), acknowledged: places[1]!, doubtfulUpTo };
  }
  return common;
}
