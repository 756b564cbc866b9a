/**
 * Loads that the processes on a folder share: one of them loads a key, the others wait for what it hands over. It saves
 * work, no more: two that load at once do no harm, as of their results the newer one counts.
 */

import type { Clock, Timer } from '../../clock.js';
import { inBackground } from '../../clock.js';
import { compareStamps, type Stamp } from '../../stamp.js';
import type { LoadLease, LoadLeaseRequest, TierRecord } from '../../tier.js';
import type { FileStatus, OpenFile } from '../file-system.js';
import { randomId } from '../format/partition-name.js';
import { type HolderNote, hasEnded, ownNote } from '../lock/holder-note.js';
import { encodeHandOver, maxHandOverBytes, signOfLife } from './flight-file.js';
import { appendWhole } from './flight-folder.js';
import { FlightTurn, type Lease, type TurnHost } from './flight-turn.js';

/** What flights are made from. */
export interface FlightsInit extends Pick<TurnHost, 'folder' | 'timeout' | 'refresh' | 'stampOf' | 'watch'> {
  readonly clock: Clock;
  /** What the file system's clock tells, epoch ms. */
  readonly folderTime: () => number;
  /** Whether the folder is open. */
  readonly isOpen: () => boolean;
  /** A value of this process that is in no file yet. */
  readonly waiting: (key: string) => TierRecord | undefined;
  /** Writes what is in no file yet. */
  readonly flush: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** A file of this process, in which it says that it loads. */
interface OwnLease extends Lease {
  readonly note: HolderNote;
  /** The file, where it is kept open. */
  readonly file: OpenFile | undefined;
  signedAt: number;
  /** What is being done with the file. */
  busy: Promise<unknown>;
}

/** A result that lies in a flight file until it is in a partition. */
interface HandOver {
  readonly record: TierRecord;
  readonly left: FileStatus;
  readonly since: number;
}

/** So many files are kept open at most, one per load under way. */
const maxOpenFiles = 128;
/** How often a sign of life is given, in ms. */
const heartbeat = 1_000;
/** After a failure of the file system loads go on alone for so long, in ms. */
const restAfterFailure = 1_000;
/** A result that can't be written is handed over for so long, in ms: what others change meanwhile it does not hear of. */
const longestHandOver = 60_000;
/** Without a sign of life for so long, in ms, also by a clock an hour off, a file was left behind. */
const leftAfter = 5_400_000;

export class Flights {
  readonly #init: FlightsInit;
  readonly #host: TurnHost;
  /** What tells this process; the same in all its notes but for the token. */
  readonly #note = ownNote();
  readonly #held = new Map<string, OwnLease>();
  readonly #handed = new Map<string, HandOver>();
  readonly #given = new Map<string, TierRecord>();
  /** What this process is doing with the file of a key: who asks for it next waits for that, and not for others. */
  readonly #busy = new Map<string, Promise<unknown>>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #pauses = new Set<() => void>();
  #timer: Timer | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(init: FlightsInit) {
    this.#init = init;
    const { clock } = init;
    this.#host = {
      ...init,
      elapsed: () => clock.elapsed(),
      isWorking: () =>
        !this.#isClosed && init.isOpen() && clock.elapsed() - this.#failedAt >= restAfterFailure,
      lease: (key) => this.#lease(key),
      release: (lease, known) =>
        this.#run(() => this.#alone(lease.key, () => this.#release(lease as OwnLease, known))),
      give: (record) => void this.#given.set(record.key, record),
      takeBack: (record) => {
        if (this.#given.get(record.key) === record) this.#given.delete(record.key);
      },
      pause: (ms, signal) => this.#pause(ms, signal),
      failed: (error) => this.#failed(error),
    };
  }

