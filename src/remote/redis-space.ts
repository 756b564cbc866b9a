/**
 * What one server holds for all machines besides values: the epoch, the log of changes, and the markers of what was
 * cleared; and how this machine follows it. Messages carry their place in the log and the one before: what is missing is
 * read from the log.
 */

import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../clock.js';
import { CacheError } from '../errors.js';
import { type ClockOffset, clockSlack, lastWriter, type Stamp } from '../stamp.js';
import type { RemoteChange } from '../tier.js';
import type { MarkerTable } from './marker-table.js';
import type { LinkSession } from './redis-link.js';
import { type Cursor, changeOf, compareIds, type Progress } from './redis-log.js';
import { texts } from './redis-script.js';
import { redisScripts } from './redis-scripts.js';
import { stampOrNone } from './redis-value.js';
import { ServerClock, type ServerTime } from './server-clock.js';

/** What a space is made from. */
export interface RedisSpaceInit {
  readonly prefix: string;
  readonly database: number;
  /** The hash tag of its keys; that of the markers is `all`. */
  readonly tag: string;
  readonly markers: MarkerTable;
  readonly logLength: number;
  readonly maxMarkers: number;
  readonly writer: string;
  /** Whether it only looks: then it begins no epoch, and where there is none, nothing counts. */
  readonly readsOnly?: boolean;
  readonly newestStamp: () => Stamp;
  readonly clock: Clock;
  /** Hears what others have changed. */
  readonly onChange: (change: RemoteChange) => void;
  /** Hears that a load of a key is over. */
  readonly onWake: (key: string) => void;
  readonly onClock: (offset: ClockOffset) => void;
  readonly onStamp: (stamp: Stamp) => void;
  /** Hears that it can't be told what has happened: the connections are to be made anew. */
  readonly onLostTrack: (error: unknown) => void;
}

/** So many entries of the log, or markers, are read at once: more would hold the server up. */
const chunk = 1_000;
/**
 * For so many ms after a restart of the server nobody goes by what it holds, unless a new epoch begins: it may have come back
 * as it was before, which only a machine can tell that knows what came later. By then all have tried to connect again.
 */
const settlingMs = 2_500;

export class RedisSpace {
  readonly channel: string;
  readonly state: string;
  readonly log: string;
  readonly #init: RedisSpaceInit;
  readonly #markersKey: string;
  #cursor: Cursor | undefined;
  /** The newest place of a change of this machine's that the server has acknowledged: it may lie beyond the cursor. */
  #acknowledged = '';
  /** Messages that came while the log is read; `undefined` while it is not. */
  #early: string[] | undefined = [];
  /** Resolves once what no message has said was read from the log, where that is under way. */
  catchingUp: Promise<void> | undefined;
  #session: LinkSession | undefined;
  readonly #serverClock: ServerClock;
  /** The newest time of a change on the server as the connection began, in microseconds. */
  #newest = 0;
  /** What lies on disk with a stamp up to this may have been changed without this machine having heard of it. */
  #doubtfulUpTo = Number.POSITIVE_INFINITY;
  /** By how much what lies there may be ahead of what this process knows of, in microseconds. */
  #doubtSlack = clockSlack;
  /** Ends the wait after a restart of the server. */
  #settle: (() => void) | undefined;

  constructor(init: RedisSpaceInit) {
    const { prefix, database, tag } = init;
    this.#init = init;
    this.#serverClock = new ServerClock(init.clock);
    this.state = `${prefix}:{${tag}}:state`;
    this.log = `${prefix}:{${tag}}:log`;
    this.#markersKey = `${prefix}:{${tag}}:markers`;
    this.channel = `${prefix}:{${tag}}:${database}:changes`;
  }

