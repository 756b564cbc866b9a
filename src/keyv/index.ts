/**
 * Storage adapters for Keyv over a cache: what Keyv stores is evicted, persisted, watched and shared as tool results are.
 *
 * Keyv 5 prefixes keys with their namespace and gives a ttl; Keyv 6 gives bare keys, the namespace apart, and the moment
 * of expiry. Neither can be told from the other by a call, so each has an adapter of its own.
 */

import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { InvalidArgumentError } from '../errors.js';
import type { CacheListener } from '../events.js';
import type { CacheManager } from '../index.js';
import { objectOf, refuseUnknown } from '../option-checks.js';

/** How an adapter stores. */
export interface KeyvAdapterOptions {
  /**
   * The method that values are stored under, in statistics and on disk. Its options are those of the cache for it.
   * @default 'keyv'
   */
  readonly method?: string | undefined;
}

/** What Keyv 6 stores: a serialized text, or, without serialization, an object. */
export type Keyv6Stored<Value> =
  | {
      /** The value itself. */
      value?: Value;
      /** Until when it holds, epoch ms. */
      expires?: number | undefined;
    }
  | string
  | undefined;

/** What the cache holds: the key beside the value, so that keys can be listed. */
interface Held {
  readonly namespace?: string;
  readonly key: string;
  readonly value: unknown;
}

/** Earlier moments than this, in epoch ms, are no moments but periods: 1973. */
const firstMoment = 100_000_000_000;

abstract class KeyvAdapter extends EventEmitter {
  /** Set by Keyv. */
  namespace: string | undefined;
  /** Read by Keyv. */
  readonly opts: Record<string, unknown> = { dialect: 'toolstash', url: '' };
  protected readonly cache: CacheManager;
  protected readonly method: string;
  readonly #onError: CacheListener<'error'>;

  /**
   * An adapter that stores in a cache, under one method of it.
   * @throws InvalidArgumentError for what is no cache, or no name of a method; InvalidOptionError for other options
   */
  constructor(cache: CacheManager, options: KeyvAdapterOptions = {}) {
    super();
    const of = new.target.name;
    if (typeof cache?.lookup !== 'function') {
      throw new InvalidArgumentError(
        `Expected \`new ${of}(cache)\` with a \`CacheManager\`, got \`${inspect(cache, { depth: 0 })}\``,
      );
    }
    const elsewhere = (name: string) =>
      name === 'ttl'
        ? `\`ttl\` is no option of ${of}: give it to Keyv, or to the cache, \`methods: { keyv: { ttl: … } }\``
        : undefined;
    refuseUnknown(objectOf(options, 'options', 'an object as `{ method }`'), ['method'], { of, elsewhere });
    const { method = 'keyv' } = options;
    if (typeof method !== 'string' || method === '') {
      throw new InvalidArgumentError(
        `Expected \`method\` to be a non-empty string, got \`${inspect(method)}\``,
      );
    }
    this.cache = cache;
    this.method = method;
    this.#onError = (event) => {
      if (event.method === undefined || event.method === method) this.report(event.error);
    };
    cache.on('error', this.#onError);
  }

  /** The listeners of an event, as Keyv's types have them. */
  override listeners(event: string | symbol): ((...data: unknown[]) => void)[] {
    return super.listeners(event) as ((...data: unknown[]) => void)[];
  }

  /** The same with the wrappers of `once`. */
  override rawListeners(event: string | symbol): ((...data: unknown[]) => void)[] {
    return super.rawListeners(event) as ((...data: unknown[]) => void)[];
  }

  /** Whether there is something under a key. */
  async has(key: string): Promise<boolean> {
    return this.cache.has(this.method, this.paramsOf(key));
  }

  /** `has` for many, in their order. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.has(key)));
  }

  /** Deletes what is under a key; tells whether there was something. */
  async delete(key: string): Promise<boolean> {
    const params = this.paramsOf(key);
    const had = await this.cache.has(this.method, params);
    await this.cache.delete(this.method, params);
    return had;
  }

