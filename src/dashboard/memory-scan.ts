/** What expires when, and what has saved most, of all entries in memory, in passes that hold nobody up. */

import type { CacheCore } from '../manager/cache-context.js';
import type { Held } from '../manager/tiers/held-entries.js';

type MemoryEntry = Extract<Held, { readonly tier: 'memory' }>['entry'];

/** An entry in memory by what it has saved. */
export interface TopEntry {
  readonly method: string;
  readonly key: string;
  readonly uses: number;
  readonly savedMs: number;
  readonly bytes: number;
}

/** What was seen of memory. */
export interface MemoryFigures {
  /** When entries expire. */
  readonly due: readonly { readonly label: string; readonly entries: number }[];
  readonly top: readonly TopEntry[];
  /** How many entries `due` and `top` are of. */
  readonly lookedAt: number;
}

const mostTop = 10;
/** Candidates between two times that they are sorted. */
const mostUnsorted = 1000;

/** How long one who asks waits for a pass. */
const waitMs = 50;
/** A pass that takes longer goes on for so long, and then rests. */
const sliceMs = 8;
const restMs = 32;

const minute = 60_000;
const dues: readonly (readonly [label: string, withinMs: number])[] = [
  ['within a minute', minute],
  ['within an hour', 60 * minute],
  ['within a day', 24 * 60 * minute],
  ['later', Number.POSITIVE_INFINITY],
];

/** One pass, as far as it is. */
class Pass {
  readonly #now: number;
  readonly #counts = new Map<string, number>([...dues.map(([label]) => [label, 0] as const), ['never', 0]]);
  readonly #top: TopEntry[] = [];
  /** The least that is among the best. */
  #least = 0;
  lookedAt = 0;

  constructor(now: number) {
    this.#now = now;
  }

  add(entry: MemoryEntry): void {
    this.lookedAt += 1;
    const { lastAccess, idleMs } = entry;
    const expiresAt =
      idleMs > 0
        ? Math.min(entry.expiresAt ?? Number.POSITIVE_INFINITY, lastAccess + idleMs)
        : entry.expiresAt;
    const within = (ms: number) => dues.find(([, most]) => ms <= most)?.[0] ?? 'later';
    const label = expiresAt === null ? 'never' : within(expiresAt - this.#now);
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1);
    const candidate = topEntryOf(entry);
    if (candidate.uses === 0 || candidate.savedMs < this.#least) return;
    this.#top.push(candidate);
    if (this.#top.length > mostUnsorted) this.#shorten();
  }

  figures(): MemoryFigures {
    this.#shorten();
    const due = Array.from(this.#counts, ([label, entries]) => ({ label, entries }));
    return { due, top: [...this.#top], lookedAt: this.lookedAt };
  }

  #shorten(): void {
    this.#top.sort(byWorth);
    this.#top.length = Math.min(this.#top.length, mostTop);
    if (this.#top.length === mostTop) this.#least = this.#top.at(-1)?.savedMs ?? 0;
  }
}

/** Passes over the memory of one cache: those who ask begin one, and it goes on to its end by itself. */
export class MemoryScan {
  readonly #core: CacheCore;
  #underWay: { readonly pass: Pass; readonly ended: Promise<void> } | undefined;
  /** Of the last whole pass. */
  #whole: MemoryFigures | undefined;
  #isStopped = false;

  constructor(core: CacheCore) {
    this.#core = core;
  }

  /** Of all entries once a pass over them has ended; until then of those that were seen. */
  async read(): Promise<MemoryFigures> {
    if (this.#underWay === undefined) {
      const pass = new Pass(this.#core.options.clock.now());
      const ended = this.#goThrough(pass);
      // Nobody may be waiting for it when it fails.
      ended.catch(() => undefined);
      this.#underWay = { pass, ended };
    }
    const { pass, ended } = this.#underWay;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    await Promise.race([ended, late]).finally(() => clearTimeout(timer));
    const seen = pass.figures();
    const figures = this.#whole ?? seen;
    // The best of both, as they are now: they may have been used, replaced or evicted since.
    const keys = new Set([...figures.top, ...seen.top].map(({ key }) => key));
    const top = Array.from(keys).flatMap((key) => {
      const entry = this.#core.tiers.peek(key);
      return entry === undefined || entry.accessCount === 0 ? [] : topEntryOf(entry);
    });
    return { ...figures, top: top.sort(byWorth).slice(0, mostTop) };
  }

  /** Of all entries, however long that takes. */
  async whole(): Promise<MemoryFigures> {
    const pass = new Pass(this.#core.options.clock.now());
    await this.#visit((entry) => pass.add(entry));
    return pass.figures();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #goThrough(pass: Pass): Promise<void> {
    let restAt = performance.now() + waitMs;
    try {
      await this.#visit((entry) => {
        pass.add(entry);
        if (performance.now() < restAt) return undefined;
        return new Promise<void>((resolve) => {
          setTimeout(() => {
            restAt = performance.now() + sliceMs;
            resolve();
          }, restMs).unref();
        });
      });
      if (!this.#isStopped) this.#whole = pass.figures();
    } finally {
      this.#underWay = undefined;
    }
  }

  /** Of memory alone: to go through a disk takes longer than people want to wait. */
  async #visit(visit: (entry: MemoryEntry) => void | Promise<void>): Promise<void> {
    const all = this.#core.tiers.entries(undefined, { slow: [], isOver: () => this.#isStopped });
    for await (const held of all) {
      const resting = held.tier === 'memory' ? visit(held.entry) : undefined;
      if (resting !== undefined) await resting;
    }
  }
}

function topEntryOf({ method, key, accessCount, loadMs, bytes }: MemoryEntry): TopEntry {
  return { method, key, uses: accessCount, savedMs: accessCount * loadMs, bytes };
}

function byWorth(a: TopEntry, b: TopEntry): number {
  return b.savedMs - a.savedMs || b.uses - a.uses;
}