  readonly takeLease = (load: LoadLeaseRequest): LoadLease => new FlightTurn(this.#host, load);

  /** What another process has handed over, while a load looks for it. */
  given(key: string): TierRecord | undefined {
    return this.#given.get(key);
  }

  /** A flush has ended: what it has written need not be handed over any more. */
  flushed(): void {
    for (const [key, { record }] of this.#handed) if (!this.#isWaiting(record)) this.#withdraw(key);
  }

  /** Hands nothing over any more that was replaced or deleted here. */
  drop(isDropped: (record: TierRecord) => boolean): void {
    for (const [key, { record }] of this.#handed) if (isDropped(record)) this.#withdraw(key);
  }

  /** The same for one key. */
  dropKey(key: string): void {
    if (this.#handed.has(key)) this.#withdraw(key);
  }

  /** Removes what processes have left behind that have ended. */
  sweep(): void {
    this.#run(() => this.#sweep(this.#init.folderTime() - leftAfter));
  }

  /** Lets all who wait load for themselves. */
  stop(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const wake of this.#pauses) wake();
  }

  /** Takes back what this process has in the folder: it is in partitions by now, or will be in none. */
  async close(): Promise<void> {
    for (const lease of this.#held.values())
      this.#run(() => this.#alone(lease.key, () => this.#release(lease, undefined)));
    for (const key of this.#handed.keys()) this.#withdraw(key);
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async #lease(key: string): Promise<Lease | undefined> {
    for (let busy = this.#busy.get(key); busy !== undefined; busy = this.#busy.get(key)) await busy;
    const own = this.#held.get(key);
    if (own === undefined) return this.#alone(key, () => this.#create(key));
    // Of a load that was overtaken: nobody waits for it any more, and the file is for the one that follows.
    const lease = { ...own };
    this.#held.set(key, lease);
    return lease;
  }

  async #create(key: string): Promise<OwnLease | undefined> {
    const { folder, clock } = this.#init;
    const note = { ...this.#note, since: clock.now(), token: randomId() };
    const file = await folder.create(key, note);
    if (file === undefined) return undefined;
    const isKept = this.#held.size < maxOpenFiles;
    if (!isKept) await file.close();
    const busy = Promise.resolve();
    const lease = { key, note, file: isKept ? file : undefined, signedAt: clock.elapsed(), busy };
    this.#held.set(key, lease);
    this.#beat();
    return lease;
  }

  async #release(lease: OwnLease, known: Stamp | undefined): Promise<void> {
    const { folder, waiting, flush, clock } = this.#init;
    const { key, note } = lease;
    if (this.#held.get(key) !== lease) return;
    await lease.busy;
    let record = waiting(key);
    if (record !== undefined && known !== undefined && compareStamps(record.stamp, known) <= 0)
      record = undefined;
    if (record !== undefined && (this.#isClosed || record.encoded.length > maxHandOverBytes)) {
      // Its failure is reported by the flush itself.
      await flush().catch(() => undefined);
      record = undefined;
    }
    // The one that follows has the file by now.
    if (this.#held.get(key) !== lease) return;
    this.#held.delete(key);
    const file = lease.file ?? (await folder.open(key, note.token));
    if (file === undefined) return;
    let left: FileStatus | undefined;
    try {
      if (record !== undefined) await appendWhole(file, encodeHandOver(record), key);
      left = await file.status();
    } catch (error) {
      // A part of it is nothing, and goes like the file of a load that came to nothing.
      record = undefined;
      this.#failed(error);
      left ??= await file.status();
    } finally {
      await file.close();
    }
    if (record === undefined || this.#isClosed || !this.#isWaiting(record)) await folder.remove(key, left);
    else this.#handed.set(key, { record, left, since: clock.elapsed() });
  }

  /** Does something with the file of a key, and tells those who ask for it meanwhile to wait. */
  #alone<T>(key: string, task: () => Promise<T>): Promise<T> {
    const running = task();
    const over = running
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        if (this.#busy.get(key) === over) this.#busy.delete(key);
      });
    this.#busy.set(key, over);
    return running;
  }

  #withdraw(key: string): void {
    const handed = this.#handed.get(key);
    this.#handed.delete(key);
    if (handed === undefined) return;
    this.#run(() => this.#alone(key, () => this.#init.folder.remove(key, handed.left)));
  }

  /** Whether this very result is in no file yet. */
  #isWaiting(record: TierRecord): boolean {
    const waiting = this.#init.waiting(record.key);
    return waiting !== undefined && compareStamps(waiting.stamp, record.stamp) === 0;
  }

  /** Gives signs of life for as long as there is something to give them for. */
  #beat(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = inBackground(() =>
      this.#init.clock.schedule(() => this.#run(() => this.#renew()), heartbeat),
    );
  }

  async #renew(): Promise<void> {
    const { clock } = this.#init;
    for (const lease of this.#held.values()) {
      if (clock.elapsed() - lease.signedAt < heartbeat / 2) continue;
      lease.busy = this.#sign(lease);
      await lease.busy;
    }
    const since = clock.elapsed() - longestHandOver;
    for (const [key, handed] of this.#handed) if (handed.since < since) this.#withdraw(key);
    this.#timer = undefined;
    if (this.#held.size > 0 || this.#handed.size > 0) this.#beat();
  }

  async #sign(lease: OwnLease): Promise<void> {
    const { folder, clock } = this.#init;
    const { key, note } = lease;
    try {
      const file = lease.file ?? (await folder.open(key, note.token));
      await file?.append(signOfLife);
      if (file !== lease.file) await file?.close();
      lease.signedAt = clock.elapsed();
    } catch (error) {
      this.#init.onError(error);
    }
  }

  async #sweep(before: number): Promise<void> {
    const { folder } = this.#init;
    const { keys, temporary } = await folder.list();
    for (const name of temporary) await folder.removeLeftover(name, before);
    for (const key of keys) {
      if (this.#isClosed) return;
      if (this.#held.has(key) || this.#handed.has(key)) continue;
      const seen = await folder.look(key, undefined);
      if (seen === undefined) continue;
      if (hasEnded(seen.note) || seen.status.modifiedAt < before) await folder.takeAway(key, seen);
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        signal.removeEventListener('abort', wake);
        this.#pauses.delete(wake);
        resolve();
      };
      // A call waits for it.
      const timer = this.#init.clock.schedule(wake, ms, { holdsProcess: true });
      signal.addEventListener('abort', wake, { once: true });
      this.#pauses.add(wake);
    });
  }

  /** Runs what nobody waits for but `close`. */
  #run(task: () => Promise<void>): void {
    const running = task()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  #failed(error: unknown): void {
    this.#failedAt = this.#init.clock.elapsed();
    this.#init.onError(error);
  }
}
