/**
 * Keys of arguments that were seen before. Canonical JSON and its md5 take most of the time of a hit, and what they decide
 * need not be decided again: a cheap hash of the arguments leads to a slot that holds a private copy of them, and the key
 * of that copy. Arguments that are not exactly the same go the canonical road, which alone defines keys.
 */

import { stringBytes } from '../value/heap-size.js';
import { ownString } from '../value/own-string.js';
import { Snapshot, snapshotOf } from './argument-snapshot.js';
import { argumentHash, isSame, type Token, textHash } from './argument-walk.js';
import type { KeyHasher } from './key-hasher.js';

/** What slots take is counted here, for one method. */
export interface SlotMeter {
  indexBytes: number;
}

/** Slots with one remainder of their hash, the one used last first. */
const slotsInBucket = 8;

/** The most slots of an index. */
const mostSlots = 10_000;

/** A slot's own objects and its key. */
const slotBytes = 96 + stringBytes('0'.repeat(32));

/** Arguments that take more are not held before they come again. */
const mostLatestBytes = 16 * 1024;

/** Where so many slots of one hash hold other arguments than those asked for, only one in so many is taken in. */
const crowd = 4;
const crowdShare = 32;

/** Whether a walk is under way, as when a getter asks for a key: nothing else can be walked over meanwhile. */
let isWalking = false;

/** Arguments whose key is known. */
export interface KnownArguments {
  /** Together with `at` a `Place` of the store's. */
  key: string;
  at: number;
  /** Whether params, which nobody else can change, are the very same. */
  areSameAs(params: unknown): boolean;
}

/** The index's own copy of arguments, and their key. */
export interface HeldArguments extends KnownArguments {
  /** The params, as a value that nobody else has. */
  value(): unknown;
  /** Calls `onLeft` when the index lets go of them, of the one who has asked for it last. */
  whenLeft(onLeft: () => void): void;
}

/** A call that copies its arguments sooner or later, for its tool. */
export interface CopyingCall {
  /** The params of a copy of the arguments that nobody else can change, the one that the tool is given. */
  ownParams(): unknown;
}

/** Arguments that were seen, and their key. */
class Slot implements HeldArguments {
  readonly tokens: readonly Token[];
  readonly scope: string | undefined;
  readonly chain: string;
  key: string;
  at = -1;
  readonly hash: number;
  readonly bytes: number;
  readonly meter: SlotMeter;
  /** Whether the index has it, and counts it. */
  isTaken = false;
  #onLeft: (() => void) | undefined;

  /** The key is that of the private copy: what the caller has may say something else by now. */
  constructor(hash: number, snapshot: Snapshot, scope: string | undefined, { chain, hashKey, meter }: Chain) {
    this.tokens = snapshot.tokens;
    this.scope = scope && ownString(scope);
    this.chain = chain;
    this.key = hashKey(snapshot.value(), scope);
    this.hash = hash;
    this.bytes = slotBytes + snapshot.bytes + (scope === undefined ? 0 : stringBytes(scope));
    this.meter = meter;
  }

  holds(params: unknown, scope: string | undefined, chain: string): boolean {
    return this.scope === scope && this.chain === chain && isSame(params, this.tokens);
  }

  areSameAs(params: unknown): boolean {
    return isSame(params, this.tokens);
  }

  value(): unknown {
    return new Snapshot(this.tokens, this.bytes).value();
  }

  whenLeft(onLeft: () => void): void {
    this.#onLeft = onLeft;
  }

  leave(): void {
    this.isTaken = false;
    this.#onLeft?.();
    this.#onLeft = undefined;
  }
}

/** Nothing else can be asked where a call's own copy has made the key. */
const areTheCopy = () => true;

