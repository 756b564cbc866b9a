import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { openTelemetryMetrics } from '../../src/metrics/index.js';
import { verifyHits } from '../../src/trust/index.js';

const providers: MeterProvider[] = [];

afterEach(async () => {
  await Promise.all(providers.splice(0).map((provider) => provider.shutdown()));
});

/** What a real SDK collects: a function that gives the points of a metric. */
function collector() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  providers.push(meterProvider);
  const pointsOf = async (name: string) => {
    exporter.reset();
    await reader.forceFlush();
    const metrics = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    const points = metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
    return points.map(({ attributes, value }) => ({ attributes, value }));
  };
  return { meterProvider, pointsOf };
}

it('an SDK of OpenTelemetry collects what the cache counts', async () => {
  const { meterProvider, pointsOf } = collector();
  const cache = new CacheManager();
  const metrics = await openTelemetryMetrics(cache, { meterProvider, name: 'tools' });
  for (const query of ['a', 'a', 'b']) await cache.getOrSet('search', { query }, () => query);
  await cache.delete('search', { query: 'a' });
  const attributes = { 'toolstash.cache': 'tools', 'gen_ai.tool.name': 'search' };
  expect(await pointsOf('toolstash.hits')).toEqual([{ attributes, value: 1 }]);
  expect(await pointsOf('toolstash.misses')).toEqual([{ attributes, value: 2 }]);
  expect(await pointsOf('toolstash.entries')).toEqual([{ attributes, value: 1 }]);
  expect(await pointsOf('toolstash.removals')).toContainEqual({
    attributes: { ...attributes, 'toolstash.reason': 'deleted' },
    value: 1,
  });
  const [loads] = await pointsOf('toolstash.load.duration');
  const { count, sum } = loads!.value as { count: number; sum: number };
  expect([loads!.attributes, count]).toEqual([attributes, 2]);
  expect(sum).toBeCloseTo((cache.stats().loadTime.mean * 2) / 1000, 9);
  const [tried] = await pointsOf('toolstash.lookup.duration');
  expect(tried!.attributes).toEqual({ ...attributes, 'toolstash.tier': 'memory' });
  expect((tried!.value as { count: number }).count).toBeGreaterThan(0);
  const saved = await pointsOf('toolstash.saved.time');
  expect(saved[0]!.value).toBeCloseTo(cache.stats().savedMs / 1000, 9);

  metrics.stop();
  await cache.getOrSet('search', { query: 'c' }, () => 'c');
  expect((await pointsOf('toolstash.load.duration'))[0]).toMatchObject({ value: { count: 2 } });
});

it('without an SDK nothing is collected, and nothing fails', async () => {
  const cache = new CacheManager();
  const metrics = await openTelemetryMetrics(cache);
  expect(await cache.getOrSet('search', 1, () => 'found')).toBe('found');
  metrics.stop();
});

it('wrong options are refused', async () => {
  const cache = new CacheManager();
  await expect(openTelemetryMetrics(cache, { meterProvider: {} as never })).rejects.toThrow(
    /Expected `meterProvider` to be an object with a method `getMeter\(\)`/,
  );
  await expect(openTelemetryMetrics(cache, { registry: 1 } as never)).rejects.toThrow(
    /Unknown option `registry`/,
  );
});

it('collects what a verification of hits has found, as it is now', async () => {
  const { meterProvider, pointsOf } = collector();
  const cache = new CacheManager();
  let said = 1;
  const verification = verifyHits(cache, { share: 1, tools: { search: true }, mostMismatches: null });
  await openTelemetryMetrics(cache, { meterProvider, verification });
  const search = cache.wrap(async () => said, { name: 'search' });
  await search();
  for (said of [1, 2]) {
    await search();
    await vi.waitUntil(() => verification.stats()[0]?.compared === said);
  }
  const { interval } = verification.stats()[0]!;
  const attributes = { 'toolstash.cache': 'default', 'gen_ai.tool.name': 'search' };
  expect(await pointsOf('toolstash.mismatches')).toEqual([{ attributes, value: 1 }]);
  expect(await pointsOf('toolstash.mismatch_share')).toEqual(
    [
      ['estimate', 0.5],
      ['low', interval[0]],
      ['high', interval[1]],
    ].map(([bound, value]) => ({ attributes: { ...attributes, 'toolstash.bound': bound }, value })),
  );
});
