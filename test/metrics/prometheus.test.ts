import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counter, Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { coreOf } from '../../src/manager/cache-context.js';
import { prometheusMetrics } from '../../src/metrics/index.js';

let registry: Registry;

beforeEach(() => {
  registry = new Registry();
});

/** The value of a line of a scrape, as `hits_total{cache="default",method="search"}`. */
async function scraped(line: string): Promise<number | undefined> {
  const text = await registry.metrics();
  const found = text.split('\n').find((each) => each.startsWith(`toolstash_${line} `));
  return found === undefined ? undefined : Number(found.slice(found.lastIndexOf(' ') + 1));
}

const failing = () => Promise.reject(new Error('down'));

describe('what Prometheus scrapes', () => {
  it('equals what the cache counts', async () => {
    const cache = new CacheManager({ maxSize: 2, circuitBreaker: { failures: 1 } });
    await prometheusMetrics(cache, { registry });
    const ask = (query: string) => cache.getOrSet('search', { query }, () => query);
    await Promise.all([ask('a'), ask('a')]);
    for (const query of ['a', 'b', 'c', 'd']) await ask(query);
    await cache.getOrSet('fetch', 1, failing).catch(() => undefined);
    await cache.getOrSet('fetch', 1, failing).catch(() => undefined);

    const { hits, misses, coalesced, loads, evicted, bytes, savedMs } = cache.stats('search');
    expect({ hits, misses, coalesced, loads, evicted }).toEqual({
      ...{ hits: 1, misses: 4, coalesced: 1, loads: 4, evicted: 2 },
    });
    const of = 'cache="default",method="search"';
    expect(await scraped(`hits_total{${of}}`)).toBe(hits);
    expect(await scraped(`misses_total{${of}}`)).toBe(misses);
    expect(await scraped(`coalesced_total{${of}}`)).toBe(coalesced);
    expect(await scraped(`loads_total{${of}}`)).toBe(loads);
    expect(await scraped(`removals_total{${of},reason="evicted"}`)).toBe(evicted);
    expect(await scraped(`bytes{${of}}`)).toBe(bytes);
    expect(await scraped(`saved_seconds_total{${of}}`)).toBeCloseTo(savedMs / 1000, 9);
    expect(await scraped(`load_duration_seconds_count{${of}}`)).toBe(4);
    expect(await scraped(`load_duration_seconds_bucket{le="+Inf",${of}}`)).toBe(4);
    const other = 'cache="default",method="fetch"';
    expect(await scraped(`load_errors_total{${other}}`)).toBe(1);
    expect(await scraped(`rejections_total{${other},reason="circuit"}`)).toBe(1);
    expect(await scraped(`circuit{${other},state="open"}`)).toBe(1);
    expect(await scraped(`circuit{${other},state="closed"}`)).toBe(0);
    // Scraped again nothing is counted twice.
    expect(await scraped(`hits_total{${of}}`)).toBe(hits);
  });

  it('has what a verification knows, with its confidence interval', async () => {
    const cache = new CacheManager();
    const verification = {
      stats: () =>
        [
          {
            method: 'search',
            compared: 120,
            mismatches: 3,
            errors: 1,
            interval: [0.0085, 0.0712],
            isDemoted: true,
          },
          { method: 'unseen', compared: 0, mismatches: 0, errors: 0, interval: [0, 1], isDemoted: false },
        ] as const,
    };
    await prometheusMetrics(cache, { registry, verification, maxMethods: 1 });
    const of = 'cache="default",method="search"';
    expect(await scraped(`verified_total{${of}}`)).toBe(120);
    expect(await scraped(`mismatches_total{${of}}`)).toBe(3);
    expect(await scraped(`verification_errors_total{${of}}`)).toBe(1);
    expect(await scraped(`mismatch_share{${of},bound="estimate"}`)).toBe(0.025);
    expect(await scraped(`mismatch_share{${of},bound="low"}`)).toBe(0.0085);
    expect(await scraped(`mismatch_share{${of},bound="high"}`)).toBe(0.0712);
    expect(await scraped(`demoted{${of}}`)).toBe(1);
    const unseen = 'cache="default",method="unseen"';
    expect(await scraped(`mismatch_share{${unseen},bound="estimate"}`)).toBe(undefined);
    expect(await scraped(`mismatch_share{${unseen},bound="high"}`)).toBe(1);
    await expect(prometheusMetrics(cache, { registry, verification: {} as never })).rejects.toThrow(
      'Expected `verification`',
    );
  });

  it('is nothing that anybody hears of at a hit', async () => {
    const cache = new CacheManager();
    const heard: string[] = [];
    const on = cache.on.bind(cache);
    cache.on = (event, listener) => {
      heard.push(event);
      return on(event, listener);
    };
    await prometheusMetrics(cache, { registry });
    expect(heard).toEqual(['load']);
    const core = coreOf(cache)!;
    expect([core.observers, core.aroundLoads, heard]).toEqual([undefined, undefined, ['load']]);
    const looked: unknown[] = [];
    core.tiers.reads.listeners.add((lookup) => void looked.push(lookup));
    for (let call = 0; call < 3; call += 1) await cache.getOrSet('search', 1, () => 1);
    expect([cache.stats().hits, looked]).toEqual([2, []]);
  });

  it('tries how long memory takes at each scrape, without a use, and times each look into a slower tier', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-metrics-'));
    const cache = await CacheManager.open({ persist: true, persistDir, maxSize: 2 });
    try {
      const { stop } = await prometheusMetrics(cache, { registry });
      const ask = (id: number) => cache.getOrSet('search', id, () => ({ id }));
      for (const id of [1, 2, 3, 3, 1]) await ask(id);
      const before = cache.stats();
      const of = (tier: string) =>
        `lookup_duration_seconds_count{cache="default",method="search",tier="${tier}"}`;
      // Three misses, and what memory had evicted by the end.
      expect(await scraped(of('disk'))).toBe(4);
      const tried = await scraped(of('memory'));
      expect(tried).toBeGreaterThan(0);
      expect(await scraped(of('memory'))).toBeGreaterThan(tried!);
      expect(cache.stats()).toEqual(before);
      stop();
      await ask(2);
      await ask(3);
      const again = await prometheusMetrics(cache, { registry });
      expect(await scraped(of('disk'))).toBeUndefined();
      again.stop();
    } finally {
      await cache.close();
      rmSync(persistDir, { recursive: true });
    }
  });

  it('has a bounded number of methods, whose counters never fall', async () => {
    const cache = new CacheManager();
    await prometheusMetrics(cache, { registry, maxMethods: 3 });
    const fill = async (from: number, to: number) => {
      for (let index = from; index < to; index++) await cache.getOrSet(`tool ${index}`, 1, () => 1);
    };
    await fill(0, 2);
    expect(await scraped('loads_total{cache="default",method="(other)"}')).toBeUndefined();
    await fill(2, 40);
    expect(await scraped('loads_total{cache="default",method="tool 2"}')).toBe(1);
    expect(await scraped('loads_total{cache="default",method="(other)"}')).toBe(37);
    expect(await scraped('load_duration_seconds_count{cache="default",method="(other)"}')).toBe(37);
    expect(await scraped('entries{cache="default",method="(other)"}')).toBe(37);
    await cache.clear();
    expect(await scraped('entries{cache="default",method="(other)"}')).toBe(0);
    expect(await scraped('loads_total{cache="default",method="(other)"}')).toBe(37);
    const methods = new Set((await registry.metrics()).match(/method="[^"]*"/g));
    expect(methods.size).toBe(4);
  });

  it('escapes whatever a method is called', async () => {
    const cache = new CacheManager();
    await prometheusMetrics(cache, { registry });
    await cache.getOrSet('a"} 1\nevil{b="\\', 1, () => 1);
    const lines = (await registry.metrics()).split('\n');
    expect(lines.some((line) => line.startsWith('evil'))).toBe(false);
    expect(lines).toContain('toolstash_loads_total{cache="default",method="a\\"} 1\\nevil{b=\\"\\\\"} 1');
  });

  it('tells caches of one registry apart, and ends with each', async () => {
    const [one, two] = [new CacheManager(), new CacheManager()];
    const first = await prometheusMetrics(one, { registry, name: 'one' });
    await expect(prometheusMetrics(two, { registry, name: 'one' })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('give each cache a name of its own'),
    });
    const second = await prometheusMetrics(two, { registry, name: 'two' });
    await one.getOrSet('search', 1, () => 1);
    await two.getOrSet('search', 1, () => 1);
    expect(await scraped('loads_total{cache="one",method="search"}')).toBe(1);
    first.stop();
    expect(await scraped('loads_total{cache="one",method="search"}')).toBeUndefined();
    expect(await scraped('loads_total{cache="two",method="search"}')).toBe(1);
    second.stop();
    second.stop();
    expect(await registry.metrics()).not.toContain('toolstash');
    await prometheusMetrics(one, { registry, name: 'one' });
    expect(await scraped('loads_total{cache="one",method="search"}')).toBe(1);
  });

  it('tells what the disk holds of each method, whatever memory has let go of', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-metrics-'));
    const earlier = await CacheManager.open({ persist: true, persistDir });
    for (let id = 0; id < 3; id += 1) await earlier.set('unused', id, id);
    await earlier.close();
    const cache = await CacheManager.open({ persist: true, persistDir, maxSize: 2 });
    try {
      for (let id = 0; id < 5; id += 1) await cache.set('search', id, 'x'.repeat(5000));
      await cache.set('fetch', 1, 1);
      await cache.set('fetch', 2, 1, { ttl: 1 });
      await cache.delete('search', 1);
      await cache.flush();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await prometheusMetrics(cache, { registry });
      const of = (method: string, tier = 'disk') => `{cache="default",method="${method}",tier="${tier}"}`;
      expect(await scraped(`tier_entries${of('search')}`)).toBe(4);
      expect(await scraped(`tier_entries${of('fetch')}`)).toBe(1);
      // Methods that this process has not used have no label of their own.
      expect(await scraped(`tier_entries${of('(other)')}`)).toBe(3);
      const sizes = await Promise.all(
        ['search', 'fetch', '(other)'].map((name) => scraped(`tier_bytes${of(name)}`)),
      );
      const files = readdirSync(persistDir, { recursive: true, encoding: 'utf8' }).filter((each) =>
        each.endsWith('.cache'),
      );
      const onDisk = files.reduce((sum, file) => sum + statSync(join(persistDir, file)).size, 0);
      expect(sizes.reduce((sum, size) => sum! + size!, 0)).toBe(onDisk);
      expect(await scraped('entries{cache="default",method="search"}')).toBe(0);
      expect(await scraped('bytes{cache="default",method="fetch"}')).toBe(cache.stats('fetch').bytes);
    } finally {
      await cache.close();
      rmSync(persistDir, { recursive: true });
    }
  });

  it('is refused where its options are wrong', async () => {
    const cache = new CacheManager();
    const wrong = [
      [{ registry: {} }, /Expected `registry` to be an object with a method `metrics\(\)`/],
      [{ maxMethods: 0 }, /Expected `maxMethods` to be an integer from 1 to 10000, got `0`/],
      [{ nam: 'x' }, /Unknown option `nam` of prometheusMetrics: did you mean `name`\?/],
    ] as const;
    for (const [options, message] of wrong)
      await expect(prometheusMetrics(cache, options as never)).rejects.toThrow(message);
    await expect(prometheusMetrics({} as never)).rejects.toThrow(/Expected a `CacheManager`/);
  });

  it('leaves a metric of the same name to the user, and says so', async () => {
    new Counter({ name: 'toolstash_misses_total', help: 'mine', registers: [registry] });
    const cache = new CacheManager();
    await expect(prometheusMetrics(cache, { registry })).rejects.toThrow(/toolstash_misses_total/);
    expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(['toolstash_misses_total']);
  });
});

