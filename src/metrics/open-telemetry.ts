/** Figures for OpenTelemetry, through `@opentelemetry/api`: observed when they are collected. */

import type { Attributes, Meter, Observable } from '@opentelemetry/api';
import { CacheError } from '../errors.js';
import type { CacheManager } from '../index.js';
import { hasMethods, objectOf } from '../option-checks.js';
import { allSeries, loadDuration, type Series } from './series.js';
import { checkedMetricsOptions, type ExportedMetrics, type MetricsOptions, MetricsSource } from './source.js';

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
  readonly meterProvider?: OpenTelemetryMeterProvider;
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
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    for (const { series, value, method, label } of source.read()) {
      const own = series.label === undefined ? {} : { [`toolstash.${series.label}`]: label };
      result.observe(instruments.get(series) as Observable, value, { ...attributesOf(method), ...own });
    }
  };
  const observed = [...instruments.values()];
  meter.addBatchObservableCallback(observe, observed);
  const loads = meter.createHistogram('toolstash.load.duration', {
    description: 'How long runs of the tool took that returned',
    unit: 's',
    advice: { explicitBucketBoundaries: [...loadDuration.buckets] },
  });
  const off = source.onLoad((method, seconds) => loads.record(seconds, attributesOf(method)));
  return {
    stop() {
      off();
      meter.removeBatchObservableCallback(observe, observed);
    },
  };
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
    return await import('@opentelemetry/api');
  } catch (cause) {
    throw new CacheError(
      'ERR_STORAGE',
      'Expected the package `@opentelemetry/api` (1.9 or later) for `openTelemetryMetrics`: ' +
        'run `npm install @opentelemetry/api`',
      { cause },
    );
  }
}
