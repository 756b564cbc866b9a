/** A log of events that only grows, read in pages. */

import { type Duration, parseDuration } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import type { CacheManager, MethodCache } from '../index.js';
import {
  functionOf,
  given,
  hasMethods,
  integer,
  objectOf,
  refuseUnknown,
  shown,
  text,
} from '../option-checks.js';
import { orNone } from './or-none.js';

/** How a log is read and written. */
export interface PagedLogOptions<Event> {
  /** Where pages are cached. */
  readonly cache: CacheManager;
  /** The method that pages are cached under: one for each log. */
  readonly method: string;
  /**
   * Reads events from an index on, in their order, at most `limit`; fewer where the log ends, and nowhere else: it is asked
   * for `pageSize + 1`, and a source that gives no more than it likes would cut the log. Events before others that are there
   * must be there: an append is one step, or takes its place last.
   */
  readonly read: (from: number, limit: number) => Promise<readonly Event[]>;
  /**
   * Stores each event of a list, which may hold several, and gives the index of the first: `(events) => db.insertAll(events)`.
   * One that stores the list as a single event is told so after the first `append()`.
   */
  readonly append?: ((events: readonly Event[]) => Promise<number>) | undefined;
  /**
   * Events on a page. Pages begin at its multiples. Processes that share a cache need the same one: an event that one has
   * rewritten stays on the pages of another size that others have.
   * @default 25
   */
  readonly pageSize?: number | undefined;
  /**
   * How long a whole page is cached.
   * @default null (for ever: events don't change)
   */
  readonly ttl?: Duration | null | undefined;
}

const names = ['cache', 'method', 'read', 'append', 'pageSize', 'ttl'];

/**
 * Reads a log through cached pages: whole pages are cached, the last one, while it is not full, never. Reading `n` events
 * asks the store for `ceil(n / pageSize)` pages at most.
 *
 * @example
 * const log = new PagedLog({ cache, method: 'events', read: (from, limit) => db.events(from, limit), append: (events) => db.appendAll(events) });
 * for await (const event of log.events(100)) console.log(event);
 */
export class PagedLog<Event> {
  /** Events on a page. */
  readonly pageSize: number;
  readonly #method: MethodCache;
  readonly #read: PagedLogOptions<Event>['read'];
  readonly #append: PagedLogOptions<Event>['append'];
  readonly #ttl: number | null;
  /** The page sizes of all logs of this method, in this process: each has pages of its own. */
  readonly #pageSizes: Set<number>;
  /** Whether `append` is known to store events one by one. */
  #hasChecked = false;

  /**
   * A log that is read with `read` and written with `append`.
   * @throws InvalidOptionError naming the option, its value and the fix
   */
  constructor(options: PagedLogOptions<Event>) {
    refuseUnknown(objectOf(options, 'PagedLog', 'an object as `{ cache, method, read }`'), names, {
      of: 'PagedLog',
    });
    hasMethods(options.cache, 'cache', ['method']);
    this.#method = options.cache.method(text(options.method, 'method'));
    this.#read = functionOf(options.read, 'read');
    this.#append = options.append === undefined ? undefined : functionOf(options.append, 'append');
    this.pageSize = integer(given(options.pageSize, 25), 'pageSize');
    const { ttl = null } = options;
    this.#ttl = ttl === null ? null : parseDuration(ttl, 'ttl');
    this.#pageSizes = pageSizesOf(options.cache, this.#method.name).add(this.pageSize);
  }

  /**
   * Events from an index on; fewer than `limit` where the log ends.
   * @throws InvalidArgumentError for what is no index or count; what `read` throws
   */
  async read(from: number, limit: number): Promise<Event[]> {
    const events: Event[] = [];
    checkIndex(limit, 'limit');
    if (limit === 0) return events;
    for await (const event of this.events(from)) {
      events.push(event);
      if (events.length === limit) break;
    }
    return events;
  }