/** The arguments of one cache's calls. */
export class ArgumentIndex {
  readonly #buckets: number;
  readonly #maxBytes: number;
  /**
   * All buckets one after the other, each with the slot used last first, and their hashes in the same places: a look through a
   * bucket meets no memory but that of the slot it finds. Empty until the first call.
   */
  #slots: (Slot | undefined)[] = [];
  #hashes = new Int32Array(0);
  #bytes = 0;
  #size = 0;
  /** Where slots leave next for want of bytes. */
  #hand = 0;
  #strangers = 0;
  /** Hashes of arguments seen lately, each in the place that it tells. */
  #seen = new Int32Array(0);
  /** What was asked for last and has no place yet: the tool's copy of a call's arguments is compared with it, and the next call. */
  #latest: Slot | undefined;

  readonly #onTaken: ((taken: HeldArguments) => void) | undefined;

  /**
   * @param most how many entries, and bytes, the memory tier holds at most
   * @param onTaken hears of arguments that were taken in
   */
  constructor(
    { maxSize, maxBytes }: { readonly maxSize: number; readonly maxBytes: number },
    onTaken?: (taken: HeldArguments) => void,
  ) {
    this.#onTaken = onTaken;
    // Twice as many as there are entries: hashes spread slots unevenly over buckets.
    this.#buckets = Math.ceil(Math.min(mostSlots, 2 * maxSize) / slotsInBucket);
    this.#maxBytes = Math.floor(maxBytes / 16);
  }

  /** How many slots are taken. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that all slots take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Arguments that were taken in, or asked for last, else `undefined`. It is no use of them. */
  find(params: unknown, scope: string | undefined, chain: Chain): KnownArguments | undefined {
    return this.known(params, scope, chain, undefined, false);
  }

  /** Arguments that were taken in, else `undefined`. It is no use of them. */
  taken(params: unknown, scope: string | undefined, chain: Chain): HeldArguments | undefined {
    const known = this.find(params, scope, chain);
    return known instanceof Slot && known.isTaken ? known : undefined;
  }