  /** Deletes all values of the namespace; without one, all of the adapter's method. */
  async clear(): Promise<void> {
    if (this.namespace === undefined) await this.cache.clear(this.method);
    else await this.cache.invalidateTags([this.#tagOf(this.namespace)]);
  }

  /** Waits until everything is stored, and lets go of the cache, which stays open: close it yourself. */
  async disconnect(): Promise<void> {
    this.cache.off('error', this.#onError);
    await this.cache.flush();
  }

  protected abstract paramsOf(key: string): Omit<Held, 'value'>;

  protected async put(
    key: string,
    value: unknown,
    { ttl, namespaces }: { readonly ttl: number | undefined; readonly namespaces: readonly string[] },
  ): Promise<boolean> {
    const params = this.paramsOf(key);
    if (ttl !== undefined && ttl <= 0) {
      await this.cache.delete(this.method, params);
      return true;
    }
    const tags = namespaces.map((namespace) => this.#tagOf(namespace));
    const held: Held = { ...params, value };
    return this.cache.set(this.method, params, held, { tags, ...(ttl !== undefined && { ttl }) });
  }

  protected async *held(): AsyncGenerator<Held, void> {
    for await (const { value } of this.cache.entries(this.method)) yield value as Held;
  }

  /** Emits an error, unless nobody listens: an emitter would throw it. */
  protected report(error: unknown): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  #tagOf(namespace: string): string {
    return `${this.method}:${namespace}`;
  }
}

/** Keys with more colons than this are cleared with the namespaces before the first ones of them alone. */
const mostNamespaces = 16;

/**
 * A storage adapter for Keyv 5: `new Keyv({ store: new Keyv5Adapter(cache) })`. Values without a ttl live by the cache's
 * options for the method. A cache that fails emits `error` and is no silent miss.
 *
 * @example
 * const keyv = new Keyv({ store: new Keyv5Adapter(cache), namespace: 'users' });
 */
export class Keyv5Adapter extends KeyvAdapter {
  /** Keyv 6 asks for this, and would take namespaces and moments of expiry for what they are not here. */
  get capabilities(): never {
    throw new InvalidArgumentError('Expected Keyv 5, got Keyv 6: give it a `Keyv6Adapter`');
  }

  /** What Keyv stored under a key. Rejects where the cache can't tell, which is no miss. */
  async get<Value>(key: string): Promise<Value | undefined> {
    let error: unknown;
    try {
      const found = await this.cache.lookup<Held>(this.method, this.paramsOf(key));
      if (found.outcome !== 'error') return 'value' in found ? (found.value.value as Value) : undefined;
      // The cache has emitted it.
      error = found.error;
    } catch (thrown) {
      // Keyv 5 takes what a store throws for a miss, and says nothing.
      this.report(thrown);
      error = thrown;
    }
    throw error;
  }

  /** `get` for many, in their order. */
  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return Promise.all(keys.map((key) => this.get<Value>(key)));
  }

  /** Stores a value for `ttl` ms; tells whether it was stored. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return this.put(key, value, { ttl: ttl ?? undefined, namespaces: namespacesOf(key) });
  }

  /** `set` for many. */
  async setMany(entries: { key: string; value: unknown; ttl?: number }[]): Promise<void> {
    await Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)));
  }

  /** Deletes many; tells whether there was any. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const had = await Promise.all(keys.map((key) => this.delete(key)));
    return had.includes(true);
  }

  /** Keys and what Keyv stored under them, of one namespace or of all. */
  async *iterator<Value>(
    namespace: string | undefined = this.namespace,
  ): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    for await (const { key, value } of this.held()) {
      const isWanted = namespace === undefined || key.startsWith(`${namespace}:`);
      if (isWanted) yield [key, value as Awaited<Value>];
    }
  }

  /** What a key of the cache is made from. */
  protected paramsOf(key: string): Omit<Held, 'value'> {
    return { key };
  }
}

/** The namespaces that a key of Keyv 5 may be in: which of its colons ends one, it doesn't say. */
function namespacesOf(key: string): string[] {
  const namespaces: string[] = [];
  for (
    let at = key.indexOf(':');
    at >= 0 && namespaces.length < mostNamespaces;
    at = key.indexOf(':', at + 1)
  ) {
    if (at > 0) namespaces.push(key.slice(0, at));
  }
  return namespaces;
}

