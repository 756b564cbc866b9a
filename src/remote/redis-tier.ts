/** The remote tier in Redis: one cache's side of it. */

import { CacheClosedError, CacheError } from '../errors.js';
import type { Stamp } from '../stamp.js';
import type {
  LoadLease,
  LoadLeaseRequest,
  LoadTicket,
  LoadWatch,
  LoadWatchListener,
  LookupOutcome,
  RemoteChange,
  RemoteStatus,
  RemoteTier,
  RemoteWiring,
  TierRecord,
} from '../tier.js';
import { RedisChanges } from './redis-changes.js';
import { FollowUp } from './redis-follow-up.js';
import { RedisLeases } from './redis-leases.js';
import { RedisLink } from './redis-link.js';
import { listValues } from './redis-listing.js';
import { RedisLookups } from './redis-lookups.js';
import type { RedisPlace } from './redis-nodes.js';
import { RedisNotes } from './redis-notes.js';
import { type ResolvedRedisOptions, serverName } from './redis-options.js';
import { RedisOutbox } from './redis-outbox.js';
import { texts } from './redis-script.js';
import { redisScripts } from './redis-scripts.js';
import { RedisSpaces } from './redis-spaces.js';
import { RedisTicket, RedisTurns } from './redis-turns.js';
import { encodeValue, readValue, stampedValue, stampText, type ValueFormat } from './redis-value.js';
import { RemoteWatches } from './remote-watches.js';
import { SleepWatch } from './sleep-watch.js';
import { held, within } from './within.js';

/** The most that a value may inflate to. */
const maxBytes = 2 ** 30;
const maxMarkers = 100_000;

