/** A remote tier within one process: several caches share it as machines share a server, in tests and examples. */

import { type Clock, systemClock } from '../clock.js';
import { CacheClosedError } from '../errors.js';
import { compareStamps, type Stamp } from '../stamp.js';
import type {
  LoadLease,
  LoadLeaseRequest,
  LoadTicket,
  LoadWatch,
  LoadWatchListener,
  Remote,
  RemoteChange,
  RemoteTier,
  RemoteWiring,
  TierRecord,
} from '../tier.js';

/** How a `MemoryRemote` is made. */
export interface MemoryRemoteOptions {
  /**
   * The time that all who share it go by.
   * @default the system's clock
   */
  readonly clock?: Clock | undefined;
  /**
   * How long a cache waits for the load of another before it loads for itself, in ms.
   * @default 10000
   */
  readonly waitTimeout?: number | undefined;
}

/**
 * What a server would hold. Give one to several caches, as `new CacheManager({ remote })`.
 *
 * @example
 * const remote = new MemoryRemote();
 * const [one, other] = [new CacheManager({ remote }), new CacheManager({ remote })];
 */
export class MemoryRemote implements Remote {
  readonly #clock: Clock;
  readonly #waitTimeout: number;
  readonly #nodes = new Set<MemoryRemoteTier>();
  readonly #records = new Map<string, TierRecord>();
  readonly #tickets = new Map<string, Ticket>();
  readonly #markers = new Map<string, Stamp>();
  readonly #waiting = new Set<() => void>();
  #newest = 0;

  constructor({ clock = systemClock, waitTimeout = 10_000 }: MemoryRemoteOptions = {}) {
    this.#clock = clock;
    this.#waitTimeout = waitTimeout;
  }

  connect(wiring: RemoteWiring): RemoteTier {
    const node = new MemoryRemoteTier(this, wiring);
    this.#nodes.add(node);
    return node;
  }

  /** @internal */
  find(key: string): TierRecord | undefined {
    const record = this.#records.get(key);
    const { expiresAt = null } = record?.metadata ?? {};
    if (record === undefined || this.isCleared(record)) return undefined;
    return expiresAt !== null && this.#clock.now() >= expiresAt ? undefined : record;
  }

  /** @internal */
  isCleared({ method, tags = [], stamp }: Pick<TierRecord, 'method' | 'tags' | 'stamp'>): boolean {
    return ['all', `method:${method}`, ...tags.map((tag) => `tag:${tag}`)].some((marker) => {
      const newer = this.#markers.get(marker);
      return newer !== undefined && compareStamps(stamp, newer) <= 0;
    });
  }

  /** @internal */
  stampOf(key: string): Stamp | undefined {
    return this.#records.get(key)?.stamp;
  }

  /** @internal */
  set(node: MemoryRemoteTier, record: TierRecord): void {
    const stamp = this.#stamp(node, record.stamp);
    this.#records.set(record.key, { ...record, stamp });
    this.#change(node, { kind: 'key', key: record.key, method: record.method, stamp, isSet: true });
  }

