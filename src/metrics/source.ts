/** One cache whose figures are exported, method by method, with a bounded number of names. */

import { InvalidArgumentError } from '../errors.js';
import type { CacheEvents, CacheManager, CacheStats } from '../index.js';
import { callListener } from '../listener.js';
import { type CacheCore, coreOf } from '../manager/cache-context.js';
import { onTierLookup, type TierLookup, tryMemory } from '../manager/lookup-times.js';
import { TierUsages } from '../manager/tier-usages.js';
import { type Defined, hasMethods, integer, objectOf, refuseUnknown, shown, text } from '../option-checks.js';
import {
  cacheSeries,
  type Series,
  tierBytes,
  tierEntries,
  type VerificationFigures,
  verifiedSeries,
} from './series.js';

/** What exporters have in common. */
export interface MetricsOptions {
  /**
   * What tells this cache from others of the process: the label `cache`.
   * @default 'default'
   */
  readonly name?: string | undefined;
  /**
   * How many methods have figures of their own; all later ones are summed up as `(other)`. Each is a value of a label,
   * which costs whoever stores the metrics.
   * @default 50
   */
  readonly maxMethods?: number | undefined;
  /**
   * What `verifyHits` of `toolstash/trust` gives: how often its tools say something else than the cache, with a confidence
   * interval, is exported too. They have figures of their own whatever `maxMethods` is.
   * @default undefined
   */
  readonly verification?: {
    /** What is known of the tools so far. */
    stats(): readonly VerificationFigures[];
  };
}

type Resolved = Required<Defined<Omit<MetricsOptions, 'verification'>>> & {
  readonly verification: MetricsOptions['verification'] | undefined;
};

/** What an exporter of a cache gives back. */
export interface ExportedMetrics {
  /** Ends the export of this cache. */
  stop(): void;
}

/** A figure of a series, with all that it is of. */
export interface Reading {
  readonly series: Series;
  readonly value: number;
  /** `undefined` for a figure of the cache as a whole. */
  readonly method: string | undefined;
  /** The value of the series' own label. */
  readonly label: string | undefined;
}

/** How long a lookup took, by what it is labelled with. */
export interface TimedLookup {
  readonly labels: { readonly method: string; readonly tier: string };
  readonly seconds: number;
}

/** Under which name methods beyond the bound are summed up. */
export const others = '(other)';
/** Longer names are no names for a label. */
const longestName = 200;

/** A cache as an exporter reads it. */
export class MetricsSource {
  readonly name: string;
  readonly #cache: CacheManager;
  readonly #core: CacheCore | undefined;
  readonly #usages: TierUsages;
  readonly #maxMethods: number;
  readonly #verification: MetricsOptions['verification'];
  /** Those with figures of their own: once named, always named, so that no counter falls. */
  readonly #named = new Set<string>();
  /** What counters of the others have come to: a difference of sums may fall by a rounding. */
  readonly #reached = new Map<string, number>();

  /** @throws InvalidArgumentError for what is no cache */
  constructor(cache: CacheManager, { name, maxMethods, verification }: Resolved) {
    if (typeof cache?.stats !== 'function' || typeof cache.methods !== 'function')
      throw new InvalidArgumentError(
        `Expected a \`CacheManager\` whose metrics are exported, got ${shown(cache)}`,
      );
    this.name = name;
    this.#cache = cache;
    this.#core = coreOf(cache);
    this.#usages = new TierUsages(this.#core);
    this.#maxMethods = maxMethods;
    this.#verification = verification;
  }

