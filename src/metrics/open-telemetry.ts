/** Figures for OpenTelemetry, through `@opentelemetry/api`: observed when they are collected. */

import type { Attributes, Histogram, Meter, Observable, Tracer } from '@opentelemetry/api';
import { CacheError, InvalidOptionError, isError } from '../errors.js';
import type { CacheManager } from '../index.js';
import { type AroundLoads, coreOf } from '../manager/cache-context.js';
import { hasMethods, objectOf, refuseUnknown, text } from '../option-checks.js';
import { allSeries, type Distribution, loadDuration, lookupDuration, type Series } from './series.js';
import {
  checkedMetricsOptions,
  type ExportedMetrics,
  type MetricsOptions,
  MetricsSource,
  type TimedLookup,
} from './source.js';

/** Where meters come from: what an SDK of OpenTelemetry provides. */
export interface OpenTelemetryMeterProvider {
  /** The meter of a library. */
  getMeter(name: string): object;
}

/** How a cache is exported to OpenTelemetry. */
export interface OpenTelemetryOptions extends MetricsOptions {
  /**
   * Where the meter comes from.
   * @default the global meter provider
   */
  readonly meterProvider?: OpenTelemetryMeterProvider | undefined;
}

type Library = typeof import('@opentelemetry/api');

/**
 * Exports what a cache counts to OpenTelemetry (`@opentelemetry/api` 1.9 or later, a peer that is loaded here):
 * `toolstash.hits`, `toolstash.load.duration` …, with the attributes `toolstash.cache` and, as the GenAI conventions name
 * it, `gen_ai.tool.name`. Figures are read when they are collected; of a hit nobody hears.
 * @throws InvalidOptionError for a wrong option; `ERR_STORAGE` where `@opentelemetry/api` is not installed
 *
 * @example
 * await openTelemetryMetrics(cache, { name: 'search' });
 */
export async function openTelemetryMetrics(
  cache: CacheManager,
  options: OpenTelemetryOptions = {},
): Promise<ExportedMetrics> {
  const checked = checkedMetricsOptions(options, 'openTelemetryMetrics', ['meterProvider']);
  const source = new MetricsSource(cache, checked);
  const { meterProvider } = options;
  if (meterProvider !== undefined)
    hasMethods(objectOf(meterProvider, 'meterProvider'), 'meterProvider', ['getMeter']);
  const { metrics } = await loadLibrary();
  const meter = (meterProvider ?? metrics).getMeter('toolstash') as Meter;
  const instruments = new Map(allSeries.map((series) => [series, instrumentOf(meter, series)]));
  const attributesOf = (method: string | undefined): Attributes => ({
    'toolstash.cache': source.name,
    ...(method === undefined ? {} : { 'gen_ai.tool.name': method }),
  });
  const recordLookup = ({ labels: { method, tier }, seconds }: TimedLookup) =>
    lookups.record(seconds, { ...attributesOf(method), 'toolstash.tier': tier });
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = async (result) => {
    for (const { series, value, method, label } of [...source.read(), ...(await source.readTiers())]) {
      const own = series.label === undefined ? {} : { [`toolstash.${series.label}`]: label };
      result.observe(instruments.get(series) as Observable, value, { ...attributesOf(method), ...own });
    }
    for (const lookup of await source.tryMemory()) recordLookup(lookup);
  };
  const observed = [...instruments.values()];
  meter.addBatchObservableCallback(observe, observed);
  const loads = histogramOf(meter, 'toolstash.load.duration', loadDuration);
  const lookups = histogramOf(meter, 'toolstash.lookup.duration', lookupDuration);
  const ends = [
    source.onLoad((method, seconds) => loads.record(seconds, attributesOf(method))),
    source.onLookup(recordLookup),
  ];
  return {
    stop() {
      for (const end of ends) end();
      meter.removeBatchObservableCallback(observe, observed);
    },
  };
}

/** Where tracers come from: what an SDK of OpenTelemetry provides. */
export interface OpenTelemetryTracerProvider {
  /** The tracer of a library. */
  getTracer(name: string): object;
}

