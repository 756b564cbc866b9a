/** A log of events that only grows, read in pages. */

import type { Duration } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import type { CacheManager, MethodCache } from '../index.js';
import { functionOf, hasMethods, integer, objectOf, refuseUnknown, shown, text } from '../option-checks.js';

/** How a log is read and written. */
export interface PagedLogOptions<Event> {
  /** Where pages are cached. */
  readonly cache: CacheManager;
  /** The method that pages are cached under: one for each log. */
  readonly method: string;
  /**
   * Reads events from an index on, in their order, at most `limit`; fewer where the log ends. Events before others that are
   * there must be there: an append is one step, or takes its place last.
   */
  readonly read: (from: number, limit: number) => Promise<readonly Event[]>;
  /**
   * Stores each event of a list, which may hold several, and gives the index of the first: `(events) => db.insertAll(events)`.
   * One that stores the list as a single event is told so after the first `append()`.
   */
  readonly append?: ((events: readonly Event[]) => Promise<number>) | undefined;
  /**
   * Events on a page. Pages begin at its multiples.
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
  readonly #ttl: Duration | null;
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
    this.#append = options.append && functionOf(options.append, 'append');
    this.pageSize = integer(options.pageSize ?? 25, 'pageSize');
    this.#ttl = options.ttl ?? null;
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
    // No page that was not full is stored, but one may be on its way to others who read.
    await this.#forget(first, first + events.length);
    await this.#checkAppended(first, events);
    return first;
  }

  /** Looks once at what was stored. Where that fails, the next `append()` looks: this one has stored its events. */
  async #checkAppended(first: number, events: readonly Event[]): Promise<void> {
    if (this.#hasChecked || events.length === 0 || Array.isArray(events[0])) return;
    const found = await this.#read(first, 1).catch(() => undefined);
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
    const events = await this.#method.getOrSet(
      key,
      async ({ skip }) => {
        // One more tells whether the log goes on: a page that is just full needs no further look.
        const found = await this.#read(page * pageSize, pageSize + 1);
        if (!Array.isArray(found))
          throw new InvalidArgumentError(`Expected \`read\` to give a list, got ${shown(found)}`);
        hasMore = found.length > pageSize;
        if (found.length < pageSize) skip();
        return found.slice(0, pageSize) as readonly Event[];
      },
      { ttl: this.#ttl, negativeTtl: false },
    );
    return { events, isLast: events.length < pageSize || hasMore === false };
  }

  async #forget(from: number, to: number): Promise<void> {
    const { pageSize } = this;
    for (let page = Math.floor(from / pageSize); page * pageSize < Math.max(to, from + 1); page++)
      await this.#method.delete({ page, pageSize });
  }
}

function checkIndex(value: number, name: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new InvalidArgumentError(`Expected ${name} to be a whole number of at least 0, got ${shown(value)}`);
}