/** A value of `Keyv6Adapter.setMany`, as Keyv gives it. */
export interface Keyv6Entry<Value = unknown> {
  /** The key, without its namespace. */
  readonly key: string;
  /** The value, or the text that it was serialized to. */
  readonly value: Value;
  /** Until when it holds, epoch ms. */
  readonly expires?: number;
}

/**
 * A storage adapter for Keyv 6: `new Keyv({ store: new Keyv6Adapter(cache) })`. Values without an end live by the cache's
 * options for the method. A cache that fails emits `error` and is no silent miss.
 *
 * @example
 * const keyv = new Keyv({ store: new Keyv6Adapter(cache), namespace: 'users' });
 */
export class Keyv6Adapter extends KeyvAdapter {
  /** Tells Keyv 6 that moments of expiry and namespaces are heeded here. */
  get capabilities(): KeyvCapabilities {
    const methods = Object.fromEntries(
      storageMethods.map((name) => [name, { exists: true, methodType: 'async' }]),
    );
    return { compatible: true, store: 'keyvStorage', expires: true, methods } as KeyvCapabilities;
  }

  /** What Keyv stored under a key; `undefined` also where the cache can't tell, which it emits as an error. */
  async get<Value>(key: string): Promise<Keyv6Stored<Value>> {
    const found = await this.cache.lookup<Held>(this.method, this.paramsOf(key));
    return 'value' in found ? (found.value.value as Keyv6Stored<Value>) : undefined;
  }

  /** `get` for many, in their order. */
  async getMany<Value>(keys: string[]): Promise<Keyv6Stored<Value>[]> {
    return Promise.all(keys.map((key) => this.get<Value>(key)));
  }

  /**
   * Stores a value until `expires`, epoch ms; tells whether it was stored.
   * @throws InvalidArgumentError for a period instead of a moment, as Keyv 5 gives
   */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    if (expires !== undefined && !(expires >= firstMoment)) {
      throw new InvalidArgumentError(
        `Expected \`expires\` to be a moment in epoch ms, got \`${String(expires)}\`: Keyv 5 needs a \`Keyv5Adapter\``,
      );
    }
    const ttl = expires === undefined ? undefined : expires - Date.now();
    const namespaces = this.namespace === undefined ? [] : [this.namespace];
    return this.put(key, value, { ttl, namespaces });
  }

  /** `set` for many; tells of each whether it was stored. */
  async setMany<Value>(entries: Keyv6Entry<Value>[]): Promise<boolean[]> {
    return Promise.all(entries.map(({ key, value, expires }) => this.set(key, value, expires)));
  }

  /** Deletes many; tells of each whether there was something. */
  async deleteMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.delete(key)));
  }

  /** Keys of the namespace and what Keyv stored under them; without a namespace, of those stored without one. */
  async *iterator<Value>(): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    for await (const { namespace, key, value } of this.held()) {
      if (namespace === this.namespace) yield [key, value as Awaited<Value>];
    }
  }

  /** What a key of the cache is made from. */
  protected paramsOf(key: string): Omit<Held, 'value'> {
    return this.namespace === undefined ? { key } : { namespace: this.namespace, key };
  }
}

const storageMethods: readonly string[] = [
  ...['get', 'getMany', 'has', 'hasMany', 'set', 'setMany'],
  ...['delete', 'deleteMany', 'clear', 'disconnect', 'iterator'],
];

/** What Keyv 6 asks an adapter of. */
export interface KeyvCapabilities {
  /** It has all methods. */
  readonly compatible: true;
  /** It is an adapter and no `Map`. */
  readonly store: 'keyvStorage';
  /** It takes moments of expiry. */
  readonly expires: true;
  /** Each method, by its name. */
  readonly methods: Record<KeyvStorageMethod, { exists: true; methodType: 'async' }>;
}

/** The methods of an adapter. */
export type KeyvStorageMethod =
  | ('get' | 'getMany' | 'has' | 'hasMany' | 'set' | 'setMany')
  | ('delete' | 'deleteMany' | 'clear' | 'disconnect' | 'iterator');