describe('ending an export', () => {
  it('takes away all that is labelled with its cache, and ends no other', async () => {
    const staying = new CacheManager();
    await prometheusMetrics(staying, { registry, name: 'staying' });
    const cache = new CacheManager();
    const { stop } = await prometheusMetrics(cache, { registry, name: 'going' });
    for (const each of [cache, staying]) await each.getOrSet('search', 1, () => 1);
    expect(await scraped('load_duration_seconds_count{cache="going",method="search"}')).toBe(1);
    stop();
    const text = await registry.metrics();
    expect(text).not.toContain('going');
    expect(text).toContain(
      'toolstash_lookup_duration_seconds_count{cache="staying",method="search",tier="memory"}',
    );
  });

  it('twice ends no export that has begun since', async () => {
    const cache = new CacheManager();
    const { stop } = await prometheusMetrics(cache, { registry });
    stop();
    await prometheusMetrics(cache, { registry });
    stop();
    await cache.getOrSet('search', 1, () => 1);
    expect(await scraped('loads_total{cache="default",method="search"}')).toBe(1);
  });
});

it('sums up methods whose names are no labels', async () => {
  const cache = new CacheManager();
  await prometheusMetrics(cache, { registry });
  for (const method of ['(other)', 'x'.repeat(100_000)]) await cache.getOrSet(method, 1, () => 1);
  expect(await scraped('loads_total{cache="default",method="(other)"}')).toBe(2);
  expect((await registry.metrics()).length).toBeLessThan(100_000);
});

