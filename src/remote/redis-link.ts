/**
 * The link to one server: two connections, for commands and for messages, that begin and end together, are made again for
 * ever, and are asked under a deadline.
 */

import { type Clock, inBackground, systemClock, type Timer } from '../clock.js';
import { CacheError, messageOf } from '../errors.js';
import { CallDeadlines, type TimedCall } from './call-deadlines.js';
import type { RedisArgument } from './redis-library.js';
import { type Beat, type Hearers, RedisNodes, type RedisPlace } from './redis-nodes.js';
import type { RedisScript } from './redis-script.js';
import { held, within } from './within.js';

/** Times in ms. */
export interface LinkTimes {
  /** How long a call waits for an answer. */
  readonly timeout: number;
  /** How often the connection for messages is asked whether it is alive. */
  readonly heartbeat: number;
}

/** What a link is made from. */
export interface RedisLinkInit {
  readonly times: LinkTimes;
  /** By which a contact is dated. */
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Where the server is, asked before each attempt. */
  readonly locate: () => Promise<RedisPlace>;
  /** What is subscribed to on each connection. When it changes, `subscribe` follows. */
  readonly channels: Iterable<string>;
  /** Those that are run, loaded into each server. */
  readonly scripts: readonly RedisScript[];
  readonly onMessage: (message: Buffer, channel: Buffer) => void;
  /** What the server of that index is asked at a heartbeat, if anything but whether it is alive. */
  readonly beatOf?: (at: number) => Beat | undefined;
  /** Reads what has happened since the last time. Until it resolves nobody else may ask. */
  readonly onConnected: (session: LinkSession) => Promise<void>;
  /** The link is of no use from now on, until `onConnected` has resolved again. */
  readonly onLost: () => void;
  /** Calls are answered from now on, and nobody has asked yet: over new connections, or again over the same. */
  readonly onUsable: () => void;
  readonly onError: (error: CacheError) => void;
}

/** Connections that were made together. */
export interface LinkSession {
  /** How many servers there are. */
  readonly count: number;
  /** The index of the server that has a key, or that name. */
  nodeOf(name: string): number;
  /** Sends a command to the server that has its first key, or that name, or is of that index. */
  command(args: readonly RedisArgument[], at?: number | string): Promise<unknown>;
  run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}

/** An answer that did not come in time. */
export class RedisLateError extends CacheError {
  constructor(timeout: number) {
    super('ERR_STORAGE', `Redis did not answer within ${timeout} ms`);
    this.name = 'RedisLateError';
  }
}

const firstRetryMs = 50;
const longestRetryMs = 2_000;
/** How long a server may be silent while it is asked, before the connections are made anew. */
const longestSilenceMs = 2_000;
const connectTimeoutMs = 3_000;

export class RedisLink {
  readonly #init: RedisLinkInit;
  readonly #deadlines: CallDeadlines;
  #session: RedisNodes | undefined;
  #isReady = false;
  #isClosed = false;
  /** Why nothing can be asked at present. */
  #problem = new CacheError('ERR_STORAGE', 'Redis is not connected yet');
  #isReported = false;
  #failures = 0;
  #retry: Timer | undefined;
  #beat: Timer | undefined;
  #contactAt = Number.NEGATIVE_INFINITY;
  /** Where the servers stood when one has said nothing though it was asked. */
  #silence: ReturnType<RedisNodes['progress']> | undefined;
  #silenceTimer: Timer | undefined;
  /** Resolves when the first attempt to connect is over, or has taken as long as a call may wait; `undefined` afterwards. */
  starting: Promise<void> | undefined;
  #startIsOver: () => void = () => undefined;
  readonly #waiting = new Set<{ resolve: () => void; reject: (error: unknown) => void }>();

  constructor(init: RedisLinkInit) {
    this.#init = init;
    this.#deadlines = new CallDeadlines(init.times.timeout);
  }

