/**
 * The responses that many clients share: which one a request may have, who runs the route, and who waits for it.
 *
 * A key is a URL, and what its responses turned out to vary by: the response found first under a URL names the headers,
 * and the requests that it is not for are looked up again with those in the key.
 */

import type { LoaderContext, MethodCache } from '../index.js';
import type { Capture, Captured, Exchange } from './exchange.js';
import { baseKey, isCacheable, pathTag, type RequestFacts, variantKey } from './request-key.js';
import type { ResolvedResponseCacheOptions } from './response-cache-options.js';
import { hasCredentials, storageOf } from './storable.js';
import {
  askedFor,
  isStoredResponse,
  isVariantFor,
  type StoredResponse,
  storedResponse,
  useOf,
} from './stored-response.js';

/** Turns of the search for one request's response: what it varies by can be learned step by step. */
const mostTurns = 8;
/** For how long a URL whose responses can't be shared is left to its route, in ms. */
const unsharedFor = 10_000;
const mostUnshared = 2_000;
const longestUnshared = 512;

/** Bytes of responses that are held decoded, texts aside. */
const mostDecoded = 8 * 1024 * 1024;

/** What those who joined a load get when its response is not for them. */
type NoResponse = { readonly v: 0; readonly why: 'unshared' | 'error' | 'aborted' };

type Found = StoredResponse | 'answered' | 'again' | 'pass';

/** A client's way to its response. */
interface Search {
  readonly base: string;
  /** What the responses that were found on it vary by. */
  names: readonly string[];
  turn: number;
}

/** One client's wait for a load that it may come to lead. */
interface Wait {
  state: 'waiting' | 'leading' | 'gone';
  led: Promise<Captured> | undefined;
}

/** The responses of one `responseCache`. */
export class SharedResponses {
  readonly options: ResolvedResponseCacheOptions;
  readonly #method: MethodCache;
  readonly #tags = new WeakMap<object, readonly string[]>();
  /** Renewals under way, by key. */
  readonly #renewals = new Map<string, Promise<void>>();
  /** Until when (epoch ms) the responses of a key are taken for not shareable. */
  readonly #unshared = new Map<string, number>();