  /** All events from an index on, to where the log ends when its last page is read. */
  async *events(from = 0): AsyncGenerator<Event, void> {
    checkIndex(from, 'from');
    for (let page = Math.floor(from / this.pageSize); ; page++) {
      const first = page * this.pageSize;
      const { events, isLast } = await this.#page(page);
      yield* events.slice(Math.max(0, from - first));
      if (isLast) return;
    }
  }

  /**
   * Appends events; readers in this process see them from when it resolves. Gives the index of the first.
   * @throws InvalidArgumentError where the option `append` is missing or stores the list itself; what that throws
   */
  async append(...events: Event[]): Promise<number> {
    if (this.#append === undefined) {
      throw new InvalidArgumentError('Expected the option `append` of PagedLog for `append()`, got none');
    }
    const first = await this.#append(events);
    checkIndex(first, 'what `append` gives');
    // No page that was not full is stored, but one may be on its way to others who read. The events are stored, whatever
    // the cache does.
    await orNone(() => this.#forget(first, first + events.length));
    await this.#checkAppended(first, events);
    return first;
  }

  /** Looks once at what was stored. Where that fails, the next `append()` looks: this one has stored its events. */
  async #checkAppended(first: number, events: readonly Event[]): Promise<void> {
    if (this.#hasChecked || events.length === 0 || Array.isArray(events[0])) return;
    const found = await (async () => this.#read(first, 1))().catch(() => undefined);
    if (!Array.isArray(found) || found.length === 0) return;
    if (Array.isArray(found[0])) {
      throw new InvalidArgumentError(
        'Expected the option `append` of PagedLog to store each event of the list it is given, got one that stored ' +
          'the list as a single event: `append: (events) => db.insertAll(events)`',
      );
    }
    this.#hasChecked = true;
  }

  /**
   * One event was rewritten, or deleted with something else left in its place, as `null`: its page is read anew. Where
   * `read` leaves a gap out, later events come before their places: take `invalidateAll` then.
   */
  async invalidate(index: number): Promise<void> {
    checkIndex(index, 'index');
    await this.#forget(index, index + 1);
  }

  /** An event was deleted and the later ones moved up: all pages are read anew. */
  async invalidateAll(): Promise<void> {
    await this.#method.clear();
  }

  async #page(page: number): Promise<{ readonly events: readonly Event[]; readonly isLast: boolean }> {
    const { pageSize } = this;
    const key = { page, pageSize };
    let hasMore: boolean | undefined;
    const load = async (skip: () => void): Promise<readonly Event[]> => {
      // One more tells whether the log goes on: a page that is just full needs no further look.
      const found = await this.#read(page * pageSize, pageSize + 1);
      if (!Array.isArray(found))
        throw new InvalidArgumentError(`Expected \`read\` to give a list, got ${shown(found)}`);
      hasMore = found.length > pageSize;
      if (found.length < pageSize) skip();
      return found.slice(0, pageSize);
    };
    const cached = await this.#method.getOrSet<readonly Event[] | undefined>(key, ({ skip }) => load(skip), {
      ttl: this.#ttl,
      negativeTtl: false,
      sliding: false,
      isError: false,
    });
    // As `knownKeys` of the cache may have it.
    const events = cached ?? (await load(() => undefined));
    return { events, isLast: events.length < pageSize || hasMore === false };
  }

  async #forget(from: number, to: number): Promise<void> {
    for (const pageSize of this.#pageSizes) {
      for (let page = Math.floor(from / pageSize); page * pageSize < Math.max(to, from + 1); page++)
        await this.#method.delete({ page, pageSize });
    }
  }
}

const pageSizes = new WeakMap<CacheManager, Map<string, Set<number>>>();

function pageSizesOf(cache: CacheManager, method: string): Set<number> {
  const ofCache = pageSizes.get(cache) ?? new Map<string, Set<number>>();
  pageSizes.set(cache, ofCache);
  const sizes = ofCache.get(method) ?? new Set<number>();
  ofCache.set(method, sizes);
  return sizes;
}

function checkIndex(value: number, name: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new InvalidArgumentError(`Expected ${name} to be a whole number of at least 0, got ${shown(value)}`);
}
