/** What a cache counts, for those who watch many programs: Prometheus and OpenTelemetry. */

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
