/**
 * Records of a database behind a cache (cache-aside).
 *
 * An update holds a token under which no load is stored, and voids the record before and after it is written: a read that
 * began before is voided by the deletion, one that begins meanwhile finds the token at its beginning or end, also another
 * process's. The token is on disk before the record is voided, and that before the database is written, so that a process
 * that is killed at any step leaves nothing old.
 */

import type { Clock } from '../clock.js';
import { parseDuration, positiveDuration } from '../duration.js';
import { resolveClock } from '../implementations.js';
// By the main entry, which whoever uses this has: what it shares with that is in the same files then.
import { CacheError, type CacheManager, type LoaderContext, type LoadOptions } from '../index.js';
import { nodeCrypto } from '../node-crypto.js';
import {
  functionOf,
  given,
  hasMethods,
  missing,
  objectOf,
  oneOf,
  refuseUnknown,
  text,
} from '../option-checks.js';
import { createValueCodec } from '../value/codec.js';
import type { CacheAside, CacheAsideOptions } from './cache-aside-options.js';
import { orNone } from './or-none.js';
import { isSealed, type SealedRecord, SecretBox } from './secret-fields.js';
import { UpdateTokens } from './update-tokens.js';

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
  readonly #tokens: UpdateTokens<Id>;
  /** Records that could not be sealed, on their way to who has loaded them. */
  readonly #unsealed = new WeakSet<object>();
  /** The last update of each record that is being updated by this process. */
  readonly #updates = new Map<string, Promise<void>>();

  constructor(options: CacheAsideOptions<Id, Record>) {
    const { ttl = '5m', negativeTtl = '30s', write = 'around', tokenTtl = '30s', settle = 0 } = options;
    hasMethods(options.cache, 'cache', ['getOrSet', 'set', 'delete', 'lookup', 'flush', 'key']);
    this.#cache = options.cache;
    this.#method = text(options.method, 'method');
    this.#load = functionOf(options.load, 'load');
    this.#store = optional(options.store, (store) => functionOf(store, 'store'));
    this.#remove = optional(options.remove, (remove) => functionOf(remove, 'remove'));
    this.#isThrough = oneOf(write, 'write', ['around', 'through']) === 'through';
    this.#tokenTtlMs = positiveDuration(tokenTtl, 'tokenTtl');
    this.#settleMs = parseDuration(settle, 'settle');
    this.#flushTimeoutMs = parseDuration(given(options.flushTimeout, '1s'), 'flushTimeout');
    this.#secrets = optional(options.secrets, (secrets) => new SecretBox(secrets));
    this.#clock = resolveClock(options.clock);
    this.#tokens = new UpdateTokens(this.#cache, this.#method, this.#clock);
    const ttls = { ttl: parseDuration(ttl, 'ttl'), negativeTtl: parseDuration(negativeTtl, 'negativeTtl') };
    this.#unsureTtlMs = Math.min(ttls.ttl, ttls.negativeTtl, this.#tokenTtlMs);
    this.#loadOptions = {
      ...ttls,
      isNegative: (value) => isSealed(value) && value.open === undefined,
      // What an update has voided must not stand in for what it wrote.
      ...{ staleWhileRevalidate: 0, staleIfError: 0, refreshAhead: false, cacheErrors: false },
      // Nor anything last for longer because it is read.
      ...{ sliding: false, isError: false },
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
    if (!this.#isThrough) return this.#write(id, () => store(id, record), undefined);
    let stored: Uint8Array | undefined;
    const write = () => {
      stored = bytesOf(record);
      return store(id, record);
    };
    const isUnchanged = () => {
      const now = bytesOf(record);
      return stored !== undefined && now !== undefined && Buffer.compare(stored, now) === 0;
    };
    await this.#write(id, write, { record, isUnchanged });
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
    const sealed = this.#seal(id, record);
    if (sealed !== undefined) return sealed;
    context.withhold();
    const unsealed = { open: record, sealed: {} };
    this.#unsealed.add(unsealed);
    return unsealed;
  }

  /** Updates of one record by this process come one after another; one that hangs is waited for as long as its token lasts. */
  async #write(id: Id, write: () => Promise<unknown>, written: Written<Record> | undefined): Promise<void> {
    const key = this.#cache.key(this.#method, id);
    const before = this.#updates.get(key);
    const run = (async () => {
      if (before !== undefined) await this.#inTime(before, this.#tokenTtlMs);
      await this.#writeAlone(id, write, written);
    })();
    this.#updates.set(key, run);
    try {
      await run;
    } finally {
      if (this.#settleMs > 0) this.#tokens.settle(key, this.#settleMs);
      if (this.#updates.get(key) === run) this.#updates.delete(key);
    }
  }

  async #writeAlone(
    id: Id,
    write: () => Promise<unknown>,
    written: Written<Record> | undefined,
  ): Promise<void> {
    const token = nodeCrypto().randomUUID();
    let isAlone = false;
    await orNone(async () => {
      // Where another process writes it too, neither ends the hold of the other: it lapses.
      isAlone = (await this.#tokens.of(id)) === undefined;
      await this.#tokens.hold(id, token, this.#tokenTtlMs);
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
      await orNone(() => this.#letGo(id, token, { isAlone, written: isWritten ? written : undefined }));
      await this.#flushed();
    }
  }

  async #void(id: Id): Promise<void> {
    await this.#cache.delete(this.#method, id);
  }

  /** Ends the hold of a record, which is stored before where nobody else has begun to write it. */
  async #letGo(
    id: Id,
    token: string,
    { isAlone, written }: { readonly isAlone: boolean; readonly written: Written<Record> | undefined },
  ): Promise<void> {
    const isOurs = async () => (await this.#tokens.of(id)) === token;
    if (this.#settleMs > 0) return this.#prolong(id, token, isAlone);
    if (!isAlone || !(await isOurs())) return;
    const sealed = written?.isUnchanged() ? this.#seal(id, written.record) : undefined;
    if (sealed !== undefined) {
      const { ttl = null } = this.#loadOptions;
      const options = { ttl, sliding: false, staleWhileRevalidate: 0, staleIfError: 0 };
      await this.#cache.set(this.#method, id, sealed, options);
      // Who began meanwhile may have voided it before it was there.
      if (!(await isOurs())) return this.#void(id);
    }
    await this.#tokens.release(id);
  }

  /** Holds a record for as long as replicas lag behind. */
  async #prolong(id: Id, token: string, isAlone: boolean): Promise<void> {
    // Another's hold is not shortened, nor ended by the other.
    if (!isAlone) return this.#tokens.hold(id, token, Math.max(this.#settleMs, this.#tokenTtlMs));
    const held = await this.#tokens.of(id);
    // Who has begun meanwhile prolongs it in turn.
    if (held === token || held === undefined) await this.#tokens.hold(id, token, this.#settleMs);
  }

  /** `undefined` where that can't be told. */
  async #isBeingUpdated(id: Id): Promise<boolean | undefined> {
    const key = this.#cache.key(this.#method, id);
    // Memory may have let go of a token.
    if (this.#updates.has(key) || this.#tokens.isSettling(key)) return true;
    const token = await this.#tokens.of(id);
    return token instanceof CacheError ? undefined : token !== undefined;
  }

  /** Waits until what was voided is on disk and in Redis, within bounds: a cache that fails must not keep a record from being written. */
  #flushed(): Promise<void> {
    // The cache tells of its failures itself, by the event `error`.
    return this.#inTime(this.#cache.flush(), this.#flushTimeoutMs);
  }

  /** Waits for a task to end in whatever way, for so long at most. */
  #inTime(task: Promise<unknown>, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(resolve, ms, { holdsProcess: true });
      const done = () => {
        timer.cancel();
        resolve();
      };
      task.then(done, done);
    });
  }

  /** `undefined` for what can't be kept with its secrets encrypted. */
  #seal(id: Id, record: Record | undefined): SealedRecord | undefined {
    if (this.#secrets === undefined || record === undefined) return { open: record, sealed: {} };
    return this.#secrets.seal(record, this.#place(id));
  }

  #open(id: Id, value: unknown): Record | undefined {
    // As `knownKeys` of the cache may have it.
    if (value === undefined) return undefined;
    if (this.#unsealed.has(value as object)) return (value as SealedRecord).open as Record;
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

class UnreadableRecord extends Error {}

/** What was written, for who reads next: as long as nobody has changed it since. */
interface Written<Record> {
  readonly record: Record;
  readonly isUnchanged: () => boolean;
}

const codec = createValueCodec();

/** All that a record holds; `undefined` where it holds what can't be stored. A key would leave out what the method ignores. */
function bytesOf(record: unknown): Uint8Array | undefined {
  try {
    return codec.encode(record);
  } catch (error) {
    if (error instanceof CacheError) return undefined;
    throw error;
  }
}

/** `null` and the like are no way to leave an option out: without it secrets would be in clear. */
function optional<T, U>(value: T | undefined, make: (value: T) => U): U | undefined {
  return value === undefined ? undefined : make(value);
}

function refuse(call: 'update' | 'remove', option: 'store' | 'remove'): never {
  const fix = call === 'update' ? 'store: (id, record) => …' : 'remove: (id) => …';
  throw missing(`the option \`${option}\` of cacheAside`, `${call}()`, `give it \`${fix}\``);
}