it('the dashboard for Grafana asks for metrics that exist, by labels that exist', async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-metrics-'));
  const cache = await CacheManager.open({ circuitBreaker: { failures: 1 }, persist: true, persistDir });
  const tool = {
    method: 'search',
    compared: 1,
    mismatches: 0,
    errors: 0,
    interval: [0, 1],
    isDemoted: false,
  } as const;
  await prometheusMetrics(cache, { registry, verification: { stats: () => [tool] } });
  await cache.getOrSet('search', 1, () => 1);
  await cache.flush();
  const series = new Map<string, Set<string>>();
  for (const line of (await registry.metrics()).split('\n')) {
    // Of Redis there is nothing to tell here.
    const [, remote] = /^# TYPE (\w+_remote_\w+)/.exec(line) ?? [];
    if (remote !== undefined) series.set(remote, new Set(['cache']));
    const [, name, labels] = /^(\w+)\{(.*)\}/.exec(line) ?? [];
    if (name !== undefined)
      series.set(name, new Set(Array.from(labels!.matchAll(/(\w+)="/g), ([, label]) => label!)));
  }
  await cache.close();
  rmSync(persistDir, { recursive: true });
  const path = new URL('../../examples/metrics/grafana.json', import.meta.url);
  const dashboard = JSON.parse(readFileSync(path, 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
    templating: { list: { query: string }[] };
  };
  const queries = [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.map(({ query }) => query),
  ].filter((query) => query.includes('toolstash_'));
  expect(queries.length).toBeGreaterThan(10);
  for (const query of queries) {
    const names = query.match(/toolstash_\w+/g)!;
    for (const name of names) expect(series.has(name), `${name} in ${query}`).toBe(true);
    const labels = Array.from(query.matchAll(/(?:by \(|[{,]\s*)(\w+)(?=[=),])/g), ([, label]) => label!);
    for (const label of labels) expect(series.get(names[0]!), query).toContain(label);
  }
});
