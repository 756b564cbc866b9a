/** Entries found by method and text, in steps of bounded time: each goes on where the last one has ended. */

import type { CacheCore } from '../manager/cache-context.js';
import { cacheStats } from '../manager/statistics.js';
import { TierUsages } from '../manager/tier-usages.js';
import type { Held } from '../manager/tiers/held-entries.js';
import { cut, paramsText } from './entry-text.js';

/** What a search is told. */
export interface EntryQuery {
  /** Exactly so called; empty: any. */
  readonly method: string;
  /** What the key, or the params as JSON, hold, in any case of letters; empty: anything. */
  readonly text: string;
}

/** An entry in a list. */
export interface FoundEntry {
  readonly method: string;
  readonly key: string;
  readonly tier: string;
  /** `undefined` where they were not kept. */
  readonly params: string | undefined;
}

/** What a step of a search came to. */
export interface FoundEntries {
  /** Those that the steps before have not told. */
  readonly entries: readonly FoundEntry[];
  /** Of the method, by all steps together. */
  readonly lookedAt: number;
  /** How many there are to look at, about; `undefined` where nobody knows. */
  readonly total: number | undefined;
  /** Whether there is more to look at. */
  readonly isCut: boolean;
}

/** Of one step. */
const mostListed = 100;
/** Characters of params. */
const longestParams = 1000;

/** One search from its beginning to its end. */
export class EntrySearch {
  readonly #core: CacheCore;
  readonly #query: EntryQuery;
  readonly #matches: (text: string) => boolean;
  readonly #total: Promise<number | undefined>;
  /** Goes through all entries, and pauses after each step. */
  readonly #walk: Promise<void>;
  #found: FoundEntry[] = [];
  #lookedAt = 0;
  #until = 0;
  #isStopped = false;
  #isOver = false;
  #pause = latch();
  #resume = latch();

  constructor(core: CacheCore, query: EntryQuery) {
    this.#core = core;
    this.#query = query;
    this.#matches = matcher(query.text);
    this.#total = totalOf(core, query.method);
    this.#walk = this.#goThrough().finally(() => {
      this.#isOver = true;
    });
    // It may fail between two steps: the next one tells.
    this.#walk.catch(() => undefined);
  }

  /** Looks for so many ms, or until a page is full. Others run meanwhile. @throws what the tiers throw */
  async next(forMs: number): Promise<FoundEntries> {
    const total = await this.#total;
    this.#until = performance.now() + forMs;
    this.#pause = latch();
    this.#resume.open();
    // A tier that does not answer holds nobody up: what it has comes with a later step.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, forMs + 100);
    });
    await Promise.race([this.#walk, this.#pause.opened, late]).finally(() => clearTimeout(timer));
    const entries = this.#found;
    this.#found = [];
    const isCut = !this.#isOver;
    // Tiers hold some entries together.
    const least = isCut ? this.#lookedAt + 1 : this.#lookedAt;
    return { entries, lookedAt: this.#lookedAt, total: total && Math.max(total, least), isCut };
  }

  /** Nobody will go on with it. */
  stop(): void {
    this.#isStopped = true;
    this.#resume.open();
  }

  async #goThrough(): Promise<void> {
    const { method } = this.#query;
    await this.#resume.opened;
    const held = this.#core.tiers.entries(method === '' ? undefined : method, {
      isOver: () => this.#isStopped,
    });
    let inStep = 0;
    for await (const each of held) {
      // Only once there is more, and each step looks at something.
      const isStepOver = this.#found.length >= mostListed || performance.now() >= this.#until;
      if (isStepOver && inStep > 0) {
        this.#resume = latch();
        this.#pause.open();
        await this.#resume.opened;
        inStep = 0;
      }
      inStep += 1;
      const looking = this.#look(each);
      if (looking !== undefined) await looking;
    }
  }

  #look(held: Held): void | Promise<void> {
    const encoded = 'entry' in held ? held.entry.origin?.encodedParams : held.record.encodedParams;
    this.#lookedAt += 1;
    const params = encoded && paramsText(this.#core.codec, encoded);
    if (!(params instanceof Promise)) return this.#compare(held, params);
    return params.then((text) => this.#compare(held, text));
  }

  #compare(held: Held, params: string | undefined): void {
    const { method, key } = 'entry' in held ? held.entry : held.record;
    if (!this.#matches(key) && !this.#matches(params ?? '')) return;
    this.#found.push({ method, key, tier: held.tier, params: params && cut(params, longestParams) });
  }
}

/** Whether a text holds what is wanted, as it was written or as JSON writes it within a string. */
function matcher(text: string): (text: string) => boolean {
  const wanted = text.toLowerCase();
  const escaped = JSON.stringify(text).slice(1, -1).toLowerCase();
  if (escaped === wanted) return (given) => given.toLowerCase().includes(wanted);
  return (given) => {
    const lower = given.toLowerCase();
    return lower.includes(wanted) || lower.includes(escaped);
  };
}

/** The most that one tier holds: the others mostly hold the same. */
async function totalOf(core: CacheCore, method: string): Promise<number | undefined> {
  const inMemory = cacheStats(core, method === '' ? undefined : method).entries;
  const usages = await new TierUsages(core).read();
  const counts = core.tiers.slow.map(({ name }) => {
    const own = usages.filter(({ tier }) => tier === name);
    const isKnown = own.length > 0 && (method === '' || own.every((usage) => usage.method !== undefined));
    if (!isKnown) return undefined;
    return own.reduce(
      (sum, usage) => (method === '' || usage.method === method ? sum + usage.entries : sum),
      0,
    );
  });
  if (counts.includes(undefined)) return undefined;
  return Math.max(inMemory, ...counts.map(Number));
}

/** A promise and what resolves it. */
function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
