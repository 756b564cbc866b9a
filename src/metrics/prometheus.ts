/** Figures for Prometheus, through `prom-client`: pulled when they are scraped. */

import type { Counter, CounterConfiguration, Gauge, Histogram, Registry } from 'prom-client';
import { CacheError, InvalidOptionError } from '../errors.js';
import type { CacheManager } from '../index.js';
import { hasMethods, objectOf, shown } from '../option-checks.js';
import {
  type Distribution,
  loadDuration,
  lookupDuration,
  ownSeries,
  type Series,
  tierSeries,
} from './series.js';
import {
  checkedMetricsOptions,
  type ExportedMetrics,
  type MetricsOptions,
  MetricsSource,
  type Reading,
  type TimedLookup,
} from './source.js';

/** A registry of `prom-client`. */
export interface PrometheusRegistry {
  /** The text that a scrape gets. */
  metrics(): Promise<string>;
  /** A metric that is registered. */
  getSingleMetric(name: string): unknown;
  /** Takes a metric out. */
  removeSingleMetric(name: string): void;
}

/** How a cache is exported to Prometheus. */
export interface PrometheusOptions extends MetricsOptions {
  /**
   * Where the metrics are registered.
   * @default the default registry of `prom-client`
   */
  readonly registry?: PrometheusRegistry | undefined;
}

type Library = typeof import('prom-client');
type Scrape = readonly { readonly source: MetricsSource; readonly readings: readonly Reading[] }[];

const histogramName = ({ name }: Distribution) => `toolstash_${name}`;

function metricName({ name, kind }: Series): string {
  return `toolstash_${name}${kind === 'counter' ? '_total' : ''}`;
}

/** All that is registered. */
const metricNames = [
  ...[...ownSeries, ...tierSeries].map(metricName),
  ...[loadDuration, lookupDuration].map(histogramName),
];

/** What is registered in a registry, once for all caches. */
class RegisteredMetrics {
  /** The caches, each with what ends its export. */
  readonly #sources = new Map<MetricsSource, () => void>();
  readonly #registry: Registry;
  readonly #loads: Histogram;
  readonly #lookups: Histogram;
  /** What is read of all caches in one scrape. */
  #scrape: Scrape | undefined;
  readonly #asked = new Set<Series>();
  /** Those that a lookup was timed in. */
  readonly #tiers = new Set<string>();

  constructor(library: Library, registry: Registry) {
    this.#registry = registry;
    const taken = metricNames.find((name) => registry.getSingleMetric(name));
    if (taken !== undefined) {
      throw new InvalidOptionError(
        `Expected a \`registry\` without a metric \`${taken}\`, got one that has it: give the cache a registry of its own`,
      );
    }
    for (const series of ownSeries)
      this.#register(library, series, (metric) => this.#write(series, metric, this.#readAll(series)));
    for (const series of tierSeries)
      this.#register(library, series, async (metric) =>
        this.#write(series, metric, await this.#read((source) => source.readTiers())),
      );
    this.#loads = new library.Histogram(this.#histogram(loadDuration, ['cache', 'method']));
    const tryMemory = () => this.#tryMemory();
    this.#lookups = new library.Histogram({
      ...this.#histogram(lookupDuration, ['cache', 'method', 'tier']),
      collect: tryMemory,
    });
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  /** @throws InvalidOptionError for a second cache of the same name */
  add(source: MetricsSource): void {
    for (const { name } of this.#sources.keys()) {
      if (name !== source.name) continue;
      throw new InvalidOptionError(
        `Expected \`name\` to be another one than that of a cache in the same registry, got ${shown(name)}: ` +
          'give each cache a name of its own',
      );
    }
    const ends = [
      source.onLoad((method, seconds) => this.#loads.observe({ cache: source.name, method }, seconds)),
      source.onLookup((lookup) => this.#observe(source, lookup)),
    ];
    this.#sources.set(source, () => {
      for (const end of ends) end();
    });
  }

  /** Ends the export of a cache, once. */
  remove(source: MetricsSource): void {
    const end = this.#sources.get(source);
    if (end === undefined) return;
    end();
    this.#sources.delete(source);
    this.#scrape = undefined;
    if (this.isEmpty) {
      for (const name of metricNames) this.#registry.removeSingleMetric(name);
      return;
    }
    const cache = source.name;
    for (const method of source.labels) {
      this.#loads.remove({ cache, method });
      for (const tier of this.#tiers) this.#lookups.remove({ cache, method, tier });
    }
  }

  #histogram({ help, buckets, ...series }: Distribution, labelNames: string[]) {
    return {
      ...{ name: histogramName({ help, buckets, ...series }), help, buckets: [...buckets], labelNames },
      registers: [this.#registry],
    };
  }

  #register(
    { Counter, Gauge }: Library,
    series: Series,
    collect: (metric: Counter | Gauge) => void | Promise<void>,
  ): void {
    const configuration = {
      ...{ name: metricName(series), help: series.help, registers: [this.#registry] },
      labelNames: [
        'cache',
        ...(series.isOfCache ? [] : ['method']),
        ...(series.label === undefined ? [] : [series.label]),
      ],
      collect(this: Counter | Gauge) {
        return collect(this);
      },
    } satisfies CounterConfiguration<string>;
    if (series.kind === 'counter') new Counter(configuration);
    else new Gauge(configuration);
  }

  #write(series: Series, metric: Counter | Gauge, scrape: Scrape): void {
    metric.reset();
    for (const { source, readings } of scrape) {
      for (const { series: own, value, method, label } of readings) {
        if (own !== series) continue;
        const labels: Record<string, string> = { cache: source.name };
        if (method !== undefined) labels['method'] = method;
        if (series.label !== undefined && label !== undefined) labels[series.label] = label;
        metric.inc(labels, value);
      }
    }
  }

  #read(read: (source: MetricsSource) => Promise<readonly Reading[]>): Promise<Scrape> {
    return Promise.all(
      Array.from(this.#sources.keys(), async (source) => ({ source, readings: await read(source) })),
    );
  }

  async #tryMemory(): Promise<void> {
    for (const source of this.#sources.keys())
      for (const lookup of await source.tryMemory())
        if (this.#sources.has(source)) this.#observe(source, lookup);
  }

  #observe(source: MetricsSource, { labels, seconds }: TimedLookup): void {
    this.#tiers.add(labels.tier);
    this.#lookups.observe({ cache: source.name, ...labels }, seconds);
  }

  /** What was read for this scrape: all metrics of one are asked in one turn, each once. */
  #readAll(series: Series): Scrape {
    if (this.#scrape === undefined || this.#asked.has(series)) {
      this.#scrape = Array.from(this.#sources.keys(), (source) => ({ source, readings: source.read() }));
      this.#asked.clear();
      setImmediate(() => {
        this.#scrape = undefined;
      }).unref();
    }
    this.#asked.add(series);
    return this.#scrape;
  }
}

