/** How long the answers of tools stay equal, learnt from some of their keys as they are loaded anew or verified. */

import type { AgeObserver, LoadedValue } from '../answers.js';
import type { CacheEvents } from '../index.js';
import { createKeyHasher } from '../key/key-hasher.js';
import type { CacheCore } from '../manager/cache-context.js';
import { nodeCrypto } from '../node-crypto.js';
import { largeValueBytes } from '../value/large-value.js';
import { Survival } from './survival.js';

/** Methods that are watched, and keys of each at once: some 200 bytes a key. */
const mostMethods = 200;
const mostKeys = 1_000;
/** Renewals of each method that are remembered, the latest. */
const mostRenewals = 1_000;

/** By the canonical form that keys have. */
const digestOf = createKeyHasher('answer');

/** An answer that is watched. */
interface Watched {
  /** `undefined` where it was loaded before, or is not compared by it. */
  readonly digest: string | undefined;
  /** When it was loaded first, and last, epoch ms. */
  readonly since: number;
  loadedAt: number;
  /** Its age when it was last seen unchanged, ms. */
  unchangedMs: number;
  /** When the entry was stored that was found changed, epoch ms: it counts once, however often it is verified. */
  readonly changedOf?: number;
  readonly isTagged: boolean;
}

/** A load of what had been loaded before, and has expired since. */
export interface Renewal {
  readonly afterMs: number;
}

/** What is known of one method. */
export class MethodAges {
  readonly #keys = new Map<string, Watched>();
  /** All that was seen of answers, those under way as unchanged so far. */
  readonly survival = new Survival();
  /** Keys are a sample: those whose hash is below this. All at first, half as many each time there are too many. */
  #limit = 2 ** 32;
  readonly renewals: Renewal[] = [];
  /** The ttls that values were stored with. */
  readonly ttls = { sumMs: 0, finite: 0, endless: 0, least: Number.POSITIVE_INFINITY, most: 0 };

  isSampled(key: string): boolean {
    return Number.parseInt(key.slice(0, 8), 16) < this.#limit;
  }

  loaded({ key, ttl, isTagged }: LoadedValue, digest: string | undefined, now: number): void {
    this.#noteTtl(ttl);
    const known = this.#keys.get(key);
    if (known === undefined) {
      this.#watch(key, { digest, since: now, loadedAt: now, unchangedMs: 0, isTagged });
      return;
    }
    const age = now - known.since;
    const afterMs = now - known.loadedAt;
    // What memory had no more room for is loaded again before its time: a longer ttl would not spare that.
    if (ttl !== null && afterMs >= 0.9 * ttl && this.renewals.push({ afterMs }) > mostRenewals)
      this.renewals.shift();
    const isComparable = known.digest !== undefined && digest !== undefined;
    if (isComparable && known.digest === digest) {
      this.#stayed(known, age);
      known.loadedAt = now;
      return;
    }
    if (isComparable) this.#changed(known, age);
    this.#watch(key, { digest, since: now, loadedAt: now, unchangedMs: 0, isTagged });
  }

  verified(key: string, createdAt: number, { isEqual, now }: { isEqual: boolean; now: number }): void {
    const last = this.#keys.get(key);
    if (last?.changedOf === createdAt) return;
    const known =
      last === undefined || last.changedOf !== undefined
        ? { digest: undefined, since: createdAt, loadedAt: createdAt, unchangedMs: 0, isTagged: false }
        : last;
    const age = now - known.since;
    if (isEqual) {
      this.#stayed(known, age);
      if (known !== last) this.#watch(key, known);
      return;
    }
    this.#changed(known, age);
    // What the cache has is of the past: the next load begins anew.
    this.#watch(key, { ...known, digest: undefined, unchangedMs: 0, changedOf: createdAt });
  }

  /** It was said to have changed: what comes next says nothing of its ttl. */
  forget(key: string): void {
    this.#keys.delete(key);
  }

