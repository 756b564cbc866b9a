/** What a cache counts, for those who watch many programs: Prometheus and OpenTelemetry. */

export type { FigureSum, ProcessSummary } from '../figures/process-figures.js';
export { type SharedFigures, type ShareFiguresOptions, shareFigures } from '../figures/share-figures.js';
export {
  type OpenTelemetryMeterProvider,
  type OpenTelemetryOptions,
  type OpenTelemetrySpanOptions,
  type OpenTelemetryTracerProvider,
  openTelemetryMetrics,
  openTelemetrySpans,
} from './open-telemetry.js';
export { type PrometheusOptions, type PrometheusRegistry, prometheusMetrics } from './prometheus.js';
export type { VerificationFigures } from './series.js';
export type { ExportedMetrics, MetricsOptions } from './source.js';