const registered = new WeakMap<PrometheusRegistry, RegisteredMetrics>();

/**
 * Exports what a cache counts to a registry of `prom-client` (15 or later, a peer that is loaded here): `toolstash_hits_total`,
 * `toolstash_load_duration_seconds` …, labelled by `cache` and `method`. Figures are read when they are scraped; of a hit
 * nobody hears.
 * @throws InvalidOptionError for a wrong option or a name in use; `ERR_STORAGE` where `prom-client` is not installed
 *
 * @example
 * await prometheusMetrics(cache, { registry, name: 'search' });
 * response.end(await registry.metrics());
 */
export async function prometheusMetrics(
  cache: CacheManager,
  options: PrometheusOptions = {},
): Promise<ExportedMetrics> {
  const checked = checkedMetricsOptions(options, 'prometheusMetrics', ['registry']);
  const source = new MetricsSource(cache, checked);
  const library = await loadLibrary();
  const registry = registryOf(options, library);
  const metrics = registered.get(registry) ?? new RegisteredMetrics(library, registry);
  registered.set(registry, metrics);
  metrics.add(source);
  return {
    stop() {
      metrics.remove(source);
      if (metrics.isEmpty && registered.get(registry) === metrics) registered.delete(registry);
    },
  };
}

/** What a scrape is answered with. */
export interface PrometheusPage {
  readonly type: string;
  readonly text: string;
}

/**
 * Makes the page of a cache that is scraped alone, in a registry of its own.
 * @throws `ERR_STORAGE` where `prom-client` is not installed
 */
export async function prometheusPage(cache: CacheManager): Promise<() => Promise<PrometheusPage>> {
  const registry = new (await loadLibrary()).Registry();
  await prometheusMetrics(cache, { registry });
  return async () => ({ type: registry.contentType, text: await registry.metrics() });
}

function registryOf({ registry }: PrometheusOptions, library: Library): Registry {
  if (registry === undefined) return library.register;
  hasMethods(objectOf(registry, 'registry', 'a registry of `prom-client`'), 'registry', [
    'metrics',
    'getSingleMetric',
    'removeSingleMetric',
  ]);
  return registry as Registry;
}

async function loadLibrary(): Promise<Library> {
  try {
    const module = await import('prom-client');
    return (module as { default?: Library }).default ?? module;
  } catch (cause) {
    throw new CacheError(
      'ERR_STORAGE',
      'Expected the package `prom-client` (15 or later) for `prometheusMetrics`: run `npm install prom-client`',
      { cause },
    );
  }
}
