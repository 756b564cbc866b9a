/** An arena as the memory tier of one thread's cache. */

import { systemClock } from '../clock.js';
import type { Stamp } from '../stamp.js';
import type { ArenaWiring, SharedCounts, SharedMemory } from '../store/arena-options.js';
import type { MemoryEntry } from '../store/memory-entry.js';
import type { RemovalReason } from '../store/store.js';
import type { LoadLease, LoadLeaseRequest } from '../tier.js';
import type { ChangeLog, LoggedChange } from './change-log.js';
import { EntryWriter, places } from './entry-bytes.js';
import { EntryReader } from './entry-reader.js';
import { readKey } from './key-words.js';
import { counter } from './members.js';
import type { SharedArena } from './shared-arena.js';
import { ThreadTurn } from './thread-turn.js';

/** Words of an index whose entries are copied under one hold of a lock. */
const wordsAtOnce = 64;

/**
 * The memory tier in an arena. What is stored is encoded; what is read is a copy. That others clear a method or invalidate a
 * tag is heard before each operation, and entries up to that moment's stamp are outdated, though they leave later.
 */
export class ArenaMemory implements SharedMemory {
  readonly name = 'memory';
  readonly #arena: SharedArena;
  readonly #wiring: ArenaWiring;
  readonly #log: ChangeLog;
  readonly #entryReader: EntryReader;
  readonly #entryWriter: EntryWriter;
  readonly #key = new Int32Array(4);
  /** The stamps of when methods were cleared. */
  readonly #cleared = new Map<string, number>();
  /** What is tagged and not newer is outdated. */
  #watermark = 0;

