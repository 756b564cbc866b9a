/** What a dashboard knows besides the figures of the moment: how things went since it was made. */

import type { Timer } from '../clock.js';
import { systemClock } from '../clock.js';
import type { CacheCore } from '../manager/cache-context.js';
import { type MethodUsage, TierUsages } from '../manager/tier-usages.js';
import { type Counted, History, type PastFigures } from './history.js';
import { type LookupFigures, LookupTimes } from './lookup-figures.js';
import { type MemoryFigures, MemoryScan } from './memory-scan.js';

/** Between two moments that are remembered, ms. */
const everyMs = 5_000;

/** What is read at once. */
export interface Watched {
  readonly counted: Counted;
  readonly usage: readonly MethodUsage[];
  readonly lookups: readonly LookupFigures[];
  readonly memory: MemoryFigures;
}

/** A cache that a dashboard watches, until it is stopped or nobody holds it any more. */
export class DashboardWatch {
  readonly #core: CacheCore;
  readonly #count: () => Promise<Counted>;
  readonly #lookups: LookupTimes;
  readonly #usages: TierUsages;
  readonly #memory: MemoryScan;
  readonly #history = new History();
  #timer: Timer | undefined;

  constructor(core: CacheCore, count: () => Promise<Counted>) {
    this.#core = core;
    this.#count = count;
    this.#lookups = new LookupTimes(core);
    this.#usages = new TierUsages(core);
    this.#memory = new MemoryScan(core);
    this.#schedule();
  }

  /** What was remembered, oldest first. */
  get past(): readonly PastFigures[] {
    return this.#history.points;
  }

  async read(): Promise<Watched> {
    const counted = await this.#count();
    return {
      counted,
      usage: await this.#usages.read(),
      lookups: await this.#lookups.read(counted.methods),
      memory: await this.#memory.read(),
    };
  }

  stop(): void {
    this.#lookups.stop();
    this.#memory.stop();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    // Timers of the system keep no process alive, and go on where the cache's own clock stands still.
    this.#timer = systemClock.schedule(() => {
      void this.#remember().finally(() => {
        if (this.#timer !== undefined && !this.#core.isClosed) this.#schedule();
      });
    }, everyMs);
  }

  /** What can't be read is missing in the past: whoever looks is told why. */
  async #remember(): Promise<void> {
    try {
      this.#history.add(this.#core.options.clock.now(), await this.#count());
    } catch {}
  }
}