  /** Lets go of all arguments. */
  clear(): void {
    for (const slot of this.#slots) if (slot !== undefined) this.#leave(slot);
    this.#slots = [];
    this.#hashes = new Int32Array(0);
    this.#latest = undefined;
  }

  /**
   * Arguments that are plain data, and their key; `undefined` for others. Those that come a second time are taken in.
   * @param call whose own copy makes the key of arguments not seen before
   * @param isUse without it, they are only looked for
   */
  known(
    params: unknown,
    scope: string | undefined,
    of: Chain,
    call?: CopyingCall,
    isUse = true,
  ): KnownArguments | undefined {
    if (isWalking) return undefined;
    isWalking = true;
    try {
      // Mostly the copy of what was asked for just before.
      if (!isUse && this.#latest?.holds(params, scope, of.chain)) return this.#latest;
      const hash = argumentHash(params, scope === undefined ? of.seed : textHash(scope, of.seed));
      if (hash === undefined) return undefined;
      const first = ((hash >>> 0) % this.#buckets) * slotsInBucket;
      for (let at = first; at < first + slotsInBucket; at++) {
        if (this.#hashes[at] !== hash) continue;
        const slot = this.#slots[at];
        if (!slot?.holds(params, scope, of.chain)) continue;
        if (at > first) this.#moveUp(at, first);
        return slot;
      }
      return isUse ? this.#unplaced(params, scope, of, { hash, first, call }) : undefined;
    } catch {
      // What a getter throws is for the canonical road to tell.
      return undefined;
    } finally {
      isWalking = false;
    }
  }

  #unplaced(
    params: unknown,
    scope: string | undefined,
    of: Chain,
    {
      hash,
      first,
      call,
    }: { readonly hash: number; readonly first: number; readonly call: CopyingCall | undefined },
  ): KnownArguments | undefined {
    const latest = this.#latest;
    const isLatest = latest?.hash === hash && latest.holds(params, scope, of.chain);
    const standing = this.#standing(hash, first);
    let slot = latest;
    if (!isLatest || slot === undefined) {
      // They will hardly be found, or may never come again: a copy of our own would cost more than it spares.
      if (standing === 'crowded') {
        const key = of.hashKey(params, scope);
        return { key, at: -1, areSameAs: (copy) => of.hashKey(copy, scope) === key };
      }
      if (standing === 'new' && call !== undefined)
        return { key: of.hashKey(call.ownParams(), scope), at: -1, areSameAs: areTheCopy };
      const snapshot = snapshotOf(params);
      if (snapshot === undefined) return undefined;
      slot = new Slot(hash, snapshot, scope, of);
    }
    if (standing === 'seen' && slot.bytes <= this.#maxBytes) this.#take(slot, first);
    else this.#latest = slot.bytes > mostLatestBytes ? undefined : slot;
    return slot;
  }

  /**
   * Whether arguments were seen before, which are to be taken in then, as most never come again. Most of those that come
   * to a bucket of near-duplicates, equal in all that the hash looks at, are left out: to take each in, and to push another
   * out, would cost more than it spares.
   */
  #standing(hash: number, first: number): 'new' | 'seen' | 'crowded' {
    if (this.#seen.length === 0)
      this.#seen = new Int32Array(2 ** Math.ceil(Math.log2(2 * slotsInBucket * this.#buckets)));
    const mark = hash & (this.#seen.length - 1);
    const isSeen = this.#seen[mark] === hash;
    this.#seen[mark] = hash;
    if (!isSeen) return 'new';
    const last = first + slotsInBucket;
    if (this.#slots[last - 1] === undefined) return 'seen';
    const alike = this.#hashes.subarray(first, last).filter((each) => each === hash).length;
    return alike < crowd || ++this.#strangers % crowdShare === 0 ? 'seen' : 'crowded';
  }

  #take(slot: Slot, first: number): void {
    const { bytes, hash } = slot;
    if (this.#slots.length === 0) {
      this.#slots = new Array<Slot | undefined>(this.#buckets * slotsInBucket).fill(undefined);
      this.#hashes = new Int32Array(this.#slots.length);
    }
    if (this.#latest === slot) this.#latest = undefined;
    const last = first + slotsInBucket - 1;
    this.#empty(last);
    while (this.#bytes + bytes > this.#maxBytes) this.#makeRoom();
    this.#slots[last] = slot;
    this.#hashes[last] = hash;
    this.#moveUp(last, first);
    this.#size++;
    this.#bytes += bytes;
    slot.meter.indexBytes += bytes;
    slot.isTaken = true;
    this.#onTaken?.(slot);
  }

  /** Makes a slot the first of its bucket. */
  #moveUp(at: number, first: number): void {
    const slot = this.#slots[at];
    this.#slots.copyWithin(first + 1, first, at);
    this.#slots[first] = slot;
    const hash = this.#hashes[at]!;
    this.#hashes.copyWithin(first + 1, first, at);
    this.#hashes[first] = hash;
  }

  /** Lets the slot go that was used least recently in the next bucket. */
  #makeRoom(): void {
    for (;;) {
      this.#hand = (this.#hand + 1) % this.#buckets;
      const first = this.#hand * slotsInBucket;
      let at = first + slotsInBucket - 1;
      while (at > first && this.#slots[at] === undefined) at--;
      if (this.#slots[at] === undefined) continue;
      this.#empty(at);
      return;
    }
  }

  #empty(at: number): void {
    const slot = this.#slots[at];
    if (slot === undefined) return;
    this.#slots[at] = undefined;
    this.#hashes[at] = 0;
    this.#leave(slot);
  }

  #leave(slot: Slot): void {
    this.#size--;
    this.#bytes -= slot.bytes;
    slot.meter.indexBytes -= slot.bytes;
    slot.leave();
  }
}

/** One method's calls under one version. */
export class Chain {
  /** What enters their keys besides params and scope. */
  readonly chain: string;
  /** The hash of that. */
  readonly seed: number;
  /** The canonical road. */
  readonly hashKey: KeyHasher;
  readonly meter: SlotMeter;

  constructor(chain: string, hashKey: KeyHasher, meter: SlotMeter) {
    this.chain = chain;
    this.seed = textHash(chain, 0);
    this.hashKey = hashKey;
    this.meter = meter;
  }
}