  constructor(arena: SharedArena, wiring: ArenaWiring) {
    this.#arena = arena;
    this.#wiring = wiring;
    const { clock, codec, writer } = wiring;
    // The machine's clock begins anew in each thread; any other is taken to be one for all.
    const clockOffset = clock === systemClock ? Number(process.hrtime.bigint()) / 1e6 - clock.elapsed() : 0;
    this.#entryReader = new EntryReader({ codec, writer, clockOffset });
    this.#entryWriter = new EntryWriter(wiring, arena.stripes[0]!.largestEntry, clockOffset);
    this.#log = arena.log({
      changed: (change) => this.#hear(change),
      lost: () => wiring.onChange({ kind: 'unknown' }),
      emptyArena: () => this.#leaveEmpty(),
    });
  }

  get(key: string): MemoryEntry | undefined {
    const entry = this.#read(key, true);
    this.#arena.counters[entry === undefined ? counter.misses : counter.hits]! += 1;
    if (entry === undefined || entry.idleMs === 0) return entry;
    const now = entry.now(this.#wiring.clock);
    const place = { stamp: entry.stamp.time, place: places.optional, value: now };
    this.#arena.stripeOf(this.#key).touch(this.#key, place);
    entry.lastAccess = now;
    return entry;
  }

  peek(key: string): MemoryEntry | undefined {
    return this.#read(key, false);
  }

  set(entry: MemoryEntry, isLoaded = false): boolean {
    const { clock, maxEntryBytes = Number.POSITIVE_INFINITY } = this.#wiring;
    if (!this.#begin(entry.key)) return this.#goBy(entry.key);
    if (entry.bytes > maxEntryBytes || !this.#entryWriter.write(entry, this.#key)) {
      this.delete(entry.key);
      this.#arena.counters[counter.refused]! += 1;
      return false;
    }
    const { time } = entry.stamp;
    const stripe = this.#arena.stripeOf(this.#key);
    const change = stripe.write(this.#key, this.#entryWriter.scratch, {
      now: clock.now(),
      load: isLoaded ? time : undefined,
    });
    if (change.isLoadedElsewhere) this.#log.append('key', time, entry.key);
    return change.outcome === 'stored';
  }

  delete(key: string, reason: RemovalReason = 'delete'): boolean {
    if (!this.#begin(key)) return this.#goBy(key);
    const as = reason === 'invalidate' ? counter.invalidated : counter.deleted;
    const { outcome, isLoadedElsewhere } = this.#arena.stripeOf(this.#key).delete(this.#key, as);
    if (isLoadedElsewhere || reason === 'delete') this.#log.append('key', this.advance(0), key);
    return outcome;
  }

  clear(method?: string): undefined {
    if (this.#arena.isOver) return;
    const stamp = this.advance(0);
    if (method === undefined) for (const stripe of this.#arena.stripes) stripe.clear();
    else this.#cleared.set(method, stamp);
    this.#log.append(method === undefined ? 'all' : 'method', stamp, method ?? '');
  }

  *entries(method?: string): IterableIterator<MemoryEntry> {
    const { indexWords } = this.#arena.memory.shape;
    for (const stripe of this.#arena.stripes) {
      for (let word = 0; word < indexWords && !this.#arena.isOver; word += wordsAtOnce) {
        const found: MemoryEntry[] = [];
        stripe.scan(word, Math.min(word + wordsAtOnce, indexWords), this.#entryReader, (key) => {
          const entry = this.#entryReader.entry(key);
          if (method === undefined || entry.method === method) found.push(entry);
        });
        this.#log.sync();
        yield* found.filter((entry) => this.#isLive(entry));
      }
    }
  }

  close(): void {
    this.#arena.close();
  }

  advance(now: number): number {
    return this.#arena.nextStamp(now);
  }

  begin(key: string, stamp: Stamp): void {
    if (!this.#begin(key)) return;
    this.#arena.stripeOf(this.#key).withLoads((loads) => loads.begin(this.#key, stamp.time, false));
  }

  end(key: string, stamp: Stamp): void {
    if (!this.#begin(key)) return;
    this.#arena.stripeOf(this.#key).withLoads((loads) => loads.end(this.#key, stamp.time));
  }

  invalidateTags(tags: readonly string[], stamp: Stamp): void {
    for (const tag of tags) this.#log.append('tag', stamp.time, tag);
  }

  takeLease(load: LoadLeaseRequest): LoadLease {
    this.#begin(load.key);
    return new ThreadTurn(load, { arena: this.#arena, key: this.#key.slice(), clock: this.#wiring.clock });
  }

  counts(): SharedCounts {
    const { entries, bytes, evicted, expired, replaced, deleted, invalidated } = this.#arena.stats();
    const held = this.#arena.isOver ? { entries: 0, bytes: 0 } : { entries, bytes };
    return { ...held, evicted, expired, replaced, invalidated, deletes: deleted };
  }

  /** Hears what is new, and makes the key the one that is worked with; `false` where a call must go by the arena. */
  #begin(key: string): boolean {
    // Who hears of changes may use the cache again.
    const isKnown = this.#arena.isOver || this.#log.sync();
    readKey(key, this.#key);
    if (!isKnown) this.#arena.counters[counter.bypassedReads]! += 1;
    return isKnown && !this.#arena.isOver;
  }

  /** A change that must go by the arena leaves no outdated value behind: it is deleted as soon as somebody can. */
  #goBy(key: string): false {
    if (this.#arena.isOver) return false;
    this.#arena.counters[counter.bypassedWrites]! += 1;
    this.#arena.stripeOf(this.#key).leaveDeletion(this.#key);
    this.#log.append('key', this.advance(0), key);
    return false;
  }

  #read(key: string, isUse: boolean): MemoryEntry | undefined {
    if (!this.#begin(key)) return undefined;
    if (!this.#arena.stripeOf(this.#key).read(this.#key, this.#entryReader, isUse)) return undefined;
    const entry = this.#entryReader.entry(key);
    return this.#isLive(entry) ? entry : undefined;
  }

  #isLive(entry: MemoryEntry): boolean {
    const { time } = entry.stamp;
    if (time <= (this.#cleared.get(entry.method) ?? 0)) return false;
    if (entry.tags !== undefined && time <= this.#watermark) return false;
    return entry.expiresAt === null || !entry.isExpired(entry.now(this.#wiring.clock));
  }

  #hear({ kind, stamp, name }: LoggedChange): void {
    const { onChange, writer } = this.#wiring;
    const at = { time: stamp, writer };
    if (kind === 'key') onChange({ kind, key: name, method: '', stamp: at });
    else if (kind === 'tag') onChange({ kind, tag: name, stamp: at });
    else if (kind === 'all') onChange({ kind: 'method', method: undefined, stamp: at });
    else if (kind === 'watermark') this.#watermark = Math.max(this.#watermark, stamp);
    else {
      this.#cleared.set(name, Math.max(stamp, this.#cleared.get(name) ?? 0));
      onChange({ kind: 'method', method: name, stamp: at });
    }
  }

  #leaveEmpty(): void {
    for (const stripe of this.#arena.stripes) stripe.leaveReset();
  }
}
