/**
 * Caching headers and a cache of responses before a Node server; Express, Connect and Fastify take them with `app.use`.
 * `npm install toolstash http-cache-semantics`
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CacheManager } from 'toolstash';
import { assetRules, cacheControl, responseCache } from 'toolstash/http';

async function main(): Promise<void> {
  const cache = new CacheManager();
  const policy = cacheControl(assetRules('/assets/'));
  const pages = responseCache({ cache, ttl: '1m', query: ['page'], tags: ['items'] });

  let runs = 0;
  const server = createServer((request, response) => {
    policy(request, response, () =>
      pages(request, response, () => {
        response.setHeader('Content-Type', 'text/plain');
        response.end(`run ${++runs}`);
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}/items?page=1`;

  const first = await fetch(url);
  console.log(await first.text());
  const second = await fetch(`${url}&utm_source=mail`); // no part of the key, and unseen by the route
  console.log(`${await second.text()}, ${second.headers.get('age')} seconds old`);
  const etag = second.headers.get('etag') ?? '';
  console.log(
    (await fetch(url, { headers: { 'If-None-Match': etag, 'Cache-Control': 'max-age=60' } })).status,
  );

  await cache.invalidateTags(['items']);
  console.log(await (await fetch(url)).text());

  server.closeAllConnections();
  server.close();
  await cache.close();
}

void main();
