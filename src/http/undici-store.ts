/** A store for the cache interceptor of undici: what programs fetch themselves lies in a cache of ours. */

import { Writable } from 'node:stream';
import type { CacheManager, LoadOptions, MethodCache } from '../index.js';
import { hasMethods, integer, objectOf, refuseUnknown, text } from '../option-checks.js';

/** How the store stores. */
export interface UndiciStoreOptions {
  /** Where responses are stored. */
  readonly cache: CacheManager;
  /**
   * The method that responses are stored under, in statistics and on disk.
   * @default 'undici'
   */
  readonly method?: string | undefined;
  /**
   * The largest body that is stored, in bytes.
   * @default 5242880 (5 MiB)
   */
  readonly maxBodyBytes?: number | undefined;
}

/** Headers as undici has them. */
export type UndiciHeaders = Record<string, string | string[]>;

/** A request, as undici's interceptor asks for it. */
export interface UndiciCacheKey {
  /** `https://host` */
  origin: string;
  /** `'GET'` */
  method: string;
  /** With its query. */
  path: string;
  /** The headers of the request. */
  headers?: UndiciHeaders;
}

/** A response without its body, as undici's interceptor stores it. */
export interface UndiciCacheValue {
  /** `200` */
  statusCode: number;
  /** `'OK'` */
  statusMessage: string;
  /** The headers of the response. */
  headers: UndiciHeaders;
  /** What it varies by: the headers of the request that it was the response to. */
  vary?: Record<string, string | string[] | null>;
  /** Its entity tag. */
  etag?: string;
  /** The directives of its `Cache-Control`. */
  cacheControlDirectives?: object;
  /** Epoch ms. */
  cachedAt: number;
  /** Epoch ms. */
  staleAt: number;
  /** Epoch ms; from then on it is not returned. */
  deleteAt: number;
}

/** A response with its body. */
export interface UndiciCacheResult extends UndiciCacheValue {
  /** The directives of its `Cache-Control`. */
  cacheControlDirectives: object;
  /** All of it, in pieces. */
  body?: readonly Buffer[];
}

/** A store as `interceptors.cache({ store })` of undici 7 and 8 takes it. */
export interface UndiciStore {
  /** The response to a request, if there is one. */
  get(key: UndiciCacheKey): Promise<UndiciCacheResult | undefined>;
  /** Stores the body that is written, with its head. Nothing is stored of one that is too large, or not ended. */
  createWriteStream(key: UndiciCacheKey, value: UndiciCacheValue): Writable | undefined;
  /** Makes void what is stored of a URL, of all methods and variants, and what is on its way there. */
  delete(key: UndiciCacheKey): Promise<void>;
}

/** What is stored: a response, or the names of the headers that a URL's responses vary by. */
type Stored = { readonly v: 1; readonly value: UndiciCacheValue; readonly body: Uint8Array } | VaryNames;
type VaryNames = { readonly v: 1; readonly names: readonly string[] };

/**
 * A store for undici's cache interceptor over a cache: what tools fetch is bounded, persisted and shared as their results
 * are. What may be stored and for how long undici decides.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * setGlobalDispatcher(new Agent().compose(interceptors.cache({ store: undiciStore({ cache }) })));
 */
export function undiciStore(options: UndiciStoreOptions): UndiciStore {
  const names = ['cache', 'method', 'maxBodyBytes'];
  refuseUnknown(objectOf(options, 'undiciStore', 'an object as `{ cache }`'), names, { of: 'undiciStore' });
  const { cache, method = 'undici', maxBodyBytes = 5 * 1024 * 1024 } = options;
  hasMethods(cache, 'cache', ['method', 'invalidateTags']);
  return new ResponseStore(cache, text(method, 'method'), integer(maxBodyBytes, 'maxBodyBytes'));
}

class ResponseStore implements UndiciStore {
  readonly #cache: CacheManager;
  readonly #method: MethodCache;
  readonly #maxBodyBytes: number;
  /** Writes that have ended and are not stored yet, by URL: who asks then is to find them. */
  readonly #ending = new Map<string, Promise<unknown>>();

  constructor(cache: CacheManager, method: string, maxBodyBytes: number) {
    this.#cache = cache;
    this.#method = cache.method(method);
    this.#maxBodyBytes = maxBodyBytes;
  }