/** How the loads of a cache are traced. */
export interface OpenTelemetrySpanOptions {
  /**
   * Where the tracer comes from.
   * @default the global tracer provider
   */
  readonly tracerProvider?: OpenTelemetryTracerProvider | undefined;
  /**
   * What tells this cache from others of the process: the attribute `toolstash.cache`.
   * @default 'default'
   */
  readonly name?: string | undefined;
}

/**
 * Makes a span of each run of a tool through a cache's `getOrSet`, `refresh` and wrapped async functions, as the GenAI conventions have
 * it: `execute_tool <method>` with `gen_ai.operation.name` and `gen_ai.tool.name`, with `error.type` where it failed. Spans
 * that the tool makes are within it, and it is within whatever is active where the load was begun; who joins a load is not told of.
 * Params and results are never told, nor messages of errors, which may repeat them. A hit has no span.
 * @throws InvalidOptionError for a wrong option, or where spans are made already; `ERR_STORAGE` where `@opentelemetry/api` is
 *   not installed
 *
 * @example
 * const { stop } = await openTelemetrySpans(cache);
 */
export async function openTelemetrySpans(
  cache: CacheManager,
  options: OpenTelemetrySpanOptions = {},
): Promise<ExportedMetrics> {
  const core = coreOf(objectOf(cache, 'cache', 'a `CacheManager`'));
  if (core === undefined)
    throw new InvalidOptionError('Expected `cache` to be a `CacheManager` of this build of the package');
  refuseUnknown(objectOf(options, 'options'), ['tracerProvider', 'name'], { of: 'openTelemetrySpans' });
  const { tracerProvider, name = 'default' } = options;
  text(name, 'name');
  if (tracerProvider !== undefined)
    hasMethods(objectOf(tracerProvider, 'tracerProvider'), 'tracerProvider', ['getTracer']);
  const { trace, SpanKind, SpanStatusCode } = await loadLibrary();
  if (core.aroundLoads !== undefined)
    throw new InvalidOptionError(
      'Spans of this cache are made already: call `stop()` of what makes them first',
    );
  const tracer = (tracerProvider ?? trace).getTracer('toolstash') as Tracer;
  const around: AroundLoads = (method, load) => {
    const attributes = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': method,
      'toolstash.cache': name,
    };
    return tracer.startActiveSpan(
      `execute_tool ${method}`,
      { kind: SpanKind.INTERNAL, attributes },
      async (span) => {
        try {
          return await load();
        } catch (error) {
          span.setAttribute('error.type', isError(error) ? error.name : typeof error);
          // Messages of tools repeat what they were given.
          span.setStatus({ code: SpanStatusCode.ERROR });
          throw error;
        } finally {
          span.end();
        }
      },
    );
  };
  core.aroundLoads = around;
  return {
    stop() {
      if (core.aroundLoads === around) core.aroundLoads = undefined;
    },
  };
}

function histogramOf(meter: Meter, name: string, { help, buckets }: Distribution): Histogram {
  const advice = { explicitBucketBoundaries: [...buckets] };
  return meter.createHistogram(name, { description: help, unit: 's', advice });
}

function instrumentOf(meter: Meter, { name, kind, help, unit, isShare }: Series): Observable {
  const dotted = `toolstash.${name.replace('_seconds', '.time')}`;
  const options = { description: help, unit };
  if (isShare) return meter.createObservableGauge(dotted, options);
  return kind === 'counter'
    ? meter.createObservableCounter(dotted, options)
    : meter.createObservableUpDownCounter(dotted, options);
}

async function loadLibrary(): Promise<Library> {
  try {
    const module = await import('@opentelemetry/api');
    // In the CommonJS build all that a package exports is its default; its own default is but a part of it.
    return 'SpanKind' in module ? module : (module as { default: Library }).default;
  } catch (cause) {
    throw new CacheError(
      'ERR_STORAGE',
      'Expected the package `@opentelemetry/api` (1.9 or later) for `openTelemetryMetrics`: ' +
        'run `npm install @opentelemetry/api`',
      { cause },
    );
  }
}
