/** How changes of this machine get to Redis: at once where it can be reached, first of all after the next connection else. */

import { systemClock, type Timer } from '../clock.js';
import { CacheError, messageOf } from '../errors.js';
import type { Stamp } from '../stamp.js';
import type { RemoteChange, TierRecord } from '../tier.js';
import type { LinkSession, RedisLink } from './redis-link.js';
import { markerOf, type NewChange, type PendingChange, RedisOutbox } from './redis-outbox.js';
import { texts } from './redis-script.js';
import { redisScripts } from './redis-scripts.js';
import type { RedisSpaces } from './redis-spaces.js';
import { callerOf, stampFrom, stampText, type ValueParts } from './redis-value.js';

/** What changes are sent with. */
export interface RedisChangesInit {
  readonly link: RedisLink;
  readonly space: RedisSpaces;
  readonly maxMarkers: number;
  /** How many may wait. */
  readonly limit: number;
  /** Hears that a change has got through late: what this machine holds may be older. */
  readonly onChange: (change: RemoteChange) => void;
  readonly onStamp: (stamp: Stamp) => void;
  readonly onError: (error: CacheError) => void;
  /** Hears that a change has to wait. */
  readonly onWaiting: () => void;
}

/** What tells whether a clearing concerns a value. */
interface Clearable {
  readonly method: string;
  readonly tags: readonly string[] | undefined;
}

/** How a value is set. */
interface SetValue extends Clearable {
  /** How long it is to stay, in ms. */
  readonly life: number;
  /** The stamp of what it may replace, if not anything. */
  readonly replaces: Stamp | undefined;
  /** Hears which stamp it has for all, unless it was changed here meanwhile. */
  readonly onStored: (stamp: Stamp) => void;
}

/** So many are sent before their answers are waited for. */
const batch = 500;
const retryMs = 500;

export class RedisChanges {
  readonly #init: RedisChangesInit;
  readonly #outbox: RedisOutbox;
  #retry: Timer | undefined;
  /** Values that are set once the clearings before them are made. */
  readonly #held = new Map<PendingChange, Clearable>();

  constructor(init: RedisChangesInit) {
    this.#init = init;
    this.#outbox = new RedisOutbox(init.limit);
  }

  get size(): number {
    return this.#outbox.size;
  }

  ofKey(key: string): PendingChange | undefined {
    return this.#outbox.ofKey(key);
  }

  covers(record: Pick<TierRecord, 'method' | 'tags'>): boolean {
    return this.#outbox.covers(record);
  }