  async get(key: UndiciCacheKey): Promise<UndiciCacheResult | undefined> {
    const url = urlOf(key);
    await this.#ending.get(url);
    const base = { url, method: key.method };
    let found = (await this.#method.get(base)) as Stored | undefined;
    if (found?.v === 1 && 'names' in found) {
      found = (await this.#method.get({ ...base, vary: valuesOf(found.names, key.headers) })) as
        | Stored
        | undefined;
    }
    if (found?.v !== 1 || 'names' in found) return undefined;
    const { value, body } = found;
    if (value.deleteAt <= Date.now() || !isFor(value, key)) return undefined;
    const { cacheControlDirectives = {} } = value;
    return {
      ...value,
      cacheControlDirectives,
      // In a list: undici writes what it iterates over back to a store after a 304, and a Buffer's are numbers.
      body: body.byteLength === 0 ? [] : [Buffer.from(body.buffer, body.byteOffset, body.byteLength)],
    };
  }

  createWriteStream(key: UndiciCacheKey, value: UndiciCacheValue): Writable | undefined {
    const url = urlOf(key);
    const base = { url, method: key.method };
    const names = Object.keys(value.vary ?? {}).sort();
    const params = names.length === 0 ? base : { ...base, vary: valuesOf(names, value.vary) };
    const tags = [tagOf(url)];
    let finish: (body: Buffer | undefined) => void = () => undefined;
    const written = new Promise<Buffer | undefined>((resolve) => {
      finish = resolve;
    });
    // A load, so that a deletion while the body is on its way wins.
    const stored = this.#method
      .refresh<unknown>(
        params,
        async (context) => {
          const body = await written;
          if (body === undefined) {
            context.skip();
            return undefined;
          }
          const ttl = Math.max(0, value.deleteAt - Date.now());
          context.setTtl(ttl);
          if (names.length > 0) await this.#setNames(base, names, { tags, ttl });
          return { v: 1, value: plain(value), body } satisfies Stored;
        },
        loadOptions(tags),
      )
      // The cache has counted it: undici has the response and goes on.
      .catch(() => undefined);

    const chunks: Buffer[] = [];
    let size = 0;
    return new Writable({
      write: (chunk: Buffer | string, encoding, done) => {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk);
        size += bytes.byteLength;
        if (size > this.#maxBodyBytes) {
          chunks.length = 0;
          finish(undefined);
        } else chunks.push(bytes);
        done();
      },
      final: (done) => {
        finish(Buffer.concat(chunks));
        this.#end(url, stored);
        void stored.then(() => done());
      },
      destroy: (error, done) => {
        finish(undefined);
        done(error);
      },
    });
  }

  async delete(key: UndiciCacheKey): Promise<void> {
    await this.#cache.invalidateTags([tagOf(urlOf(key))]);
  }

  /** Says what the responses of a URL vary by, for as long as any of them lasts. */
  async #setNames(
    base: object,
    names: readonly string[],
    { tags, ttl }: { readonly tags: readonly string[]; readonly ttl: number },
  ): Promise<void> {
    const found = await this.#method.lookup<Stored>(base);
    if ('value' in found && 'names' in found.value && found.value.names.join() === names.join()) {
      const { expiresAt } = found.metadata;
      if (expiresAt === null || expiresAt >= Date.now() + ttl) return;
    }
    const lasting = { ttl, jitter: 0, sliding: false };
    await this.#method.set(base, { v: 1, names } satisfies VaryNames, { tags, ...lasting });
  }

  #end(url: string, stored: Promise<unknown>): void {
    const all = Promise.all([this.#ending.get(url), stored]).then(() => {
      if (this.#ending.get(url) === all) this.#ending.delete(url);
    });
    this.#ending.set(url, all);
  }
}

/** What a response says of itself decides. */
function loadOptions(tags: readonly string[]): LoadOptions {
  return {
    ...{ staleWhileRevalidate: 0, staleIfError: 0, softTimeout: false, jitter: 0, negativeTtl: false },
    ...{ sliding: false, cacheErrors: false, isError: false, tags },
  };
}

/** No part can hold a line break. */
function urlOf({ origin, path }: UndiciCacheKey): string {
  return `${origin}\n${path}`;
}

function tagOf(url: string): string {
  return `undici:${url.replace('\n', '')}`;
}

function valuesOf(
  names: readonly string[],
  headers: UndiciCacheValue['vary'] = {},
): [string, string[] | null][] {
  return names.map((name) => [name, listed(headers[name])]);
}

function listed(value: string | readonly string[] | null | undefined): string[] | null {
  return value === undefined || value === null ? null : [value].flat();
}

function isFor({ vary = {} }: UndiciCacheValue, { headers = {} }: UndiciCacheKey): boolean {
  return Object.entries(vary).every(([name, value]) => {
    const [own, theirs] = [listed(value), listed(headers[name])];
    return own?.join('\n') === theirs?.join('\n');
  });
}

/** Without what is undefined, and in memory of its own. */
function plain(value: UndiciCacheValue): UndiciCacheValue {
  return Object.fromEntries(
    Object.entries(value).filter(([, each]) => each !== undefined),
  ) as UndiciCacheValue & object;
}
