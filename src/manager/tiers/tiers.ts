/** The tiers as one: one read path, one write path, memory first. */

import type { EventHub } from '../../events.js';
import { type Tagged, TagInvalidations } from '../../guard/tag-invalidation.js';
import { eachInSlices } from '../../next-turn.js';
import type { ResolvedCacheOptions } from '../../options.js';
import { compareStamps, type Stamp, type StampClock } from '../../stamp.js';
import type { Memory, SharedMemory } from '../../store/arena-options.js';
import type { Place } from '../../store/lru.js';
import type { MemoryEntry } from '../../store/memory-entry.js';
import { storeFailure } from '../../store/memory-tier.js';
import type { RemovalReason } from '../../store/store.js';
import type { LoadTicket, LoadWatch, LoadWatchListener, RemoteTier, SlowTier } from '../../tier.js';
import type { ValueKeeper } from '../../value/keeper.js';
import { type Incoming, newEntry, newRecord, stampOf } from '../create-entry.js';
import type { MethodState } from '../method-context.js';
import { type Held, type HeldLimits, heldEntries } from './held-entries.js';
import type { SearchPlace } from './key-search.js';
import { openMemory } from './memory.js';
import { RemovalEvents } from './removal-events.js';
import { SharedEntries } from './shared-entries.js';
import { inMemory, type Search, SlowReads } from './slow-reads.js';
import { type SearchOptions, searchBelow } from './slow-search.js';
import { SlowTiers } from './slow-tiers.js';
import type { LeaseGiver, TierObserver } from './tier-observer.js';

export { connectArena } from './memory.js';
export type { TierObserver } from './tier-observer.js';

/** Memory and the slower tiers below it. */
export class Tiers {
  readonly keeper: ValueKeeper;
  readonly tags: TagInvalidations;
  /** What this cache shares with other machines. */
  readonly shared: SharedEntries;
  readonly memory: Memory;
  /** The same, where other threads read and write it too. */
  readonly sharedMemory: SharedMemory | undefined;
  readonly slow: readonly SlowTier[];
  readonly #slowTiers: SlowTiers;
  /** Whose turns a load takes before it calls its tool. */
  readonly leaseGivers: readonly LeaseGiver[];
  /** Whether there is anything below memory. */
  readonly hasSlow: boolean;
  readonly #stamps: StampClock;
  readonly #observer: TierObserver;
  readonly #events: EventHub;
  readonly #clock: ResolvedCacheOptions['clock'];
  readonly #removalEvents: RemovalEvents;
  /** Reads of the slower tiers under way. */
  readonly reads = new SlowReads();
  /** The tier that other machines share, which is the last one. */
  readonly remote: RemoteTier | undefined;
  readonly #place: SearchPlace;
  /** Whether what is written is a recording, which lasts whatever its ttl. */
  readonly #records: boolean;

