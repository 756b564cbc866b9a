/**
 * Records of a database behind a cache (cache-aside).
 *
 * An update holds a token under which no load is stored, and voids the record before and after it is written: a read that
 * began before is voided by the deletion, one that begins meanwhile finds the token at its beginning or end, also another
 * process's. The token is on disk before the record is voided, and that before the database is written, so that a process
 * that is killed at any step leaves nothing old.
 */

import { type Clock, systemClock } from '../clock.js';
import { type Duration, parseDuration, positiveDuration } from '../duration.js';
import { CacheError } from '../errors.js';
import type { CacheManager, LoaderContext, LoadOptions } from '../index.js';
import { nodeCrypto } from '../node-crypto.js';
import { functionOf, hasMethods, missing, objectOf, oneOf, refuseUnknown, text } from '../option-checks.js';
import { isSealed, SecretBox, type SecretFields } from './secret-fields.js';

/** How records are read, written and cached. */
export interface CacheAsideOptions<Id, Record> {
  /** Where records are cached. */
  readonly cache: CacheManager;
  /** The method that records are cached under: one for each kind of record. */
  readonly method: string;
  /** Reads a record; `undefined` or `null` where there is none. */
  readonly load: (id: Id, signal: AbortSignal) => Promise<Record | undefined | null>;
  /** Writes a record. */
  readonly store?: ((id: Id, record: Record) => Promise<unknown>) | undefined;
  /** Deletes a record. */
  readonly remove?: ((id: Id) => Promise<unknown>) | undefined;
  /**
   * How long a record is cached.
   * @default '5m'
   */
  readonly ttl?: Duration | undefined;
  /**
   * How long it is remembered that there is no such record.
   * @default '30s'
   */
  readonly negativeTtl?: Duration | undefined;
  /**
   * What becomes of an updated record: `'around'`, the next reader loads it; `'through'`, it is cached at once.
   * @default 'around'
   */
  readonly write?: 'around' | 'through' | undefined;
  /**
   * How long an update may take: until then nothing that is loaded meanwhile is cached, also if its process dies.
   * @default '30s'
   */
  readonly tokenTtl?: Duration | undefined;
  /**
   * How long after an update nothing is cached, for replicas that lag behind.
   * @default 0
   */
  readonly settle?: Duration | undefined;
  /**
   * How long an update waits for the cache to be on disk and in Redis, before it goes on without.
   * @default '1s'
   */
  readonly flushTimeout?: Duration | undefined;
  /** Fields that are encrypted wherever the cache has them. */
  readonly secrets?: SecretFields | undefined;
  /**
   * Where time comes from.
   * @default the system's clock
   */
  readonly clock?: Clock | undefined;
}

/** Records behind a cache. */
export interface CacheAside<Id, Record> {
  /** The record, `undefined` where there is none. Concurrent reads share one. Rejects with what `load` throws. */
  get(id: Id): Promise<Record | undefined>;
  /** Writes the record; from when it resolves, no `get` in this process has an older one. Rejects with what `store` throws. @throws InvalidOptionError without one */
  update(id: Id, record: Record): Promise<void>;
  /** Deletes the record, as `update` writes it. */
  remove(id: Id): Promise<void>;
  /** Lets go of what is cached: the record was changed elsewhere. */
  invalidate(id: Id): Promise<void>;
}

const names = [
  ...['cache', 'method', 'load', 'store', 'remove', 'ttl', 'negativeTtl', 'write', 'tokenTtl', 'settle'],
  ...['flushTimeout', 'secrets', 'clock'],
];

/**
 * Reads records through a cache, and writes them so that no reader is left with an old one: not by a slow read that began
 * before, not by a process that dies in mid-update.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const settings = cacheAside({ cache, method: 'settings', load: (id: string) => db.find(id), store: (id, s) => db.save(id, s) });
 * await settings.update('ada', { theme: 'dark' });
 */
export function cacheAside<Id, Record>(options: CacheAsideOptions<Id, Record>): CacheAside<Id, Record> {
  refuseUnknown(objectOf(options, 'cacheAside', 'an object as `{ cache, method, load }`'), names, {
    of: 'cacheAside',
  });
  return new Records(options);
}

