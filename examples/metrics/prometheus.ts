/**
 * A server that Prometheus scrapes: `npx tsx prometheus.ts`, then `curl localhost:<port>/metrics`. It ends after one scrape of
 * its own. `npm install toolstash prom-client`
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { CacheManager } from 'toolstash';
import { prometheusMetrics } from 'toolstash/metrics';

async function main(): Promise<void> {
  const cache = new CacheManager({ ttl: '10m' });
  const registry = new Registry();
  await prometheusMetrics(cache, { registry, name: 'tools' });

  const search = cache.wrap(async (query: string) => `results for ${query}`, { name: 'search' });
  for (const query of ['mvcc', 'mvcc', 'raft']) await search(query);

  const server = createServer((_request, response) => {
    void registry.metrics().then((text) => {
      response.setHeader('Content-Type', registry.contentType);
      response.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  console.log(text.split('\n').filter((line) => /^toolstash_(hits|misses|loads)_total/.test(line)));
  server.close();
  await cache.close();
}

void main();
