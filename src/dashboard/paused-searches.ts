/** Searches that can go on, for as long as somebody may want that. */

import type { CacheCore } from '../manager/cache-context.js';
import { nodeCrypto } from '../node-crypto.js';
import { type EntryQuery, EntrySearch, type FoundEntries } from './entry-search.js';
import { MalformedRequest } from './responses.js';

/** Each holds the places of all entries: some 4 MB for a million. */
const mostPaused = 4;
const idleMs = 300_000;
/** Of one request. */
const stepMs = 1000;

/** What a request for entries is answered with. */
export interface SearchAnswer extends FoundEntries {
  /** What to ask with to go on; `undefined` where all has been looked at. */
  readonly cursor: string | undefined;
}

interface Paused {
  readonly search: EntrySearch;
  readonly timer: NodeJS.Timeout;
}

/** The searches of one dashboard. */
export class PausedSearches {
  readonly #core: CacheCore;
  readonly #paused = new Map<string, Paused>();
  #isClosed = false;

  constructor(core: CacheCore) {
    this.#core = core;
  }

  begin(query: EntryQuery, forMs = stepMs): Promise<SearchAnswer> {
    return this.#step(new EntrySearch(this.#core, query), forMs);
  }

  /** @throws MalformedRequest where the search is over, was forgotten, or goes on already */
  async continue(cursor: string, forMs = stepMs): Promise<SearchAnswer> {
    const paused = this.#take(cursor);
    if (paused === undefined) throw new MalformedRequest('This search was forgotten: search again');
    return this.#step(paused.search, forMs);
  }

  close(): void {
    this.#isClosed = true;
    for (const cursor of [...this.#paused.keys()]) this.#forget(cursor);
  }

  async #step(search: EntrySearch, forMs: number): Promise<SearchAnswer> {
    let answer: FoundEntries;
    try {
      answer = await search.next(forMs);
    } catch (error) {
      search.stop();
      throw error;
    }
    if (!answer.isCut) return { ...answer, cursor: undefined };
    const cursor = nodeCrypto().randomBytes(16).toString('hex');
    const timer = setTimeout(() => this.#forget(cursor), idleMs);
    timer.unref();
    this.#paused.set(cursor, { search, timer });
    const [oldest = cursor] = this.#paused.keys();
    if (this.#paused.size > mostPaused) this.#forget(oldest);
    if (this.#isClosed) this.#forget(cursor);
    return { ...answer, cursor };
  }

  #take(cursor: string): Paused | undefined {
    const paused = this.#paused.get(cursor);
    clearTimeout(paused?.timer);
    this.#paused.delete(cursor);
    return paused;
  }

  #forget(cursor: string): void {
    this.#take(cursor)?.search.stop();
  }
}