  /** Makes a deletion or a clearing known. @param isLate what this machine holds of it is to go too, once it is known */
  make(change: NewChange, isLate = false): void {
    const pending = this.#outbox.add(change, isLate);
    const { link, onWaiting } = this.#init;
    const covered =
      change.kind === 'key' ? [] : [...this.#held].filter(([, each]) => isCovered(each, change));
    if (link.isReady) void this.#send(pending, link);
    else onWaiting();
    // What was set before this clearing would be stamped as if after it.
    for (const [each] of covered) {
      this.#held.delete(each);
      each.isLate = true;
      if (link.isReady && this.#outbox.has(each)) void this.#send(each, link);
    }
    if (!link.isUsable) this.#outbox.bound();
  }

  /** Takes over a change that an earlier process could not send. */
  adopt(change: NewChange): void {
    this.#outbox.add(change, true);
    this.#outbox.bound();
  }

  /** What Redis does not have yet. */
  waiting(): NewChange[] {
    return this.#outbox.all().map(({ change }) => change);
  }

  /** Sets a value; where that fails its key is deleted instead, once that is possible. */
  set(
    change: Extract<NewChange, { kind: 'key' }>,
    { head, tail, life, replaces, onStored, method, tags }: ValueParts & SetValue,
  ): void {
    const pending = this.#outbox.add(change);
    const { link, space } = this.#init;
    const { connections } = link;
    pending.over = connections;
    const send = () => {
      // Meanwhile it may have been changed again, or have become a deletion.
      if (link.connections !== connections || !this.#outbox.has(pending)) return;
      const { keys, args } = space.ofKey(change.key);
      const isNew = replaces === undefined;
      const least = isNew ? space.markerTime() + 1 : 0;
      const stamp = { ...change.stamp, time: Math.max(change.stamp.time, least) };
      const rest = [...callerOf(stamp), head, tail, String(life), `${change.key}${change.method}`];
      const known = isNew ? '' : stampText(replaces);
      void this.#finish(pending, link.run(redisScripts.set, keys, [...args, ...rest, known]), onStored);
    };
    const cleared = this.cleared();
    if (cleared === undefined) send();
    else {
      this.#held.set(pending, { method, tags });
      void cleared.then(() => {
        if (this.#held.delete(pending)) send();
      });
    }
    if (!link.isUsable) this.#outbox.bound();
  }

  /**
   * Resolves once the clearings that are under way now are made, `undefined` where none is. In a cluster other servers than
   * theirs stamp values, which would be taken for older than a clearing that comes to its server later.
   */
  cleared(): Promise<void> | undefined {
    return this.#init.space.isCluster && this.#outbox.hasClearing
      ? this.#made(this.#outbox.clearings())
      : undefined;
  }

  async #made(clearings: readonly PendingChange[]): Promise<void> {
    for (const each of clearings) while (this.#outbox.has(each)) await this.#outbox.progress();
  }

  /** Resolves when a key has no change left that Redis does not know. */
  async settled(key: string): Promise<void> {
    while (this.#outbox.ofKey(key) !== undefined) await this.#outbox.progress();
  }

  /** Resolves when all that was sent was acknowledged, or something has failed. */
  async sent(): Promise<void> {
    if (this.#outbox.size > 0) await this.#outbox.progress();
  }

  /** When fewer changes are on their way, for who makes many; `undefined` where there are few. */
  room(): Promise<void> | undefined {
    return this.#outbox.size > this.#init.limit / 2 ? this.#halfSent() : undefined;
  }

  async #halfSent(): Promise<void> {
    while (this.#outbox.size > this.#init.limit / 2) await this.#outbox.progress();
  }

  /** Resolves when Redis has acknowledged all; rejects while it can't be reached, and when it refuses one. */
  async flush(): Promise<void> {
    const { link } = this.#init;
    // The first attempt to connect may still be under way.
    if (this.#outbox.size > 0) await link.opened().catch(() => undefined);
    while (this.#outbox.size > 0) {
      if (!link.isUsable) {
        throw new CacheError('ERR_STORAGE', `${this.#outbox.size} changes wait until Redis can be reached`, {
          cause: link.problem,
        });
      }
      const cause = await link.inTime(() => this.#outbox.progress());
      if (cause === undefined || !link.isUsable) continue;
      const message = `${this.#outbox.size} changes wait, as Redis refuses one: ${messageOf(cause)}`;
      throw new CacheError('ERR_STORAGE', message, { cause });
    }
  }

  /** Sends all that waits, before anything is asked over new connections. */
  async sendAll(session: LinkSession): Promise<void> {
    const all = this.#outbox.all();
    for (let from = 0; from < all.length; from += batch) {
      const some = all.slice(from, from + batch);
      for (const each of some) each.isLate = true;
      const failures = await Promise.all(some.map((each) => this.#send(each, session)));
      const failure = failures.find((each) => each !== undefined);
      if (failure !== undefined) throw failure;
    }
  }

  /** Sends what is not on its way: it came while others were sent, or has failed. */
  sendRest(): void {
    const { link } = this.#init;
    for (const pending of this.#outbox.all()) {
      if (!link.isReady) return;
      if (pending.over === link.connections) continue;
      pending.isLate = true;
      void this.#send(pending, link);
    }
  }

  /** Sends one; what has gone wrong, if anything has. */
  #send(pending: PendingChange, session: Pick<LinkSession, 'run'>): Promise<unknown> {
    const { space, maxMarkers, link } = this.#init;
    const { change } = pending;
    pending.over = link.connections;
    if (change.kind === 'key') {
      const { keys, args } = space.ofKey(change.key);
      const rest = [...callerOf(change.stamp), `${change.key}${change.method}`];
      return this.#finish(pending, session.run(redisScripts.delete, keys, [...args, ...rest]));
    }
    const { keys, args } = space.ofMarkers();
    // In a cluster other servers, whose clocks may be ahead, have stamped the values.
    const time = Math.max(change.stamp.time, space.latestTime());
    const rest = [...callerOf({ ...change.stamp, time }), markerOf(change), String(maxMarkers)];
    return this.#finish(pending, session.run(redisScripts.mark, keys, [...args, ...rest]));
  }

  async #finish(
    pending: PendingChange,
    sent: Promise<unknown>,
    onStored?: SetValue['onStored'],
  ): Promise<unknown> {
    try {
      const [outcome, text = '', place = ''] = texts(await sent, 1);
      if (outcome === 'epoch')
        throw new CacheError('ERR_STORAGE', 'Redis was emptied, or began another epoch');
      // What this machine holds is what others have changed.
      if (outcome === 'refused') pending.isLate = true;
      const isNewest = !pending.isLate && this.#outbox.has(pending);
      const { change } = pending;
      this.#init.space.acknowledge(change.kind === 'key' ? change.key : undefined, place);
      this.#acknowledged(pending, text);
      if (isNewest) onStored?.(stampFrom(text));
      return undefined;
    } catch (error) {
      pending.isLate = true;
      pending.over = undefined;
      this.#outbox.bound();
      this.#outbox.fail(error);
      this.#init.onWaiting();
      const { link, onError } = this.#init;
      if (link.isReady) {
        const message = `Telling Redis of a change failed, it is tried again: ${messageOf(error)}`;
        onError(new CacheError('ERR_STORAGE', message, { cause: error }));
        if (messageOf(error).includes('another epoch')) link.restart(error);
        else this.#retryLater();
      }
      return error;
    }
  }

  #acknowledged(pending: PendingChange, text: string): void {
    const { change, isLate } = pending;
    const stamp = stampFrom(text);
    const { space, onChange, onStamp } = this.#init;
    // Before the marker: what is set from now on is newer than it.
    onStamp(stamp);
    if (change.kind !== 'key') space.markers.mark(markerOf(change), stamp);
    // What came in between must not be taken for newer than this.
    if (isLate) onChange({ ...change, stamp });
    this.#outbox.acknowledge(pending);
  }

  #retryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = systemClock.schedule(() => {
      this.#retry = undefined;
      this.sendRest();
    }, retryMs);
  }
}

function isCovered({ method, tags }: Clearable, clearing: Exclude<NewChange, { kind: 'key' }>): boolean {
  if (clearing.kind === 'tag') return tags?.includes(clearing.tag) === true;
  return clearing.method === undefined || clearing.method === method;
}