  constructor(init: {
    readonly options: ResolvedCacheOptions;
    readonly keeper: ValueKeeper;
    readonly slow: readonly SlowTier[];
    readonly remote: RemoteTier | undefined;
    readonly arena: SharedMemory | undefined;
    readonly stamps: StampClock;
    readonly events: EventHub;
    readonly observer: TierObserver;
  }) {
    const { options, remote } = init;
    this.keeper = init.keeper;
    this.slow = remote === undefined ? init.slow : [...init.slow, remote];
    this.hasSlow = this.slow.length > 0;
    this.leaseGivers = init.arena === undefined ? this.slow : [init.arena];
    this.#slowTiers = new SlowTiers(this.slow, (error, key) => init.observer.failed(error, undefined, key));
    this.remote = remote;
    this.#records = options.recording !== undefined;
    this.#events = init.events;
    this.#observer = init.observer;
    this.#clock = options.clock;
    this.#stamps = init.stamps;
    this.tags = new TagInvalidations(init.stamps);
    this.#removalEvents = new RemovalEvents(init.events);
    this.sharedMemory = init.arena;
    this.memory = init.arena ?? openMemory(options, this.#removalEvents.listeners(init.observer));
    this.#place = this.#searchPlace();
    this.shared = new SharedEntries({
      place: this.#place,
      memory: this.memory,
      reads: this.reads,
      tags: this.tags,
      drop: (entry) => this.#forget(entry),
      failed: (error, key) => this.#observer.failed(error, undefined, key),
      clearMemory: (method) => void this.#clearMemory(method),
    });
  }

  /** The entry in memory, counted as a use. A faulty store counts as an error and answers nothing. */
  get(key: string, state: MethodState, place?: Place): MemoryEntry | undefined {
    try {
      return this.use(key, place);
    } catch (cause) {
      this.#observer.failed(storeFailure('get', cause), state, key);
      return undefined;
    }
  }

  /** The entry in memory, counted as a use. Throws what a faulty store throws. */
  use(key: string, place?: Place): MemoryEntry | undefined {
    const entry = this.memory.get(key, place);
    if (this.#removalEvents.isPending) this.#removalEvents.tell();
    return entry?.tags === undefined && this.remote === undefined ? entry : this.#validated(entry);
  }

  /** The entry in memory, not counted as a use. */
  peek(key: string): MemoryEntry | undefined {
    const entry = this.memory.peek(key);
    if (this.#removalEvents.isPending) this.#removalEvents.tell();
    return entry?.tags === undefined && this.remote === undefined ? entry : this.#validated(entry);
  }

  /** The stamp of a load that begins now. What is deleted after it is newer, whoever's clock a ticket goes by. */
  begin(key: string, ticket?: LoadTicket): Stamp {
    if (ticket !== undefined) this.#stamps.observe(ticket.stamp);
    const stamp = ticket?.stamp ?? this.#beginAlone();
    this.sharedMemory?.begin(key, stamp);
    return stamp;
  }

  #beginAlone(): Stamp {
    return this.remote === undefined ? this.#stamps.begin() : this.#stamps.beginAmongOthers();
  }

  /** Watches what other processes change of a key while it is loaded, see `SlowTier.watch`. Memory has none to watch. */
  watch(key: string, method: string, onChange: LoadWatchListener): LoadWatch | undefined {
    return this.hasSlow ? this.#slowTiers.watch(key, method, onChange) : undefined;
  }

  /** Begins anew with what the slower tiers hold, whose entries have been stamped anew: at once for every reader. */
  restart(): void {
    this.reads.supersedeAll();
    this.tags.reset();
    void this.#clearMemory();
  }

  /** The newest entries of the slower tiers, see `searchBelow`. Memory that threads share has nothing below it. */
  search(keys: readonly string[], state: MethodState, options?: SearchOptions): Promise<Search[]> {
    if (this.sharedMemory === undefined) return searchBelow(this.#place, state, keys, options);
    const isClosed = this.#removalEvents.isClosed;
    return Promise.resolve(keys.map((key) => (isClosed ? undefined : inMemory(this.peek(key)))));
  }

  /** Whether anything was invalidated that may have to do with this. */
  mayBeInvalidated(tagged: Tagged): boolean {
    return this.tags.mayBeInvalidated(tagged);
  }

  /** Whether it would have been heard of by now if another machine had changed what was known at that time. */
  isCurrent(knownAt: number): boolean {
    return this.remote?.isCurrent(knownAt) ?? true;
  }

  /** Stores a value in every tier; tells whether any tier has taken it. */
  put(state: MethodState, key: string, incoming: Incoming): boolean {
    this.reads.supersede(key);
    const isFresh = incoming.lifetime.ttl !== 0;
    if (!isFresh && !this.#records) {
      this.remove(state, key, 'replace');
      return false;
    }
    if (!isFresh) this.drop(state, key, 'replace');
    const stamp = stampOf(incoming, this.#stamps);
    const entry = newEntry(incoming, { key, method: state.name, stamp, clock: this.#clock });
    if (entry.tags !== undefined && this.tags.isInvalid(entry)) {
      // Invalidated while it was loaded; and what is there is older than what the tool has said.
      this.remove(state, key, 'invalidate');
      return false;
    }
    // A load that began later may have returned at once.
    const held = incoming.began && this.memory.peek(key);
    if (held !== undefined && compareStamps(held.stamp, stamp) > 0) return false;
    if (this.hasSlow && this.isReplaced(entry)) {
      // Another process has written or deleted it while it was loaded.
      this.drop(state, key);
      return false;
    }
    let isStored = isFresh && this.#admit(state, entry, incoming.began !== undefined);
    if (this.hasSlow) {
      const record = newRecord(entry, this.keeper.toMsgpack(entry.stored), incoming.lifetime, this.#records);
      // Without the right to, a load's result is not stored where others have it from.
      const ticket = incoming.began && (incoming.ticket ?? { stamp, isVoid: true });
      isStored = this.#slowTiers.write(record, ticket, incoming.replaces) || isStored;
    }
    if (!isStored) return false;
    state.counters.sets++;
    if (this.#events.isHeard('set'))
      this.#events.emit('set', { method: state.name, key, bytes: entry.bytes });
    return true;
  }

  /** Takes a key out of every tier; tells whether memory had it. */
  remove(state: MethodState, key: string, reason: RemovalReason): boolean {
    this.reads.supersede(key);
    const existed = this.drop(state, key, reason);
    if (this.hasSlow) this.#slowTiers.delete(key, state.name, this.#stamps.next());
    return existed;
  }

  /** Takes a key out of memory alone; tells whether memory had it. */
  drop(state: MethodState, key: string, reason: RemovalReason = 'invalidate'): boolean {
    try {
      return this.memory.delete(key, reason);
    } catch (error) {
      this.#observer.failed(storeFailure('delete', error), state, key);
      return false;
    } finally {
      this.#removalEvents.tell();
    }
  }

  /** Takes a method's entries, or all, out of every tier, at once for every reader; the promise: memory has let go of them. */
  clear(method?: string): Promise<void> {
    this.reads.supersedeAll(method);
    const release = this.#clearMemory(method);
    this.#slowTiers.clear(method, this.#stamps.next());
    return release;
  }

  /** Makes void whatever carries one of the tags, in every tier, however much that is. */
  invalidateTags(tags: readonly string[]): void {
    const stamp = this.tags.invalidate(tags);
    this.sharedMemory?.invalidateTags(tags, stamp);
    this.#slowTiers.invalidateTags(tags, stamp);
  }

  /** Every live entry as its tier holds it, memory first, each key once, until it is over. Entries set meanwhile may be missing. */
  entries(method?: string, { slow = this.shared.faster, isOver }: HeldLimits = {}): AsyncGenerator<Held> {
    const sources = {
      ...{ memory: this.memory.entries(method), slow, isOver },
      isHeld: ({ key, stamp }: MemoryEntry) => this.peek(key)?.stamp.time === stamp.time,
      isInvalid: (record: Tagged) => this.tags.isInvalid(record),
    };
    return heldEntries(sources, method);
  }

  /** Drops from memory what a slower tier has learnt to be replaced or deleted meanwhile: of these keys, or of all. */
  dropReplaced(keys?: readonly string[]): Promise<void> {
    return eachInSlices<string | MemoryEntry>(keys ?? this.memory.entries(), (item) => {
      // Others may have put another entry in its place meanwhile.
      const entry = this.memory.peek(typeof item === 'string' ? item : item.key);
      if (entry !== undefined && this.isReplaced(entry)) this.#forget(entry);
    });
  }

  /** Whether a slower tier knows of something newer than this entry. */
  isReplaced(entry: MemoryEntry): boolean {
    return this.#slowTiers.isReplaced(entry);
  }

  open(): Promise<void> {
    return this.#slowTiers.open();
  }

  /** When the slower tiers have room again, for a caller that can wait; `undefined` when they have. */
  room(): Promise<unknown> | undefined {
    return this.#slowTiers.room();
  }

  flush(): Promise<void> {
    return this.#slowTiers.flush();
  }

  async close(): Promise<void> {
    this.#removalEvents.isClosed = true;
    this.reads.supersedeAll();
    this.memory.close();
    try {
      await this.#slowTiers.close();
    } finally {
      await this.#clearMemory();
    }
  }

  /** At once for every reader; the promise: all have left. */
  async #clearMemory(method?: string): Promise<void> {
    try {
      const release = this.memory.clear(method);
      this.#removalEvents.tell();
      await release;
    } catch (error) {
      this.#observer.failed(storeFailure('clear', error));
    } finally {
      this.#removalEvents.tell();
    }
  }

  #forget({ key, method }: Pick<MemoryEntry, 'key' | 'method'>): void {
    this.drop(this.#observer.state(method), key);
  }

  #searchPlace(): SearchPlace {
    return {
      slow: this.slow,
      remote: this.remote,
      keeper: this.keeper,
      clock: this.#clock,
      reads: this.reads,
      observe: (stamp) => this.#stamps.observe(stamp),
      isInvalid: (tagged) => this.tags.isInvalid(tagged),
      peek: (key) => this.peek(key),
      get: (key, state) => this.get(key, state),
      admit: (state, entry) => void this.#admit(state, entry),
      isClosed: () => this.#removalEvents.isClosed,
      failed: (error, state, key) => this.#observer.failed(error, state, key),
    };
  }

  /** An entry that may be answered: it is not invalid, and others would have been heard of if they had changed it. */
  #validated(entry: MemoryEntry | undefined): MemoryEntry | undefined {
    if (entry === undefined) return undefined;
    if (entry.tags !== undefined && this.tags.isInvalid(entry)) {
      this.#forget(entry);
      return undefined;
    }
    if (this.remote === undefined || this.remote.isCurrent(entry.knownElapsed)) return entry;
    return this.#observer.state(entry.method).options.coherence === 'available' ? entry : undefined;
  }

  #admit(state: MethodState, entry: MemoryEntry, isLoaded = false): boolean {
    if (this.#removalEvents.isClosed) return false;
    if (entry.origin !== undefined) state.shareParams(entry);
    try {
      if (this.memory.set(entry, isLoaded)) {
        if (this.sharedMemory === undefined) state.counters.added(entry.bytes);
        return true;
      }
      state.counters.refused++;
      return false;
    } catch (error) {
      this.#observer.failed(storeFailure('set', error), state, entry.key);
      // The older value, which it may still hold, is not to be answered any more.
      this.drop(state, entry.key, 'refuse');
      return false;
    } finally {
      if (this.#removalEvents.isPending) this.#removalEvents.tell();
    }
  }
}