  /** What a method's figures are labelled with. */
  labelOf(method: string): string {
    if (this.#named.has(method)) return method;
    if (this.#named.size >= this.#maxMethods || method === others || method.length > longestName)
      return others;
    this.#named.add(method);
    return method;
  }

  /** All labels that figures of methods have had. */
  get labels(): readonly string[] {
    return [...this.#named, others];
  }

  /** All figures as they are now. */
  read(): Reading[] {
    const methods = this.#cache.methods();
    let hasOthers = false;
    for (const method of methods) if (this.labelOf(method) === others) hasOthers = true;
    const ofNamed = Array.from(this.#named, (method) => ({ method, stats: this.#cache.stats(method) }));
    const total = this.#cache.stats();
    const ofCache = cacheSeries.flatMap((series) =>
      series.isOfCache
        ? readingsOf(series, undefined, total)
        : [
            ...ofNamed.flatMap(({ method, stats }) => readingsOf(series, method, stats)),
            ...this.#ofOthers(series, total, ofNamed, hasOthers),
          ],
    );
    return [...ofCache, ...this.#verified()];
  }

  /** What the tiers behind memory hold. Methods that this process has not used are summed up. */
  async readTiers(): Promise<Reading[]> {
    const readings = new Map<string, Reading & { value: number }>();
    const add = (series: Series, label: string, name: string | undefined, value: number) => {
      const method = name !== undefined && this.#named.has(name) ? name : others;
      const place = `${series.name} ${label} ${method}`;
      const known = readings.get(place);
      if (known === undefined) readings.set(place, { series, value, method, label });
      else known.value += value;
    };
    for (const { tier, method, entries, bytes } of await this.#usages.read()) {
      add(tierEntries, tier, method, entries);
      if (bytes !== undefined) add(tierBytes, tier, method, bytes);
    }
    return [...readings.values()];
  }

  #verified(): Reading[] {
    const tools = this.#verification?.stats() ?? [];
    return verifiedSeries.flatMap((series) =>
      tools.flatMap((tool) =>
        series.figures(tool).map(([value, label]) => ({ series, value, method: tool.method, label })),
      ),
    );
  }

  /** What is counted of all, less what the named have. */
  #ofOthers(
    series: Series,
    total: CacheStats,
    ofNamed: readonly { readonly stats: CacheStats }[],
    hasOthers: boolean,
  ): Reading[] {
    // A state is none to subtract.
    if (series.name === 'circuit') return [];
    const sums = ofNamed.map(({ stats }) => series.read(stats));
    return series.read(total).flatMap(([all, label], at) => {
      const rest = sums.reduce((left, figures) => left - (figures[at]?.[0] ?? 0), all);
      const place = `${series.name} ${label}`;
      const least = series.kind === 'counter' ? (this.#reached.get(place) ?? 0) : 0;
      const value = Math.max(least, rest);
      this.#reached.set(place, value);
      // Failures that belong to no method are counted nowhere else.
      return hasOthers || value > 1e-6 ? [{ series, value, method: others, label }] : [];
    });
  }

  /** Hears how long each load took. Nothing is heard of hits. @returns ends it */
  onLoad(listener: (method: string, seconds: number) => void): () => void {
    const onLoad = ({ method, loadMs }: CacheEvents['load']) => listener(this.labelOf(method), loadMs / 1000);
    this.#cache.on('load', onLoad);
    return () => void this.#cache.off('load', onLoad);
  }

  /** Hears how long each look into a tier behind memory took. @returns ends it */
  onLookup(listener: (lookup: TimedLookup) => void): () => void {
    if (this.#core === undefined) return () => undefined;
    return onTierLookup(this.#core, (lookup) =>
      callListener('Recording a lookup', listener, this.#timed(lookup)),
    );
  }

  /** Tries how long lookups in memory take now. */
  async tryMemory(): Promise<TimedLookup[]> {
    if (this.#core === undefined) return [];
    const lookups = await tryMemory(this.#core, this.#named);
    return lookups.map((lookup) => this.#timed(lookup));
  }

  #timed({ method, tier, ms }: TierLookup): TimedLookup {
    return { labels: { method: this.labelOf(method), tier }, seconds: ms / 1000 };
  }
}

function readingsOf(series: Series, method: string | undefined, stats: CacheStats): Reading[] {
  return series.read(stats).map(([value, label]) => ({ series, value, method, label }));
}

/** @throws InvalidOptionError naming the option, its value and the fix */
export function checkedMetricsOptions(options: MetricsOptions, of: string, own: readonly string[]): Resolved {
  refuseUnknown(objectOf(options, 'options'), ['name', 'maxMethods', 'verification', ...own], { of });
  const { name = 'default', maxMethods = 50, verification } = options;
  if (verification !== undefined)
    hasMethods(objectOf(verification, 'verification', 'what `verifyHits` gives'), 'verification', ['stats']);
  return {
    name: text(name, 'name'),
    maxMethods: integer(maxMethods, 'maxMethods', { to: 10_000 }),
    verification,
  };
}
