/** What a cache counts, for those who watch many programs: Prometheus and OpenTelemetry. */

export {
  type OpenTelemetryMeterProvider,
  type OpenTelemetryOptions,
  openTelemetryMetrics,
} from './open-telemetry.js';
export { type PrometheusOptions, type PrometheusRegistry, prometheusMetrics } from './prometheus.js';
export type { VerificationFigures } from './series.js';
export type { ExportedMetrics, MetricsOptions } from './source.js';
