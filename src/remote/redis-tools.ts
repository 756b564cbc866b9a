/** Redis for programs that look into it or bring entries in: no cache is open, and who only reads changes nothing. */

import { randomBytes } from 'node:crypto';
import { systemClock } from '../clock.js';
import { CacheError } from '../errors.js';
import type { Stamp } from '../stamp.js';
import type { TierRecord } from '../tier.js';
import { RedisLink } from './redis-link.js';
import { listValues } from './redis-listing.js';
import { RedisNotes } from './redis-notes.js';
import { type RedisOptions, resolveRedisOptions, serverName } from './redis-options.js';
import { locatorOf } from './redis-remote.js';
import { texts } from './redis-script.js';
import { redisScripts } from './redis-scripts.js';
import { RedisSpaces } from './redis-spaces.js';
import { encodeValue, readValue, stampedValue, stampText } from './redis-value.js';
import { held, within } from './within.js';

/** What it is opened with. */
export interface RedisToolsInit {
  readonly options: RedisOptions;
  /** Whether anything is to be changed: who only reads does not begin an epoch either. */
  readonly writes: boolean;
  /** Hears of values that can't be read. */
  readonly onError: (error: CacheError) => void;
}

/** A person waits for the answer to one command for so long, in ms. */
const patienceMs = 10_000;
const maxMarkers = 100_000;
const maxBytes = 2 ** 30;

export class RedisTools {
  /** Which server and prefix it is, without what is secret. */
  readonly name: string;
  readonly #link: RedisLink;
  readonly #space: RedisSpaces;
  readonly #init: RedisToolsInit;
  readonly #options: ReturnType<typeof resolveRedisOptions>;
  readonly #writer = randomBytes(8).toString('hex');

  /** @throws InvalidOptionError naming the option and the fix */
  constructor(init: RedisToolsInit) {
    this.#init = init;
    const options = resolveRedisOptions(init.options);
    this.#options = options;
    this.name = `Redis at ${serverName(options)}, prefix ${options.prefix}`;
    const clock = systemClock;
    const nothing = () => undefined;
    let newest: Stamp = { time: 0, writer: '0'.repeat(16) };
    this.#space = new RedisSpaces(
      {
        ...{ prefix: options.prefix, database: options.database, logLength: options.logLength, maxMarkers },
        ...{ writer: this.#writer, clock, readsOnly: !init.writes },
        newestStamp: () => newest,
        onStamp: (stamp) => {
          if (stamp.time > newest.time) newest = stamp;
        },
        ...{ onChange: nothing, onWake: nothing, onClock: nothing },
        onLostTrack: (error) => this.#link.restart(error),
      },
      options.cluster !== undefined,
    );
    this.#link = new RedisLink({
      times: { timeout: patienceMs, heartbeat: options.heartbeat },
      ...{ clock, locate: locatorOf(options), channels: this.#space.channels },
      scripts: Object.values(redisScripts),
      onMessage: (message, channel) => this.#space.hear(message, channel),
      onConnected: (session) => this.#space.begin(session),
      onLost: () => this.#space.pause(),
      ...{ onUsable: nothing, onError: nothing },
    });
  }

  /** Connects; rejects with why that failed. */
  async open(): Promise<void> {
    this.#link.start();
    await this.#link.opened();
  }

  /** The value of a key, if it counts. Rejects for one that can't be read. */
  async get(key: string, method: string): Promise<TierRecord | undefined> {
    const bytes = await this.#ask(this.#link.command(['GET', this.#space.valueKey(key)]));
    return this.#read(key, bytes as Buffer | null, method);
  }

  /** All values that count, one after the other; one may come twice, and what changes meanwhile may be missing. */
  async *entries(): AsyncGenerator<TierRecord> {
    const link = {
      count: this.#link.count,
      command: (...asked: Parameters<RedisLink['command']>) => this.#ask(this.#link.command(...asked)),
    };
    for await (const [key, bytes] of listValues(link, this.#options)) {
      try {
        const record = this.#read(key, bytes);
        if (record !== undefined) yield record;
      } catch (error) {
        this.#init.onError(error as CacheError);
      }
    }
  }

  /** Stores an entry under its own stamp; whether it was new here: what is newer stays. */
  async import(record: TierRecord): Promise<boolean> {
    const { key, method, stamp, metadata } = record;
    const { maxTtl, gzipBytes } = this.#options;
    const life = Math.min(maxTtl, metadata.expiresAt === null ? maxTtl : metadata.expiresAt - Date.now());
    if (life <= 0 || this.#space.markers.covers(record)) return false;
    const { keys, args } = this.#space.ofKey(key);
    const value = stampedValue(encodeValue(record, this.#space.epochOf(key), { gzipBytes, maxBytes }), stamp);
    const rest = [
      stampText(stamp),
      value,
      String(Math.ceil(life)),
      `${key}${method}`,
      this.#space.epochOf(key),
    ];
    return (await this.#run(redisScripts.import, keys, [...args, ...rest])) === 'stored';
  }

  /** Deletes a key, for all machines. */
  async delete(key: string, method: string): Promise<void> {
    const { keys, args } = this.#space.ofKey(key);
    const rest = [String(Date.now() * 1_000).padStart(16, '0'), this.#writer, `${key}${method}`];
    await this.#run(redisScripts.delete, keys, [...args, ...rest]);
  }

  /** Texts that processes have left for each other. */
  get notes(): RedisNotes {
    return new RedisNotes(this.#link, this.#options.prefix);
  }

  close(): void {
    this.#link.close();
  }

  async #run(...script: Parameters<RedisLink['run']>): Promise<string | undefined> {
    const [outcome] = texts(await this.#ask(this.#link.run(...script)), 1);
    if (outcome !== 'epoch') return outcome;
    throw new CacheError('ERR_STORAGE', 'Redis was emptied meanwhile, or began another epoch: try again');
  }

  #ask<T>(asked: Promise<T>): Promise<T> {
    return held(within(patienceMs, asked));
  }

  #read(key: string, bytes: Buffer | null, method?: string): TierRecord | undefined {
    const found = readValue(
      bytes,
      { key, method, epoch: this.#space.epochOf(key) },
      { gzipBytes: 0, maxBytes },
    );
    return typeof found === 'string' || this.#space.markers.covers(found) ? undefined : found;
  }
}
