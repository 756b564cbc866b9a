/**
 * Going on where earlier processes of a folder have left off: entries on disk count as far as the log was followed with them,
 * and changes that never got to Redis are sent first.
 */

import { systemClock, type Timer } from '../clock.js';
import { CacheError } from '../errors.js';
import type { RedisChanges } from './redis-changes.js';
import type { RedisSpaces } from './redis-spaces.js';
import { RemoteFolder } from './remote-folder.js';

/** What it works with. */
export interface FollowUpInit {
  /** `undefined`: nothing outlives the process. */
  readonly persistDir: string | undefined;
  readonly writer: string;
  /** Which server and prefix it is about. */
  readonly of: string;
  readonly space: RedisSpaces;
  readonly changes: RedisChanges;
  /** Resolves when the folder is open, and what was taken in before lies on disk. */
  readonly flushFaster: () => Promise<void>;
  readonly onError: (error: CacheError) => void;
}

/** How often the cursor is stored, and how soon waiting changes are, in ms. */
const cursorMs = 5_000;
const changesMs = 50;

export class FollowUp {
  readonly #init: FollowUpInit;
  readonly #folder: RemoteFolder | undefined;
  #isResumed = false;
  #timer: Timer | undefined;
  #changesTimer: Timer | undefined;
  #hasStoredChanges = false;
  #isClosed = false;

  constructor(init: FollowUpInit) {
    this.#init = init;
    if (init.persistDir !== undefined) this.#folder = new RemoteFolder(init.persistDir, init.writer);
  }

  /** Takes over what earlier processes have left, before the first connection is used. */
  async resume(): Promise<void> {
    if (this.#folder === undefined || this.#isResumed) return;
    const { of, space, changes, flushFaster } = this.#init;
    // What lies on disk must be known: of that, others may have changed anything. A disk that fails says so itself.
    await flushFaster().catch(() => undefined);
    const left = await this.#folder.read(of);
    this.#isResumed = true;
    space.resume(left);
    for (const change of left.changes) changes.adopt(change);
    this.#hasStoredChanges ||= left.changes.length > 0;
  }

  /** The log was followed, and nothing waits any more. */
  async connected(): Promise<void> {
    if (this.#folder === undefined) return;
    await this.storeChanges();
    await this.#folder.forgetOthers('outbox');
    this.#schedule(0);
  }

  /** A change waits: it is to outlive the process, also one that ends by itself now. */
  noteChange(): void {
    if (this.#folder === undefined || this.#isClosed || this.#changesTimer !== undefined) return;
    const store = () => void this.storeChanges();
    this.#changesTimer = systemClock.schedule(store, changesMs, { holdsProcess: true });
  }

  async storeChanges(): Promise<void> {
    this.#changesTimer?.cancel();
    this.#changesTimer = undefined;
    const { of, changes } = this.#init;
    const waiting = changes.waiting();
    if (this.#folder === undefined || (waiting.length === 0 && !this.#hasStoredChanges)) return;
    this.#hasStoredChanges = waiting.length > 0;
    await this.#attempt(this.#folder.storeChanges(of, waiting));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    if (this.#folder === undefined) return;
    await this.storeChanges();
    await this.#storeProgress();
  }

  /** How far the log is known and what was made of it, once that lies on disk. */
  async #storeProgress(): Promise<void> {
    const { space, of, flushFaster } = this.#init;
    const { progress } = space;
    if (progress === undefined || this.#folder === undefined || !this.#isResumed) return;
    await this.#attempt(
      flushFaster().then(async () => {
        await this.#folder?.storeProgress(of, progress);
        await this.#folder?.forgetOthers('cursor');
      }),
    );
  }

  #schedule(ms: number): void {
    this.#timer?.cancel();
    // Whoever has asked for it may have waited meanwhile.
    if (this.#isClosed) return;
    this.#timer = systemClock.schedule(() => {
      void this.#storeProgress().then(() => this.#schedule(cursorMs));
    }, ms);
  }

  async #attempt(writing: Promise<void>): Promise<void> {
    try {
      await writing;
    } catch (cause) {
      const message = 'Storing how far Redis was followed failed';
      this.#init.onError(new CacheError('ERR_STORAGE', message, { cause }));
    }
  }
}
