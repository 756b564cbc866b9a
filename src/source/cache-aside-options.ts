/** The options of `cacheAside`, and what it gives. */

import type { Clock } from '../clock.js';
import type { Duration } from '../duration.js';
import type { CacheManager } from '../index.js';
import type { SecretFields } from './secret-fields.js';

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