  /** @internal Whether the value was stored: not once its ticket is void. */
  fill(node: MemoryRemoteTier, record: TierRecord, ticket: Ticket): boolean {
    const { key } = record;
    const previous = this.#records.get(key);
    if (this.#tickets.get(key) !== ticket) return false;
    this.#tickets.delete(key);
    this.#records.set(key, record);
    // Nobody holds what was not there.
    if (previous !== undefined)
      this.#tell(node, { kind: 'key', key, method: record.method, stamp: record.stamp, isSet: true });
    this.#wake();
    return true;
  }

  /** @internal */
  delete(node: MemoryRemoteTier, change: Extract<RemoteChange, { kind: 'key' }>): void {
    const stamp = this.#stamp(node, change.stamp);
    this.#records.delete(change.key);
    this.#change(node, { ...change, stamp });
  }

  /** @internal */
  mark(node: MemoryRemoteTier, change: Extract<RemoteChange, { kind: 'method' | 'tag' }>): void {
    const stamp = this.#stamp(node, change.stamp);
    const { kind } = change;
    const name = kind === 'tag' ? change.tag : change.method;
    this.#markers.set(name === undefined ? 'all' : `${kind}:${name}`, stamp);
    this.#tell(node, { ...change, stamp });
  }

  /** @internal */
  takeLease(node: MemoryRemoteTier, load: LoadLeaseRequest): LoadLease {
    const { key, isForced = false, isNested, signal } = load;
    const until = this.#clock.elapsed() + this.#waitTimeout;
    let { known } = load;
    let ticket: Ticket | undefined;
    return {
      get ticket() {
        return ticket;
      },
      next: async () => {
        for (;;) {
          const { stamp } = this.find(key) ?? {};
          if (stamp !== undefined && !isForced && (known === undefined || compareStamps(stamp, known) > 0)) {
            known = stamp;
            return 'look-again';
          }
          const own: Ticket = new Ticket(this.#stamp(node, known), () => this.#tickets.get(key) !== own);
          if (isForced || !this.#tickets.has(key)) {
            this.#tickets.set(key, own);
            ticket = own;
            return 'load';
          }
          const left = until - this.#clock.elapsed();
          if (left <= 0 || isNested || signal.aborted) {
            ticket = new Ticket(own.stamp, () => false);
            return 'load-alone';
          }
          await this.#changed(left, signal);
        }
      },
      end: () => this.#giveBack(key, ticket),
    };
  }

  /** @internal */
  leave(node: MemoryRemoteTier): void {
    this.#nodes.delete(node);
  }

  /** @internal */
  *all(): Iterable<TierRecord> {
    for (const key of [...this.#records.keys()]) {
      const record = this.find(key);
      if (record !== undefined) yield record;
    }
  }

  #giveBack(key: string, ticket: Ticket | undefined): void {
    if (ticket === undefined || this.#tickets.get(key) !== ticket) return;
    this.#tickets.delete(key);
    this.#wake();
  }

  #stamp(node: MemoryRemoteTier, caller: Stamp | undefined): Stamp {
    const time = Math.max(this.#clock.now() * 1_000, this.#newest + 1, (caller?.time ?? 0) + 1);
    this.#newest = time;
    const stamp = { time, writer: node.writer };
    // What it writes next is newer than what it has just changed, though its clock may be behind.
    node.know(stamp);
    return stamp;
  }

  #change(node: MemoryRemoteTier, change: Extract<RemoteChange, { kind: 'key' }>): void {
    this.#tickets.delete(change.key);
    this.#tell(node, change);
    this.#wake();
  }

  #tell(node: MemoryRemoteTier, change: RemoteChange): void {
    for (const each of this.#nodes) if (each !== node) each.hear(change);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves once anything has changed, after `ms`, or when the signal is aborted. */
  #changed(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(() => wake(), ms);
      const wake = () => {
        this.#waiting.delete(wake);
        timer.cancel();
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }
}

class Ticket implements LoadTicket {
  readonly stamp: Stamp;
  readonly #isVoid: () => boolean;

  constructor(stamp: Stamp, isVoid: () => boolean) {
    this.stamp = stamp;
    this.#isVoid = isVoid;
  }

  get isVoid(): boolean {
    return this.#isVoid();
  }
}

interface Watch {
  readonly key: string;
  readonly method: string;
  readonly onChange: LoadWatchListener;
  readonly tags: Set<string>;
}

/** One cache's side. */
class MemoryRemoteTier implements RemoteTier {
  readonly name = 'remote';
  readonly size = undefined;
  readonly writer: string;
  readonly #remote: MemoryRemote;
  readonly #wiring: RemoteWiring;
  readonly #watches = new Set<Watch>();
  #isClosed = false;

  constructor(remote: MemoryRemote, wiring: RemoteWiring) {
    this.#remote = remote;
    this.#wiring = wiring;
    this.writer = wiring.writer;
  }

  async open(): Promise<void> {
    this.#refuseClosed();
  }

  async lookup(key: string): Promise<TierRecord | undefined> {
    this.#refuseClosed();
    return this.#remote.find(key);
  }

  takeLease(load: LoadLeaseRequest): LoadLease {
    return this.#remote.takeLease(this, load);
  }

  isCurrent(): boolean {
    return true;
  }

  write(record: TierRecord, ticket?: LoadTicket): boolean {
    if (this.#isClosed) return false;
    if (ticket === undefined) this.#remote.set(this, record);
    else if (!(ticket instanceof Ticket)) return false;
    else if (!this.#remote.fill(this, record, ticket)) {
      queueMicrotask(() => this.#wiring.onRefused(record));
      return false;
    }
    return true;
  }

  backpressure(): undefined {
    return undefined;
  }

  delete(key: string, method: string, stamp: Stamp): void {
    if (!this.#isClosed) this.#remote.delete(this, { kind: 'key', key, method, stamp });
  }

  clear(method: string | undefined, stamp: Stamp): void {
    if (!this.#isClosed) this.#remote.mark(this, { kind: 'method', method, stamp });
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    if (!this.#isClosed) this.#remote.mark(this, { kind: 'tag', tag, stamp });
  }

  isReplaced(entry: Parameters<RemoteTier['isReplaced']>[0]): boolean {
    const { tags, ...rest } = entry;
    return this.#remote.isCleared({ ...rest, ...(tags && { tags }) });
  }

  watch(load: Pick<TierRecord, 'key' | 'method'>, onChange: LoadWatchListener): LoadWatch {
    const watch = { ...load, onChange, tags: new Set<string>() };
    this.#watches.add(watch);
    return {
      isInvalidated: (tags) => tags?.some((tag) => watch.tags.has(tag)) ?? false,
      end: () => void this.#watches.delete(watch),
    };
  }

  /** Goes on from there: its clock may be behind. */
  know(stamp: Stamp): void {
    this.#wiring.onStamp(stamp);
  }

  /** Takes in what another cache has changed. */
  hear(change: RemoteChange): void {
    for (const watch of [...this.#watches]) {
      if (change.kind === 'tag') {
        watch.tags.add(change.tag);
        watch.onChange('tag');
      } else if (change.kind === 'key' ? change.key === watch.key : isOf(change, watch.method)) {
        watch.onChange('key');
      }
    }
    if (change.kind !== 'unknown') this.#wiring.onStamp(change.stamp);
    this.#wiring.onChange(change);
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#remote.leave(this);
  }

  async *entries(): AsyncGenerator<TierRecord> {
    this.#refuseClosed();
    yield* this.#remote.all();
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new CacheClosedError('The remote tier is closed');
  }
}

function isOf(change: RemoteChange, method: string): boolean {
  return change.kind === 'unknown' || (change.kind === 'method' && (change.method ?? method) === method);
}