  /** How far the log is followed; `undefined` before the first time. */
  get progress(): Progress | undefined {
    const [acknowledged, doubtfulUpTo] = [this.#acknowledged, this.#doubtfulUpTo];
    return this.#cursor && { ...this.#cursor, acknowledged, doubtfulUpTo };
  }

  get epoch(): string {
    return this.#cursor?.epoch ?? '';
  }

  /** Goes on from where an earlier process has come to with what lies on disk, whose newest stamp is known by now. */
  resume(progress: Progress | undefined, hasOthers: boolean): void {
    this.#cursor = progress;
    this.#acknowledged = progress?.acknowledged ?? '';
    if (progress !== undefined) this.#doubtfulUpTo = progress.doubtfulUpTo;
    // Of a folder that is new nothing is unknown yet. Others may come to it.
    if (!hasOthers) this.#doubtSlack = 0;
  }

  /** The server has a change of this machine's in its log. */
  acknowledge(id: string): void {
    if (compareIds(id, this.#acknowledged) > 0) this.#acknowledged = id;
  }

  isDoubtful({ time }: Stamp): boolean {
    return time <= this.#doubtfulUpTo;
  }

  /** The first arguments of every script. */
  get args(): string[] {
    return [this.epoch, this.channel, String(this.#init.logLength)];
  }

  /** The keys and the first arguments of scripts about markers. */
  ofMarkers(): { readonly keys: string[]; readonly args: string[] } {
    return { keys: [this.#markersKey, this.state, this.log], args: this.args };
  }

  /** A time that the server has not passed yet, nor had with any change as the connection began, in microseconds. */
  latestTime(): number {
    return Math.max(this.#newest, this.#serverClock.latest());
  }

  /** Takes in what time it is on the server; whether its clock was set back: then what was stamped by it says nothing. */
  hearTime(time: ServerTime): boolean {
    const wasSetBack = this.#serverClock.hear(time);
    this.#init.onClock(this.#serverClock.offset());
    return wasSetBack;
  }

  /**
   * Takes in where the log ends, by the connection that all messages up to there have come by: one may have been lost, or the log.
   * @param known how far it was followed when that was asked
   */
  hearEnd(last: string, known: string): void {
    if (this.#early !== undefined || this.#cursor === undefined) return;
    if (last === '' || compareIds(last, known) < 0) {
      this.#init.onLostTrack(
        new CacheError('ERR_STORAGE', 'Redis was emptied, or has lost its newest changes'),
      );
    } else if (compareIds(last, this.#cursor.id) > 0) {
      this.#fillGap([]);
    }
  }

  /**
   * Reads what has happened since the last time, and takes it in.
   * @param runs of all servers, by their index; '' where it is not known
   */
  async begin(session: LinkSession, runs: readonly string[]): Promise<void> {
    this.#session = session;
    this.#early ??= [];
    const known = this.#cursor;
    const run = runs[session.nodeOf(this.log)] ?? '';
    // A key that is not there stands in the way of a script while its slot moves.
    const keys = [this.#hasMarkers ? this.#markersKey : this.log, this.state, this.log];
    const { logLength, writer, newestStamp, clock } = this.#init;
    const isOtherRun = known === undefined || known.run !== run || run === '';
    const isAhead = known !== undefined && compareIds(this.#acknowledged, known.id) > 0;
    const askedAt = clock.elapsed();
    const reply = await session.run(redisScripts.hello, keys, [
      ...[randomBytes(8).toString('hex'), this.channel, String(logLength)],
      ...[known?.epoch ?? '', known?.id ?? '', isOtherRun ? '1' : '0'],
      ...[String(newestStamp().time), writer, this.#init.readsOnly === true ? '1' : '0', run],
      ...[isAhead ? this.#acknowledged : '', runs.join(' ')],
    ]);
    const [epoch, last, history, time, watermark, metMicros, newest] = texts(reply, 7);
    this.#newest = Number(newest);
    const wasSetBack = this.hearTime({ time: Number(time), askedAt });
    const settlesIn = metMicros === '' ? 0 : settlingMs - Number(metMicros) / 1_000;
    if (settlesIn > 0) {
      await this.#settled(settlesIn);
      return this.begin(session, runs);
    }
    if (history === 'whole') {
      this.#cursor = { epoch: known!.epoch, id: known!.id, run };
      if (last !== known!.id && !(await this.#readLog(session))) return this.begin(session, runs);
      if (wasSetBack) this.forget();
    } else {
      this.#cursor = { epoch: epoch!, id: last!, run };
      this.#acknowledged = '';
      this.forget(Number(time));
    }
    if (this.#hasMarkers) await this.#readMarkers(session, watermark!);
    this.#takeEarly();
  }

  /** What arrives on the channel. */
  hear(message: Buffer): void {
    const text = message.toString('utf8');
    if (text.startsWith('w')) this.#init.onWake(text.slice(1));
    else this.#hear(text);
  }

  /** The connection is gone: what comes before `begin` is kept. */
  pause(): void {
    this.#early = [];
    this.#session = undefined;
    this.#settle?.();
  }

  /** Resolves after so many ms, or as a new epoch begins. */
  async #settled(ms: number): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    const timer = systemClock.schedule(() => this.#settle?.(), ms);
    await settled;
    timer.cancel();
    this.#settle = undefined;
  }

  #hear(message: string): void {
    if (this.#early === undefined) this.#take(message);
    else this.#early.push(message);
    if (/^c\S* \S+ e/.test(message)) this.#settle?.();
  }

  #take(message: string): void {
    const parts = /^c(\S*) (\S+) (.*)$/s.exec(message);
    const cursor = this.#cursor;
    if (parts === null || cursor === undefined) return;
    const [, previous, id, payload] = parts as unknown as [string, string, string, string];
    if (payload.startsWith('e')) {
      // Also this machine's own, which it knows already.
      if (payload.slice(33) === cursor.epoch) return;
      this.#cursor = { ...cursor, id };
      this.#apply(payload);
    } else if (previous === cursor.id) {
      this.#cursor = { ...cursor, id };
      this.#apply(payload);
    } else if (compareIds(id, cursor.id) > 0) {
      this.#fillGap([message]);
    }
  }

  #fillGap(early: string[]): void {
    this.#early = early;
    const filling = this.#catchUp().finally(() => {
      if (this.catchingUp === filling) this.catchingUp = undefined;
    });
    this.catchingUp = filling;
  }

  async #catchUp(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    try {
      if (!(await this.#readLog(session)))
        throw new CacheError('ERR_STORAGE', 'The log of changes was cut off');
      if (this.#session === session) this.#takeEarly();
    } catch (error) {
      // Without the log nothing that is held can be trusted: the next connection begins with finding out.
      if (this.#session === session) this.#init.onLostTrack(error);
    }
  }

  #takeEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const message of early) this.#hear(message);
  }

  /** Takes in what the log has beyond the cursor; whether it goes back that far. */
  async #readLog(session: LinkSession): Promise<boolean> {
    for (;;) {
      const { id: from } = this.#cursor!;
      const reply = await session.command(['XRANGE', this.log, from, '+', 'COUNT', String(chunk + 1)]);
      const entries = reply as [id: Buffer, fields: Buffer[]][];
      if (String(entries[0]?.[0]) !== from) return false;
      for (const [id, fields] of entries.slice(1)) {
        this.#cursor = { ...this.#cursor!, id: String(id) };
        this.#apply(String(fields[1]));
      }
      if (entries.length <= chunk) return true;
    }
  }

  #apply(payload: string): void {
    const kind = payload[0]!;
    const stamp = stampOrNone(payload.slice(1, 33));
    const subject = payload.slice(33);
    // Another release's, or damaged: it may be about anything.
    if (stamp === undefined || !'emsd'.includes(kind)) {
      this.forget();
      return;
    }
    this.#init.onStamp(stamp);
    if (kind === 'e') {
      this.#cursor = { ...this.#cursor!, epoch: subject };
      this.#acknowledged = '';
      if (this.#hasMarkers) this.#init.markers.reset();
      this.forget(stamp.time);
      return;
    }
    const isOwn = stamp.writer === this.#init.writer;
    if (kind === 'm') {
      this.#init.markers.mark(subject, stamp);
      if (!isOwn) this.#init.onChange(changeOf(subject, stamp));
      return;
    }
    const [key, method] = [subject.slice(0, 32), subject.slice(32)];
    if (!isOwn) this.#init.onChange({ kind: 'key', key, method, stamp, isSet: kind === 's' });
    this.#init.onWake(key);
  }

  get #hasMarkers(): boolean {
    return this.#init.tag === 'all';
  }

  /** What was known before says nothing any more. */
  forget(time = this.#serverClock.latest()): void {
    this.#doubtfulUpTo = Math.max(time, this.#init.newestStamp().time) + this.#doubtSlack;
    this.#doubtSlack = clockSlack;
    this.#init.onChange({ kind: 'unknown' });
  }

  async #readMarkers(session: LinkSession, watermark: string): Promise<void> {
    this.#init.markers.reset();
    if (watermark !== '') {
      // Which those were that are not kept any more, nobody knows.
      const stamp = { time: Number(watermark), writer: lastWriter };
      this.#init.onStamp(stamp);
      this.#init.markers.mark('a', stamp);
    }
    let from = '-inf';
    for (;;) {
      const range = [from, '+inf', 'WITHSCORES', 'LIMIT', '0', String(chunk)];
      const reply = (await session.command(['ZRANGEBYSCORE', this.#markersKey, ...range])) as Buffer[];
      for (let at = 0; at < reply.length; at += 2) {
        // Their writers are not kept: of equal times the marker counts as the newer.
        const stamp = { time: Number(reply[at + 1]), writer: lastWriter };
        this.#init.onStamp(stamp);
        this.#init.markers.mark(String(reply[at]), stamp);
      }
      if (reply.length < 2 * chunk) return;
      from = String(reply.at(-1));
    }
  }
}