class Records<Id, Record> implements CacheAside<Id, Record> {
  readonly #cache: CacheManager;
  readonly #method: string;
  readonly #load: CacheAsideOptions<Id, Record>['load'];
  readonly #store: CacheAsideOptions<Id, Record>['store'];
  readonly #remove: CacheAsideOptions<Id, Record>['remove'];
  readonly #isThrough: boolean;
  readonly #tokenTtlMs: number;
  readonly #settleMs: number;
  readonly #flushTimeoutMs: number;
  readonly #unsureTtlMs: number;
  readonly #secrets: SecretBox | undefined;
  readonly #loadOptions: LoadOptions;
  readonly #clock: Clock;
  /** The last update of each record that is being updated by this process. */
  readonly #updates = new Map<string, Promise<void>>();

  constructor(options: CacheAsideOptions<Id, Record>) {
    const { ttl = '5m', negativeTtl = '30s', write = 'around', tokenTtl = '30s', settle = 0 } = options;
    hasMethods(options.cache, 'cache', ['getOrSet', 'set', 'delete', 'lookup', 'flush', 'key']);
    this.#cache = options.cache;
    this.#method = text(options.method, 'method');
    this.#load = functionOf(options.load, 'load');
    this.#store = options.store && functionOf(options.store, 'store');
    this.#remove = options.remove && functionOf(options.remove, 'remove');
    this.#isThrough = oneOf(write, 'write', ['around', 'through']) === 'through';
    this.#tokenTtlMs = positiveDuration(tokenTtl, 'tokenTtl');
    this.#settleMs = parseDuration(settle, 'settle');
    this.#flushTimeoutMs = parseDuration(options.flushTimeout ?? '1s', 'flushTimeout');
    this.#secrets = options.secrets && new SecretBox(options.secrets);
    this.#clock = options.clock ?? systemClock;
    const ttls = { ttl: parseDuration(ttl, 'ttl'), negativeTtl: parseDuration(negativeTtl, 'negativeTtl') };
    this.#unsureTtlMs = Math.min(ttls.ttl, ttls.negativeTtl, this.#tokenTtlMs);
    this.#loadOptions = {
      ...ttls,
      isNegative: (value) => isSealed(value) && value.open === undefined,
      // What an update has voided must not stand in for what it wrote.
      ...{ staleWhileRevalidate: 0, staleIfError: 0, refreshAhead: false, cacheErrors: false },
    };
  }

  async get(id: Id): Promise<Record | undefined> {
    const read = () =>
      this.#cache.getOrSet<unknown>(
        this.#method,
        id,
        (context) => this.#loaded(id, context),
        this.#loadOptions,
      );
    try {
      return this.#open(id, await read());
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error;
      // A key that is gone, or bytes that are not ours.
      await this.#cache.delete(this.#method, id);
      return this.#open(id, await read());
    }
  }

  async update(id: Id, record: Record): Promise<void> {
    const store = this.#store ?? refuse('update', 'store');
    await this.#write(id, () => store(id, record), this.#isThrough ? () => record : undefined);
  }

  async remove(id: Id): Promise<void> {
    const remove = this.#remove ?? refuse('remove', 'remove');
    await this.#write(id, () => remove(id), undefined);
  }

  async invalidate(id: Id): Promise<void> {
    await this.#cache.delete(this.#method, id);
  }

  async #loaded(id: Id, context: LoaderContext): Promise<unknown> {
    const before = await this.#isBeingUpdated(id);
    const record = (await this.#load(id, context.signal)) ?? undefined;
    const after = before === true || (await this.#isBeingUpdated(id));
    if (after === true) context.skip();
    // A token that could not be looked for lasts no longer than this.
    else if (before === undefined || after === undefined) context.setTtl(this.#unsureTtlMs);
    return this.#seal(id, record);
  }

  /** Updates of one record by this process come one after another. */
  async #write(id: Id, write: () => Promise<unknown>, written: (() => Record) | undefined): Promise<void> {
    const key = this.#cache.key(this.#method, id);
    const before = this.#updates.get(key);
    const run = (async () => {
      await before?.catch(() => undefined);
      await this.#writeAlone(id, write, written);
    })();
    this.#updates.set(key, run);
    try {
      await run;
    } finally {
      if (this.#updates.get(key) === run) this.#updates.delete(key);
    }
  }

  async #writeAlone(
    id: Id,
    write: () => Promise<unknown>,
    written: (() => Record) | undefined,
  ): Promise<void> {
    const token = nodeCrypto().randomUUID();
    let isAlone = false;
    await orNone(async () => {
      // Where another process writes it too, neither ends the hold of the other: it lapses.
      isAlone = (await this.#token(id)) === undefined;
      await this.#hold(id, token, this.#tokenTtlMs);
    });
    // Whoever begins to read after it is void has to find the token.
    await this.#flushed();
    await orNone(() => this.#void(id));
    await this.#flushed();
    let isWritten = false;
    try {
      await write();
      isWritten = true;
    } finally {
      // Also where it failed: it may have been written all the same.
      await orNone(() => this.#void(id));
      if (isAlone) await orNone(() => this.#letGo(id, token, isWritten ? written : undefined));
      await this.#flushed();
    }
  }

  async #void(id: Id): Promise<void> {
    await this.#cache.delete(this.#method, id);
  }

  /** Ends the hold of a record, which is stored before where nobody else has begun to write it. */
  async #letGo(id: Id, token: string, written: (() => Record) | undefined): Promise<void> {
    const isOurs = async () => (await this.#token(id)) === token;
    if (this.#settleMs > 0) {
      const held = await this.#token(id);
      if (held === token || held === undefined) await this.#hold(id, token, this.#settleMs);
      return;
    }
    if (!(await isOurs())) return;
    if (written !== undefined) {
      const { ttl } = this.#loadOptions;
      await this.#cache.set(this.#method, id, this.#seal(id, written()), ttl === undefined ? {} : { ttl });
      // Who began meanwhile may have voided it before it was there.
      if (!(await isOurs())) return this.#void(id);
    }
    await this.#cache.delete(this.#tokens, id);
  }

  get #tokens(): string {
    return `${this.#method}:updating`;
  }

  async #hold(id: Id, token: string, ttl: number): Promise<void> {
    const lasting = { ttl, jitter: 0, sliding: false, staleWhileRevalidate: 0, staleIfError: 0 };
    await this.#cache.set(this.#tokens, id, token, lasting);
  }

  /** The token under which a record is being updated by any process, if one is; the error where that can't be told. */
  async #token(id: Id): Promise<unknown> {
    const found = await this.#cache.method(this.#tokens).lookupNewest(id);
    if (found.outcome === 'error') return found.error;
    return 'value' in found ? found.value : undefined;
  }

  /** `undefined` where that can't be told. */
  async #isBeingUpdated(id: Id): Promise<boolean | undefined> {
    // Memory may have let go of a token.
    if (this.#updates.has(this.#cache.key(this.#method, id))) return true;
    const token = await this.#token(id);
    return token instanceof CacheError ? undefined : token !== undefined;
  }

  /** Waits until what was voided is on disk and in Redis, within bounds: a cache that fails must not keep a record from being written. */
  #flushed(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(resolve, this.#flushTimeoutMs, { holdsProcess: true });
      // The cache tells of its failures itself, by the event `error`.
      const done = () => {
        timer.cancel();
        resolve();
      };
      this.#cache.flush().then(done, done);
    });
  }

  #seal(id: Id, record: Record | undefined): unknown {
    if (this.#secrets === undefined || record === undefined) return { open: record, sealed: {} };
    return this.#secrets.seal(record, this.#place(id));
  }

  #open(id: Id, value: unknown): Record | undefined {
    // As `knownKeys` of the cache may have it.
    if (value === undefined) return undefined;
    try {
      if (!isSealed(value)) throw new Error('It was stored by something else');
      if (this.#secrets !== undefined)
        return this.#secrets.open(value, this.#place(id)) as Record | undefined;
      if (Object.keys(value.sealed).length === 0) return value.open as Record | undefined;
    } catch (cause) {
      throw new UnreadableRecord('A stored record can not be read', { cause });
    }
    throw new UnreadableRecord('A stored record is encrypted, and there are no `secrets`');
  }

  /** What encrypted fields are bound to: moved to another record they can't be read. */
  #place(id: Id): string {
    return `${this.#method}\n${this.#cache.key(this.#method, id)}`;
  }
}

/** Goes on without a cache that is closed or fails: a record must be written all the same. */
async function orNone(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
  }
}

class UnreadableRecord extends Error {}

function refuse(call: 'update' | 'remove', option: 'store' | 'remove'): never {
  const fix = call === 'update' ? 'store: (id, record) => …' : 'remove: (id) => …';
  throw missing(`the option \`${option}\` of cacheAside`, `${call}()`, `give it \`${fix}\``);
}
