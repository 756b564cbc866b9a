/**
 * What metrics cost a hit in memory: wrapped calls without them, with those for Prometheus, and with those for OpenTelemetry,
 * a process each, in turn. `npm run build && node bench/metrics/main.mjs [rounds]`, 15 by default.
 *
 * New processes each round, in another order each time: two of the same program differ by more than what is measured. What one
 * exports is scraped before each of its samples, of which the last counts: once a second, where Prometheus does it each 15. Answers
 * are checked, and so is what is exported.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { Registry } from 'prom-client';
import { CacheManager } from '../../dist/index.js';
import { openTelemetryMetrics, prometheusMetrics } from '../../dist/metrics.js';

const hits = 1_000_000;
const warmUps = 1;
const median = (numbers) => numbers.toSorted((a, b) => a - b)[(numbers.length - 1) >> 1];

/** A reader that is asked by hand, as a scrape does. */
class Scraper extends MetricReader {
  async onShutdown() {}
  async onForceFlush() {}
}

/** How a cache is exported: a function that scrapes it, and tells how many hits it saw. */
const ways = {
  without: async (cache) => async () => cache.stats().hits,
  Prometheus: async (cache) => {
    const registry = new Registry();
    await prometheusMetrics(cache, { registry });
    return async () => Number(/^toolstash_hits_total\S* (\d+)/m.exec(await registry.metrics())[1]);
  },
  OpenTelemetry: async (cache) => {
    const reader = new Scraper();
    await openTelemetryMetrics(cache, { meterProvider: new MeterProvider({ readers: [reader] }) });
    return async () => {
      const { resourceMetrics, errors } = await reader.collect();
      if (errors.length > 0) throw errors[0];
      const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
      return all.find(({ descriptor }) => descriptor.name === 'toolstash.hits').dataPoints[0].value;
    };
  },
};

/** The CPU time of a hit in each sample that is asked for, in ns. */
async function work(way) {
  const cache = new CacheManager();
  const lookUp = cache.wrap(async (query, { page }) => `${query} ${page}`, { name: 'search' });
  const scrape = await ways[way](cache);
  let seen = 0;
  await lookUp('query 0', { page: 0 });
  for (let page = 1; page < 100; page += 1) await lookUp(`query ${page}`, { page });
  process.on('message', async () => {
    if ((await scrape()) !== seen) throw new Error(`Expected ${seen} hits to be exported`);
    const before = process.cpuUsage();
    for (let at = 0; at < hits; at += 1) {
      const page = at % 100;
      if ((await lookUp(`query ${page}`, { page })) !== `query ${page} ${page}`)
        throw new Error('Wrong answer');
    }
    const { user, system } = process.cpuUsage(before);
    seen += hits;
    process.send(((user + system) * 1000) / hits);
  });
  process.send('ready');
}

async function sampleOf(way) {
  const child = fork(fileURLToPath(import.meta.url), ['--way', way]);
  await once(child, 'message');
  let nanoseconds = 0;
  for (let sample = 0; sample <= warmUps; sample += 1) {
    child.send('sample');
    [nanoseconds] = await once(child, 'message');
  }
  child.disconnect();
  await once(child, 'exit');
  return nanoseconds;
}

async function compare(rounds) {
  const names = Object.keys(ways);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let at = 0; at < names.length; at += 1) {
      const name = names[(at + round) % names.length];
      samples[name].push(await sampleOf(name));
    }
  }
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${new Date().toISOString()}`);
  console.log(
    `CPU time of ${hits} hits, median of ${rounds} rounds; ratio to those without in the same round`,
  );
  for (const name of names) {
    const ratios = samples[name].map((each, round) => each / samples.without[round]);
    console.log(`${name.padEnd(14)} ${median(samples[name]).toFixed(0)} ns  ${median(ratios).toFixed(3)}`);
  }
}

if (process.argv[2] === '--way') await work(process.argv[3]);
else await compare(Number(process.argv[2] ?? 15));
