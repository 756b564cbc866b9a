/**
 * What machines agree on beside values, in one part or many. One server has it in one: the tag `all`. In a cluster the values
 * of a tag, their log and state share a slot, so that there are 256 parts, and one more for the markers of what was cleared.
 */

import { messageOf } from '../errors.js';
import { clockSlack, type Stamp } from '../stamp.js';
import type { RemoteChange } from '../tier.js';
import { MarkerTable } from './marker-table.js';
import type { LinkSession } from './redis-link.js';
import type { Left, Progress } from './redis-log.js';
import type { Beat } from './redis-nodes.js';
import { texts } from './redis-script.js';
import { redisScripts } from './redis-scripts.js';
import type { RedisSpaceInit } from './redis-space.js';
import { RedisSpace } from './redis-space.js';
import type { ServerTime } from './server-clock.js';

/** The keys and first arguments of a script about one key. */
export interface KeyArguments {
  readonly keys: string[];
  readonly args: string[];
}

/** Every tag that a key can have. */
const tags = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, '0'));
/** The least that each part keeps of its changes. */
const leastLog = 100;

export class RedisSpaces {
  readonly markers: MarkerTable;
  readonly #init: RedisSpaceInit;
  /** That of the markers; without a cluster, of everything. */
  readonly #all: RedisSpace;
  readonly #byTag = new Map<string, RedisSpace>();
  readonly #byChannel: ReadonlyMap<string, RedisSpace>;
  /** Whether keys with different tags may lie on different servers. */
  readonly isCluster: boolean;
  /** Whether a part has lost track while that is gathered, to be told once. */
  #isUnknown = false;
  #isGathering = false;
  /** All parts, those first of which a server was not asked for longest. */
  #turns: readonly RedisSpace[];