  constructor(options: ResolvedResponseCacheOptions) {
    this.options = options;
    this.#method = options.cache.method(options.method).under(
      {
        // What a response says of itself decides, and a route can't be run behind its client's back.
        ...{ staleWhileRevalidate: 0, staleIfError: 0, refreshAhead: false, softTimeout: false },
        ...{ jitter: 0, negativeTtl: false, sliding: false, cacheErrors: false, isError: false },
        tags: (value: unknown) => this.#tags.get(value as object) ?? [],
      },
      mostDecoded,
    );
  }

  /** Makes void what is stored of paths, and what is on its way there. */
  invalidatePaths(host: string, targets: readonly string[]): Promise<void> {
    return this.options.cache.invalidateTags(targets.map((target) => pathTag(host, target)));
  }

  /** Makes void what a write has changed. The write has succeeded: a cache that fails or is closed doesn't change that. */
  noteWrite({ host, target }: RequestFacts): Promise<void> {
    return this.invalidatePaths(host, [target]).catch(() => undefined);
  }

  /** Whether a request is none of the cache's business. */
  isForeign(facts: RequestFacts): boolean {
    if (!isCacheable(facts)) return true;
    return this.options.heedsClient && askedFor(facts)?.has('no-store') === true;
  }

  /**
   * Answers a client, from the cache or from its route: within the call, and without a promise, where memory has what is
   * fresh. Rejects with what the route throws.
   */
  answer(exchange: Exchange): Promise<void> | undefined {
    try {
      const { facts } = exchange;
      const { clock, heedsClient, headers, query } = this.options;
      const search: Search = { base: baseKey(facts, headers, query), names: [], turn: 0 };
      for (; search.turn < mostTurns; search.turn++) {
        const found = this.#find(keyOf(search, facts), exchange);
        if (found instanceof Promise || typeof found === 'string')
          return this.#answerBeyond(search, found, exchange);
        const next = this.#searchOn(search, found, exchange);
        if (next === 'variant') continue;
        if (next instanceof Promise) return next;
        if (useOf(found, facts, clock.now(), heedsClient) !== 'fresh')
          return this.#answerBeyond(search, found, exchange);
        exchange.send(found, false);
        return undefined;
      }
      return exchange.pass();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Goes on with what was found first, where that is not there yet, or is no answer by itself. */
  async #answerBeyond(search: Search, first: Found | Promise<Found>, exchange: Exchange): Promise<void> {
    const { facts } = exchange;
    const { clock, heedsClient } = this.options;
    let next: Found | Promise<Found> | undefined = first;
    let hasWaited = false;
    for (; search.turn < mostTurns; search.turn++) {
      const key = keyOf(search, facts);
      const found: Found = await (next ?? this.#find(key, exchange));
      next = undefined;
      if (found === 'answered') return;
      if (found === 'pass') return exchange.pass();
      if (found === 'again') continue;
      const passed = this.#searchOn(search, found, exchange);
      if (passed === 'variant') continue;
      if (passed !== undefined) return passed;
      const use = useOf(found, facts, clock.now(), heedsClient);
      if (use === 'fresh') return exchange.send(found, false);
      if (facts.method === 'HEAD') return exchange.pass();
      const isUnderWay = this.#renewals.has(key);
      if (use === 'stale' && (isUnderWay || exchange.renew !== undefined)) {
        exchange.send(found, true);
        if (!isUnderWay) this.#renew(key, exchange.renew!, facts);
        return;
      }
      if (heedsClient && askedFor(facts)?.has('only-if-cached')) return exchange.refuse();
      const fallback = use === 'unusable' ? undefined : found;
      if (hasWaited) return fallback === undefined ? exchange.pass() : exchange.send(fallback, true);
      const isAsked = use === 'unusable' && useOf(found, facts, clock.now(), false) === 'fresh';
      if (isUnderWay && !isAsked) {
        await this.#renewals.get(key);
        hasWaited = true;
        continue;
      }
      return this.#replace(key, exchange, fallback);
    }
    return exchange.pass();
  }

  /**
   * Whether what was found is for this client: `'variant'` where its own may lie under what it varies by, the route's
   * answer where it is for others alone, `undefined` where it is.
   */
  #searchOn(
    search: Search,
    found: StoredResponse,
    exchange: Exchange,
  ): 'variant' | Promise<void> | undefined {
    const { facts } = exchange;
    if (!isVariantFor(found, facts)) {
      const more = [...new Set([...search.names, ...found.vary.map(([name]) => name)])].sort();
      if (more.length === search.names.length) return exchange.pass();
      search.names = more;
      return 'variant';
    }
    return !found.open && hasCredentials(facts, this.options.headers) ? exchange.pass() : undefined;
  }

  /** What the cache has under a key, else its route's answer; what memory has is no promise. */
  #find(key: string, exchange: Exchange): Found | Promise<Found> {
    const { facts } = exchange;
    const until = this.#unshared.size === 0 ? undefined : this.#unshared.get(key);
    if (until !== undefined && this.options.clock.now() < until) return 'pass';
    const isOnlyCached = this.options.heedsClient && askedFor(facts)?.has('only-if-cached') === true;
    if (facts.method === 'HEAD' || isOnlyCached) return this.#stored(key, exchange, isOnlyCached);
    const wait: Wait = { state: 'waiting', led: undefined };
    const answer = this.#method.getOrSetAtOnce<unknown>(key, (context) => {
      // Who has waited too long runs the route itself; a load that another call starts later is none of this client's.
      if (wait.state !== 'waiting') return this.#none(context, 'aborted');
      wait.state = 'leading';
      wait.led = exchange.lead(this.#capture(facts, undefined));
      return this.#loaded(key, wait.led, context);
    });
    return answer instanceof Promise ? this.#awaited(answer, wait) : foundIn(answer);
  }

  /** What is stored under a key, for a client for whom no route is run. */
  async #stored(key: string, exchange: Exchange, isOnlyCached: boolean): Promise<Found> {
    // A cache that fails or is closed has nothing: the route answers.
    const found = await this.#method.get(key).catch(() => undefined);
    if (isStoredResponse(found)) return found;
    if (!isOnlyCached) return 'pass';
    exchange.refuse();
    return 'answered';
  }

  /** What comes of a load that this client has begun or joined. */
  async #awaited(answer: Promise<unknown>, wait: Wait): Promise<Found> {
    let isSettled = false;
    const settled = answer.then(
      (value) => {
        isSettled = true;
        return value;
      },
      // The cache failed, or a guard of its own refused: the route is run without it.
      () => {
        isSettled = true;
        return undefined;
      },
    );
    await undefined;
    const value =
      isSettled || wait.state !== 'waiting'
        ? await settled
        : await this.#inTime(settled, () => wait.state === 'waiting');
    if (wait.state === 'leading') {
      // The cache may have given the load up, while the route goes on and may still fail.
      await wait.led;
      return 'answered';
    }
    wait.state = 'gone';
    return foundIn(value);
  }

  /** A promise's value, or `undefined` where it takes longer than a client waits for another. */
  #inTime(value: Promise<unknown>, isWaiting: () => boolean): Promise<unknown> {
    const { clock, waitTimeoutMs } = this.options;
    return new Promise((resolve) => {
      const timer = clock.schedule(() => isWaiting() && resolve(undefined), waitTimeoutMs, {
        holdsProcess: true,
      });
      void value.then((each) => {
        timer.cancel();
        resolve(each);
      });
    });
  }

  /** Runs the route for a client whose stored response may not be used, and replaces it. */
  async #replace(key: string, exchange: Exchange, fallback: StoredResponse | undefined): Promise<void> {
    let led: Promise<Captured> | undefined;
    const refreshed = this.#method.refresh<unknown>(key, (context) => {
      led = exchange.lead(this.#capture(exchange.facts, fallback));
      return this.#loaded(key, led, context, true);
    });
    this.#watch(key, refreshed);
    // What failed is counted by the cache; the client hears of it below, or from the route.
    await refreshed.catch(() => undefined);
    if (led === undefined) return exchange.pass();
    await led;
  }

  /** Runs the route for nobody. */
  #renew(key: string, renew: NonNullable<Exchange['renew']>, facts: RequestFacts): void {
    const load = (context: LoaderContext) =>
      this.#loaded(key, renew(this.#capture(facts, undefined)), context, true);
    this.#watch(key, this.#method.refresh<unknown>(key, load));
  }

  /** Notes a renewal until it has ended, or takes longer than anybody waits. Its failure is counted by the cache. */
  #watch(key: string, refreshed: Promise<unknown>): void {
    const ended = refreshed.catch(() => undefined);
    const watched = this.#inTime(ended, () => true).then(() => {
      if (this.#renewals.get(key) === watched) this.#renewals.delete(key);
    });
    this.#renewals.set(key, watched);
  }

  #capture(facts: RequestFacts, fallback: StoredResponse | undefined): Capture {
    const { options } = this;
    const { clock, ttlMs, downstream, cacheStatus } = options;
    // What comes after may take credentials off the request, or say a language more simply: what the client sent decides.
    facts.keepHeaders();
    return {
      fallback,
      downstream,
      status: cacheStatus ? `toolstash; fwd=${fallback === undefined ? 'miss' : 'stale'}` : undefined,
      maxBodyBytes: options.maxBodyBytes,
      decide: (head) => storageOf({ head, facts, keyed: options.headers, ttlMs, now: clock.now() }),
      complete: (head, storage, body) => {
        try {
          const tags = [pathTag(facts.host, facts.target), ...options.tags(facts, head)];
          return { stored: storedResponse({ head, body, storage, facts, now: clock.now() }), tags };
        } catch (error) {
          return { why: 'failed', error };
        }
      },
    };
  }

  /** What a load comes to: the response, stored for as long as it may be used at all, or the reason for none. */
  async #loaded(
    key: string,
    led: Promise<Captured>,
    context: LoaderContext,
    isRenewal = false,
  ): Promise<StoredResponse | NoResponse> {
    const captured = await led;
    if ('stored' in captured) {
      const { stored, tags } = captured;
      this.#unshared.delete(key);
      this.#tags.set(stored, tags);
      const until = Math.max(stored.fresh, stored.stale, stored.error);
      context.setTtl(Math.max(0, Math.ceil(until - this.options.clock.now())));
      return stored;
    }
    // The client has its response: for the cache it is a load that failed, which it counts.
    if (captured.why === 'failed') throw captured.error;
    if (captured.why === 'unshared') {
      if (captured.isLasting) this.#noteUnshared(key);
      // What was stored before is not what the route says now.
      if (captured.isLasting && isRenewal) await this.#method.delete(key);
    }
    return this.#none(context, captured.why);
  }

  #none(context: LoaderContext, why: NoResponse['why']): NoResponse {
    context.skip();
    return { v: 0, why };
  }

  #noteUnshared(key: string): void {
    if (key.length > longestUnshared) return;
    this.#unshared.delete(key);
    this.#unshared.set(key, this.options.clock.now() + unsharedFor);
    if (this.#unshared.size <= mostUnshared) return;
    for (const oldest of this.#unshared.keys()) {
      this.#unshared.delete(oldest);
      break;
    }
  }
}

/** What a value of the cache is to a client that has not led its load. */
function foundIn(value: unknown): Found {
  if (isStoredResponse(value)) return value;
  return (value as NoResponse | undefined)?.why === 'aborted' ? 'again' : 'pass';
}

function keyOf({ base, names }: Search, facts: RequestFacts): string {
  return names.length === 0 ? base : variantKey(base, names, facts);
}