  /** Whether calls are answered at present, as far as is known. */
  get isUsable(): boolean {
    return this.#isReady && !this.#isSilent();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Up to when every change is known, by the cache's `Clock.elapsed()`. */
  get contactAt(): number {
    return this.#contactAt;
  }

  /** Why it is not usable. */
  get problem(): CacheError {
    return this.#problem;
  }

  start(): void {
    // Who asks meanwhile waits for it, so a process stays for that long.
    const isLong = systemClock.schedule(() => this.#startIsOver(), this.#init.times.timeout, {
      holdsProcess: true,
    });
    this.starting = new Promise((resolve) => {
      this.#startIsOver = () => {
        isLong.cancel();
        this.starting = undefined;
        resolve();
      };
    });
    inBackground(() => void this.#connect());
  }

  /** Resolves once it is usable; rejects with why it is not after the first attempt has failed. */
  opened(): Promise<void> {
    if (this.#isReady) return Promise.resolve();
    if (this.#isClosed || this.#failures > 0) return Promise.reject(this.#problem);
    return held(new Promise((resolve, reject) => void this.#waiting.add({ resolve, reject })));
  }

  /** How many servers there are. */
  get count(): number {
    return this.#session?.count ?? 0;
  }

  /** The index of the server that has a key, or that name. */
  nodeOf(name: string): number {
    return this.#session?.nodeOf(name) ?? 0;
  }

  /** The connections at present, to tell them from later ones. */
  get connections(): object | undefined {
    return this.#session;
  }

  /** Sends a command, whatever that takes. Rejects when there is no answer to come. */
  command(args: readonly RedisArgument[], at?: number | string): Promise<unknown> {
    const session = this.#session;
    if (session === undefined || !this.#isReady) return Promise.reject(this.#problem);
    return session.command(args, at);
  }

  run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const session = this.#session;
    if (session === undefined || !this.#isReady) return Promise.reject(this.#problem);
    return session.run(script, keys, args);
  }

  /** Subscribes to what was added to `channels`, and no more to what was taken out. Without a connection, the next one does. */
  async subscribe(): Promise<void> {
    await this.#session?.follow((subscriptions) => subscriptions.follow());
  }

  /** What `send` resolves to, within the deadline. */
  inTime<T>(send: () => Promise<T>): Promise<T> {
    if (!this.isUsable) return Promise.reject(this.#problem);
    return new Promise<T>((resolve, reject) => {
      const call = this.#begin(reject);
      send().then(
        (value) => {
          if (this.#deadlines.end(call)) resolve(value);
        },
        (error: unknown) => {
          if (this.#deadlines.end(call)) reject(error);
        },
      );
    });
  }

  /** Sends a command, and tells within the deadline what comes of it: without a promise, as each hit waits for one. */
  ask(args: readonly RedisArgument[], hear: Hearers): void {
    const session = this.#session;
    if (session === undefined || !this.isUsable) {
      hear.failed(this.#problem);
      return;
    }
    const call = this.#begin(hear.failed);
    session.ask(args, String(args[1]), {
      answered: (reply) => {
        if (this.#deadlines.end(call)) hear.answered(reply);
      },
      failed: (error) => {
        if (this.#deadlines.end(call)) hear.failed(error);
      },
    });
  }

  /** A call that is to be answered before its deadline. */
  #begin(failed: (error: unknown) => void): TimedCall {
    const session = this.#session;
    const since = session?.progress() ?? [];
    return this.#deadlines.begin(() => {
      this.#noteLate(session, since);
      failed(new RedisLateError(this.#init.times.timeout));
    });
  }

  /** Ends the connections and makes them anew. */
  restart(cause: unknown): void {
    this.#lose(this.#session, cause);
  }

  close(): void {
    this.#isClosed = true;
    this.#problem = new CacheError('ERR_STORAGE', 'The connection to Redis is closed');
    this.#retry?.cancel();
    this.#lose(this.#session, this.#problem);
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) return;
    const { locate, channels, scripts, onMessage, onConnected } = this.#init;
    let session: RedisNodes | undefined;
    let isOver: unknown;
    const ended = (error: unknown) => {
      isOver ??= error;
      if (session !== undefined) this.#lose(session, error);
    };
    try {
      const place = await within(connectTimeoutMs, locate());
      const onAnswer = () => this.#heard();
      session = await RedisNodes.of({ place, channels, onMessage, onEnd: ended, onAnswer });
      this.#session = session;
      if (this.#isClosed) throw this.#problem;
      await session.connected(connectTimeoutMs, scripts);
      const contactAt = this.#init.clock.elapsed();
      const own = session;
      await onConnected({
        count: own.count,
        nodeOf: (name) => own.nodeOf(name),
        command: (args, at) => within(connectTimeoutMs, own.command(args, at)),
        run: (script, keys, args) => within(connectTimeoutMs, own.run(script, keys, args)),
      });
      if (isOver !== undefined || this.#session !== session) throw isOver ?? this.#problem;
      this.#contactAt = contactAt;
      this.#isReady = true;
      this.#isReported = false;
      this.#failures = 0;
      this.#silence = undefined;
      this.#init.onUsable();
      this.#scheduleBeat(session);
      this.#startIsOver();
      for (const { resolve } of this.#waiting) resolve();
      this.#waiting.clear();
    } catch (error) {
      if (session === undefined) this.#failed(error);
      else this.#lose(session, error);
    }
  }

  #lose(session: RedisNodes | undefined, cause: unknown): void {
    if (session === undefined || this.#session !== session) return;
    this.#session = undefined;
    this.#isReady = false;
    this.#beat?.cancel();
    this.#silenceTimer?.cancel();
    session.destroy();
    this.#init.onLost();
    this.#failed(cause);
  }

  #failed(cause: unknown): void {
    if (!this.#isClosed) {
      const message = `Redis can't be reached: ${messageOf(cause)}`;
      this.#problem = new CacheError('ERR_STORAGE', message, { cause });
    }
    this.#failures += 1;
    this.#startIsOver();
    for (const { reject } of this.#waiting) reject(this.#problem);
    this.#waiting.clear();
    if (this.#isClosed) return;
    // One outage is one event; each call that it costs an answer is counted by itself.
    if (!this.#isReported) this.#init.onError(this.#problem);
    this.#isReported = true;
    const longest = Math.min(firstRetryMs * 2 ** Math.min(this.#failures, 10), longestRetryMs);
    const delay = longest * (0.5 + Math.random() / 2);
    this.#retry = systemClock.schedule(() => void this.#connect(), delay);
  }

  /** A call came too late: that speaks against a server only if nothing at all has come from it meanwhile. */
  #noteLate(session: RedisNodes | undefined, since: ReturnType<RedisNodes['progress']>): void {
    if (session === undefined || this.#session !== session || this.#silence !== undefined) return;
    if (!session.hasSilentOne(since)) return;
    this.#silence = session.progress();
    this.#problem = new CacheError('ERR_STORAGE', 'Redis does not answer');
    this.#watchSilence(session);
  }

  #watchSilence(session: RedisNodes): void {
    this.#silenceTimer?.cancel();
    this.#silenceTimer = systemClock.schedule(() => {
      if (this.#isSilent()) this.#lose(session, this.#problem);
    }, longestSilenceMs);
  }

  #isSilent(): boolean {
    if (this.#silence === undefined) return false;
    if (this.#session?.hasSilentOne(this.#silence) === true) return true;
    this.#heard();
    return false;
  }

  #heard(): void {
    if (this.#silence === undefined) return;
    this.#silence = undefined;
    if (this.#isReady) this.#init.onUsable();
  }

  #scheduleBeat(session: RedisNodes): void {
    const { heartbeat } = this.#init.times;
    this.#beat = systemClock.schedule(() => void this.#ping(session), heartbeat);
  }

  /** What was published before an answer comes before it, by the same connection. */
  async #ping(session: RedisNodes): Promise<void> {
    const { beatOf, times, clock } = this.#init;
    const sentAt = clock.elapsed();
    const ownBeatOf = (at: number) => {
      const beat = beatOf?.(at);
      if (beat === undefined) return undefined;
      const hear = async (reply: unknown) => (this.#session === session ? beat.hear(reply) : undefined);
      return { ...beat, hear };
    };
    try {
      await session.ping(Math.max(longestSilenceMs, times.heartbeat), ownBeatOf);
      if (this.#session !== session) return;
      this.#contactAt = sentAt;
      this.#scheduleBeat(session);
    } catch (error) {
      this.#lose(session, error);
    }
  }
}