export class RedisTier implements RemoteTier {
  readonly name = 'remote';
  /** To count them would be work for the server. */
  readonly size = undefined;
  readonly notes: RedisNotes;
  readonly #options: ResolvedRedisOptions;
  readonly #wiring: RemoteWiring;
  readonly #link: RedisLink;
  readonly #sleep: SleepWatch;
  readonly #space: RedisSpaces;
  readonly #changes: RedisChanges;
  readonly #followUp: FollowUp;
  readonly #turns: RedisTurns;
  readonly #lookups: RedisLookups;
  readonly #watches = new RemoteWatches();
  readonly #format: ValueFormat;
  /** What was loaded while there was nobody to agree with on it. */
  readonly #alone: RedisOutbox;
  readonly #writes = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: ResolvedRedisOptions, wiring: RemoteWiring, locate: () => Promise<RedisPlace>) {
    this.#options = options;
    this.#wiring = wiring;
    this.#format = { gzipBytes: options.gzipBytes, maxBytes };
    const { prefix, database, logLength, remoteTimeout, heartbeat } = options;
    const { clock, writer, newestStamp, onStamp, onClock } = wiring;
    const onChange = (change: RemoteChange) => {
      this.#watches.hear(change);
      wiring.onChange(change);
    };
    this.#space = new RedisSpaces(
      {
        ...{ prefix, database, logLength, maxMarkers },
        ...{ writer, clock, newestStamp, onStamp, onClock, onChange },
        onWake: (key) => this.#turns.wake(key),
        onLostTrack: (error) => this.#link.restart(error),
      },
      options.cluster !== undefined,
    );
    this.#sleep = new SleepWatch(clock);
    this.#link = new RedisLink({
      times: { timeout: remoteTimeout, heartbeat },
      ...{ clock: this.#sleep, locate, channels: this.#space.channels, scripts: Object.values(redisScripts) },
      onMessage: (message, channel) => this.#space.hear(message, channel),
      beatOf: (at) => this.#space.beatOf((name) => this.#link.nodeOf(name) === at),
      onConnected: async (session) => {
        await this.#followUp.resume();
        await this.#space.begin(session);
        // What is loaded now was stamped before it was known how the machine's clock stands to the server's.
        if (this.#link.contactAt === Number.NEGATIVE_INFINITY) this.#watches.hear({ kind: 'unknown' });
        await this.#changes.sendAll(session);
        void this.#followUp.connected();
      },
      onUsable: () => {
        this.#changes.sendRest();
        this.#forgetAlone();
      },
      onLost: () => {
        this.#space.pause();
        this.#turns.voidAll();
      },
      onError: (error) => wiring.onError(error),
    });
    this.notes = new RedisNotes(this.#link, prefix);
    this.#changes = new RedisChanges({
      ...{ link: this.#link, space: this.#space, maxMarkers, limit: options.queueLimit, onChange, onStamp },
      onError: (error) => wiring.onError(error),
      onWaiting: () => this.#followUp.noteChange(),
    });
    this.#followUp = new FollowUp({
      ...{ persistDir: wiring.persistDir, writer, space: this.#space, changes: this.#changes },
      of: `${serverName(options)}/${database}/${prefix}`,
      flushFaster: wiring.flushFaster,
      onError: (error) => wiring.onError(error),
    });
    this.#alone = new RedisOutbox(options.queueLimit);
    this.#turns = new RedisTurns({
      ...{ writer, clock, leaseMs: options.leaseTtl, waitTimeout: options.waitTimeout },
      leases: new RedisLeases({
        ...{ link: this.#link, space: this.#space, changes: this.#changes, leaseMs: options.leaseTtl },
        onLostEpoch: () => this.#lostEpoch(),
        onError: (error, message) => this.#failed(error, message),
      }),
    });
    this.#lookups = new RedisLookups({
      ...{ link: this.#link, space: this.#space, changes: this.#changes, format: this.#format },
      onUnreadable: (key) => this.#turns.noteUnreadable(key),
    });
    this.#link.start();
  }

  open(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    return this.#link.opened();
  }

  async lookup(key: string, method: string): Promise<TierRecord | undefined> {
    const [found] = await this.lookupMany([key], method);
    if (found !== undefined && 'failure' in found) throw found.failure;
    return found;
  }

  lookupMany(keys: readonly string[], method: string): Promise<readonly LookupOutcome[]> {
    if (this.#isClosed) return Promise.reject(closed());
    return this.#lookups.find(keys, method);
  }

  takeLease(load: LoadLeaseRequest): LoadLease {
    // What came too late just now is not asked for again.
    const isLate = this.#lookups.wasLate(load.key);
    return this.#turns.take(load, () => isLate || this.#isClosed || !this.#link.isUsable);
  }

  write(record: TierRecord, ticket?: LoadTicket, replaces?: Stamp): boolean {
    if (this.#isClosed) return false;
    const { key, method, stamp } = record;
    if (ticket !== undefined) {
      if (ticket instanceof RedisTicket && this.#fill(record, ticket)) return true;
      if (!this.#link.isUsable) {
        this.#alone.add({ kind: 'key', key, method, stamp });
        this.#alone.bound();
      }
      return false;
    }
    this.#turns.voidOf(key);
    const change = { kind: 'key', key, method, stamp } as const;
    const life = this.#lifeOf(record);
    if (!this.#link.isReady || life <= 0) this.#changes.make(change, life > 0);
    else {
      const value = encodeValue(record, this.#space.epochOf(key), this.#format);
      const onStored = (newer: Stamp) => {
        const stored = { ...record, stamp: newer };
        if (newer.time > stamp.time && !this.#lookups.isOver(stored)) this.#wiring.onStored(stored, stamp);
      };
      this.#changes.set(change, { ...value, life, replaces, onStored, method, tags: record.tags });
    }
    return true;
  }

  delete(key: string, method: string, stamp: Stamp): void {
    if (this.#isClosed) return;
    this.#turns.voidOf(key);
    this.#changes.make({ kind: 'key', key, method, stamp });
  }

  clear(method: string | undefined, stamp: Stamp): void {
    if (!this.#isClosed) this.#changes.make({ kind: 'method', method, stamp });
  }

  invalidateTag(tag: string, stamp: Stamp): void {
    if (!this.#isClosed) this.#changes.make({ kind: 'tag', tag, stamp });
  }

  isReplaced(entry: Parameters<RemoteTier['isReplaced']>[0]): boolean {
    return this.#space.markers.covers(entry);
  }

  watch(load: Pick<TierRecord, 'key' | 'method'>, onChange: LoadWatchListener): LoadWatch {
    return this.#watches.watch(load, onChange);
  }

  isCurrent(knownAt: number | undefined, stamp?: Stamp): boolean {
    if (stamp !== undefined && this.#space.isDoubtful(stamp)) return false;
    const since = Math.max(this.#sleep.elapsed() - this.#options.bound, this.#sleep.wokeAt);
    if (this.#link.contactAt >= since) return true;
    // How old it is by its stamp, too, which no setting of the machine's clock has moved.
    const age = stamp === undefined ? 0 : (this.#space.serverTime() - stamp.time) / 1_000;
    return knownAt !== undefined && Math.min(knownAt, this.#sleep.elapsed() - age) >= since;
  }

  status(): RemoteStatus {
    const isConnected = !this.#isClosed && this.#link.isUsable;
    return {
      isConnected,
      contactAgeMs: this.#wiring.clock.elapsed() - this.#link.contactAt,
      pendingChanges: this.#changes.size,
      problem: isConnected ? undefined : this.#link.problem.message,
    };
  }

  backpressure(): Promise<void> | undefined {
    if (!this.#link.isUsable) return undefined;
    const room = this.#options.awaitWrites
      ? Promise.all([...this.#writes, this.#changes.sent()])
      : this.#changes.room();
    // Whether it is there in time is not for who waits to hear: it is counted, and tried again.
    return room === undefined
      ? undefined
      : this.#link
          .inTime<unknown>(() => room)
          .then(
            () => undefined,
            () => undefined,
          );
  }

  async flush(): Promise<void> {
    await held(Promise.all(this.#writes));
    await this.#changes.flush().finally(() => this.#followUp.storeChanges());
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    let failure: unknown;
    try {
      if (this.#link.isReady || this.#changes.size > 0) {
        const given = this.#link.isUsable ? this.#turns.endAll() : undefined;
        await held(within(1_000, Promise.all([given, this.flush()])));
      }
    } catch (error) {
      failure = error;
    }
    await this.#followUp.close();
    this.#link.close();
    // What lies in the folder is sent by the next process.
    const isLost = this.#changes.size > 0 && this.#wiring.persistDir === undefined;
    if (failure !== undefined && isLost) throw failure;
  }

  /** Goes through all keys of the server: for tools, not for caches. */
  async *entries(): AsyncGenerator<TierRecord> {
    if (this.#isClosed) throw closed();
    await this.#link.opened();
    for await (const [key, bytes] of listValues(this.#link, this.#options)) {
      try {
        const epoch = this.#space.epochOf(key);
        const found = readValue(bytes, { key, method: undefined, epoch }, this.#format);
        if (typeof found !== 'string' && !this.#lookups.isOver(found)) yield found;
      } catch (error) {
        this.#wiring.onError(error as CacheError);
      }
    }
  }

  #fill(record: TierRecord, ticket: RedisTicket): boolean {
    const life = this.#lifeOf(record);
    if (!ticket.mayFill || !this.#link.isReady || life <= 0) return false;
    this.#turns.use(ticket);
    const { key, method, stamp } = record;
    const { keys, args } = this.#space.ofKey(key);
    const value = stampedValue(encodeValue(record, this.#space.epochOf(key), this.#format), stamp);
    const rest = [
      ticket.token,
      ticket.outcome,
      value,
      String(life),
      `${key}${method}`,
      stampText(stamp),
      key,
    ];
    const write = this.#link
      .run(redisScripts.fill, keys, [...args, ...rest])
      .then((reply) => {
        const [outcome, , place = ''] = texts(reply, 1);
        this.#space.acknowledge(key, place);
        if (outcome === 'refused') this.#wiring.onRefused(record);
        else if (outcome === 'epoch') this.#lostEpoch();
      })
      .catch((error: unknown) => this.#failed(error, `Storing ${key} in Redis failed`));
    this.#writes.add(write);
    void write.then(() => this.#writes.delete(write));
    return true;
  }

  /** How long a value is to stay in Redis, in ms. */
  #lifeOf({ metadata }: TierRecord): number {
    const { expiresAt } = metadata;
    const { maxTtl } = this.#options;
    return expiresAt === null ? maxTtl : Math.min(maxTtl, Math.ceil(expiresAt - this.#wiring.clock.now()));
  }

  /** From now on others say what the value of a key is: what this machine has loaded for itself goes. */
  #forgetAlone(): void {
    for (const { change } of this.#alone.all()) {
      const { time, writer } = change.stamp;
      this.#wiring.onChange({ ...change, stamp: { time: time + 1, writer } });
    }
    this.#alone.clear();
  }

  /** Another epoch has begun, or the server has lost its own: both are found out anew. */
  #lostEpoch(): void {
    this.#link.restart(new CacheError('ERR_STORAGE', 'Redis was emptied, or began another epoch'));
  }

  #failed(cause: unknown, message: string): void {
    if (!this.#isClosed) this.#wiring.onError(new CacheError('ERR_STORAGE', message, { cause }));
  }
}

function closed(): CacheClosedError {
  return new CacheClosedError('The remote tier is closed');
}