  forgetAll({ isTagged }: { readonly isTagged: boolean }): void {
    for (const [key, known] of this.#keys) if (!isTagged || known.isTagged) this.forget(key);
  }

  #stayed(known: Watched, age: number): void {
    // The clock may have been set back.
    const ageMs = Math.max(age, known.unchangedMs);
    if (known.unchangedMs > 0) this.survival.extend(known.unchangedMs, ageMs);
    else if (ageMs > 0) this.survival.add(ageMs);
    known.unchangedMs = ageMs;
  }

  #changed({ unchangedMs }: Watched, ageMs: number): void {
    const changedMs = Math.max(ageMs, unchangedMs);
    if (unchangedMs > 0) this.survival.extend(unchangedMs, unchangedMs, changedMs);
    else this.survival.add(0, changedMs);
  }

  #watch(key: string, watched: Watched): void {
    this.#keys.set(key, watched);
    while (this.#keys.size > mostKeys) {
      this.#limit /= 2;
      for (const each of this.#keys.keys()) if (!this.isSampled(each)) this.forget(each);
    }
  }

  #noteTtl(ttl: number | null): void {
    const { ttls } = this;
    if (ttl === null) ttls.endless += 1;
    else {
      ttls.finite += 1;
      ttls.sumMs += ttl;
      ttls.least = Math.min(ttls.least, ttl);
      ttls.most = Math.max(ttls.most, ttl);
    }
  }
}

/** What is known of a cache's methods. */
export class AnswerAges implements AgeObserver {
  readonly #core: CacheCore;
  readonly methods = new Map<string, MethodAges>();

  constructor(core: CacheCore) {
    this.#core = core;
  }

  /** Begins to learn. Returns what ends it. */
  start(): () => void {
    const { events } = this.#core;
    const onDelete = ({ method, key }: CacheEvents['delete']) => this.methods.get(method)?.forget(key);
    const onRemove = ({ method, key, reason }: CacheEvents['remove']) => {
      if (reason === 'invalidate' || reason === 'delete') this.methods.get(method)?.forget(key);
    };
    const onClear = ({ method }: CacheEvents['clear']) => {
      for (const [name, ages] of this.methods)
        if (method === undefined || name === method) ages.forgetAll({ isTagged: false });
    };
    const onTags = () => {
      for (const ages of this.methods.values()) ages.forgetAll({ isTagged: true });
    };
    events.on('delete', onDelete);
    events.on('remove', onRemove);
    events.on('clear', onClear);
    events.on('invalidateTags', onTags);
    this.#core.ages = this;
    return () => {
      events.off('delete', onDelete);
      events.off('remove', onRemove);
      events.off('clear', onClear);
      events.off('invalidateTags', onTags);
      if (this.#core.ages === this) this.#core.ages = undefined;
    };
  }

  loaded(value: LoadedValue): void {
    const ages = this.#of(value.method);
    if (ages?.isSampled(value.key) !== true) return;
    try {
      const digest = this.#isJudged(value.method) ? undefined : this.#digestOf(value.stored);
      ages.loaded(value, digest, this.#core.options.clock.now());
    } catch {
      // What can't be encoded was told where it was stored.
    }
  }

  verified({ method, key, createdAt }: Parameters<AgeObserver['verified']>[0], isEqual: boolean): void {
    const ages = this.#of(method);
    if (ages?.isSampled(key) === true)
      ages.verified(key, createdAt, { isEqual, now: this.#core.options.clock.now() });
  }

  #isJudged(method: string): boolean {
    return this.#core.observers?.some((observer) => observer.judges?.(method) === true) === true;
  }

  /** Of values below 64 KiB whatever the order of their fields, as those are compared who verify hits; of others, for time's sake, by their bytes. */
  #digestOf(stored: unknown): string {
    const { keeper } = this.#core;
    const bytes = keeper.toMsgpack(stored);
    try {
      if (bytes.byteLength < largeValueBytes) return digestOf(keeper.decode(stored));
    } catch {
      // Instances of classes have no canonical form.
    }
    return nodeCrypto().hash('md5', bytes);
  }

  #of(method: string): MethodAges | undefined {
    const known = this.methods.get(method);
    if (known !== undefined || this.methods.size >= mostMethods) return known;
    const ages = new MethodAges();
    this.methods.set(method, ages);
    return ages;
  }
}