  constructor(init: Omit<RedisSpaceInit, 'markers' | 'tag'>, isCluster: boolean) {
    this.markers = new MarkerTable(init.maxMarkers);
    this.isCluster = isCluster;
    const onChange = (change: RemoteChange) => {
      if (change.kind === 'unknown' && this.#isGathering) this.#isUnknown = true;
      else init.onChange(change);
    };
    const logLength = isCluster
      ? Math.max(leastLog, Math.ceil(init.logLength / tags.length))
      : init.logLength;
    this.#init = { ...init, onChange, markers: this.markers, tag: 'all' };
    this.#all = new RedisSpace(this.#init);
    if (isCluster) {
      const onClock = () => undefined;
      for (const tag of tags)
        this.#byTag.set(tag, new RedisSpace({ ...this.#init, onClock, logLength, tag }));
    }
    this.#byChannel = new Map(this.#each().map(([, space]) => [space.channel, space]));
    this.#turns = [...this.#byChannel.values()];
  }

  get channels(): readonly string[] {
    return [...this.#byChannel.keys()];
  }

  /** How far the log of each part is followed; `undefined` before that of all is. */
  get progress(): Readonly<Record<string, Progress>> | undefined {
    const progress: Record<string, Progress> = {};
    for (const [tag, space] of this.#each()) {
      if (space.progress === undefined) return undefined;
      progress[tag] = space.progress;
    }
    return progress;
  }

  /** What the values of a key must say to count: of the epochs of its part and of the markers. */
  epochOf(key: string): string {
    if (!this.isCluster) return this.#all.epoch;
    const [own, all] = [this.#of(key).epoch, this.#all.epoch];
    return own === '' || all === '' ? '' : `${own.slice(0, 8)}${all.slice(0, 8)}`;
  }

  resume({ progress, hasOthers }: Left): void {
    for (const [tag, space] of this.#each()) space.resume(progress[tag], hasOthers);
  }

  /** The server has a change in its log, of a key or of markers, at that place. */
  acknowledge(key: string | undefined, id: string): void {
    (key === undefined ? this.#all : this.#of(key)).acknowledge(id);
  }

  /** Whether anything of that stamp, whatever its part, may have been changed without this machine having heard of it. */
  isDoubtful(stamp: Stamp): boolean {
    for (const space of this.#byTag.values()) if (space.isDoubtful(stamp)) return true;
    return this.#all.isDoubtful(stamp);
  }

  ofKey(key: string): KeyArguments {
    const { state, log, args } = this.#of(key);
    const own = this.valueKey(key);
    return { keys: [own, state, log, `${own}:renewal`], args };
  }

  ofMarkers(): KeyArguments {
    return this.#all.ofMarkers();
  }

  valueKey(key: string): string {
    return `${this.#init.prefix}:{${key.slice(0, 2)}}:${key}`;
  }

  /** The newest time of a marker that is known, in microseconds: 0 where one server stamps everything. */
  markerTime(): number {
    return this.isCluster ? this.markers.newestTime : 0;
  }

  /** A time that no server has passed, in microseconds: 0 where one server stamps everything. */
  latestTime(): number {
    return this.isCluster ? this.serverTime() : 0;
  }

  /** What time it is on the server whose clock is furthest ahead, or was at the latest, in microseconds. */
  serverTime(): number {
    return Math.max(...this.#each().map(([, space]) => space.latestTime()));
  }

  /** Reads what has happened since the last time, and takes it in. */
  async begin(session: LinkSession): Promise<void> {
    this.#isGathering = true;
    try {
      const spaces = this.#each().map(([, space]) => space);
      const { time } = this.#init.newestStamp();
      const runs = await Promise.all(Array.from({ length: session.count }, (_, at) => runAt(session, at)));
      await Promise.all(spaces.map((space) => space.begin(session, runs)));
      // What this machine has stamped so far ahead would outlive what others change now.
      if (spaces.every((space) => time > space.latestTime() + clockSlack))
        for (const space of spaces) space.forget();
    } finally {
      this.#tellUnknown();
    }
  }

  /**
   * What a server is asked at a heartbeat, about one of its parts after the other: one that does not serve them any more, as it
   * was cut off from the others of its cluster, would else go on being heard.
   * @param has whether it has a key
   */
  beatOf(has: (key: string) => boolean): Beat | undefined {
    const spaces = this.#turns.filter(({ state }) => has(state));
    const [space] = spaces;
    if (space?.progress === undefined) return undefined;
    this.#turns = [...this.#turns.filter((other) => other !== space), space];
    const { id } = space.progress;
    const askedAt = this.#init.clock.elapsed();
    const hear = (reply: unknown) => {
      if (reply === undefined) return this.#caughtUp();
      const [time, last] = texts(reply, 2);
      this.#hearTime({ time: Number(time), askedAt }, spaces);
      space.hearEnd(last!, id);
      return this.#caughtUp();
    };
    return { script: redisScripts.beat, key: space.state, hear };
  }

  /** Resolves when no part reads from its log what it has missed. */
  async #caughtUp(): Promise<void> {
    for (const space of this.#turns) while (space.catchingUp !== undefined) await space.catchingUp;
  }

  #hearTime(time: ServerTime, spaces: readonly RedisSpace[]): void {
    this.#isGathering = true;
    // What was stamped before may be ahead, and would outlive what others change now.
    for (const space of spaces) if (space.hearTime(time)) space.forget();
    this.#tellUnknown();
  }

  hear(message: Buffer, channel: Buffer): void {
    const space = this.isCluster ? this.#byChannel.get(String(channel)) : this.#all;
    space?.hear(message);
  }

  pause(): void {
    for (const [, space] of this.#each()) space.pause();
  }

  #tellUnknown(): void {
    this.#isGathering = false;
    if (this.#isUnknown) this.#init.onChange({ kind: 'unknown' });
    this.#isUnknown = false;
  }

  #each(): [tag: string, space: RedisSpace][] {
    return [['all', this.#all], ...this.#byTag];
  }

  #of(key: string): RedisSpace {
    return this.#byTag.get(key.slice(0, 2)) ?? this.#all;
  }
}

/** A server's run. What a user may not ask for stays unknown: as after a restart, then, nothing is taken for granted. */
async function runAt(session: LinkSession, at: number): Promise<string> {
  try {
    const info = await session.command(['INFO', 'server'], at);
    return /^run_id:(\w+)/m.exec(String(info))?.[1] ?? '';
  } catch (error) {
    if (messageOf(error).startsWith('NOPERM')) return '';
    throw error;
  }
}
