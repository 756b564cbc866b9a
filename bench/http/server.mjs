/** One server to measure, in a process of its own: `server.mjs <express|node> <first|toolstash|apicache>`. Tells its port. */

import { createServer } from 'node:http';
import apicache from 'apicache';
import express from 'express';
import { responseCache } from '../../dist/http.js';
import { CacheManager } from '../../dist/index.js';

const [, , framework, kind] = process.argv;
const rows = Array.from({ length: 50 }, (_, id) => ({
  id,
  name: `item number ${id}`,
  tags: ['a', 'b'],
  price: id * 1.5,
  note: 'n'.repeat(20),
}));
const json = JSON.stringify({ rows });
const bytes = Buffer.from(json);

const cache = new CacheManager({ maxSize: 5_000 });
const pages = responseCache({ cache, ttl: '1h' });
// As its users write it, without debugging output.
const peer = apicache.options({ statusCodes: { include: [200] } }).middleware('1 hour');

/** What ends the request itself, as first of all, with the bytes that the others have cached. */
const first = (_request, response) => {
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', bytes.length);
  response.end(bytes);
};

function listener() {
  const middleware = { first, toolstash: pages, apicache: peer }[kind];
  if (framework === 'express') {
    const app = express();
    app.use(middleware);
    app.use((_request, response) => response.json({ rows }));
    return app;
  }
  return (request, response) =>
    middleware(request, response, () => {
      response.setHeader('Content-Type', 'application/json; charset=utf-8');
      response.setHeader('Content-Length', bytes.length);
      response.end(json);
    });
}

const server = createServer(listener()).listen(0, '127.0.0.1', () =>
  process.send({ port: server.address().port }),
);
process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  const { user, system } = process.cpuUsage();
  // Its time is not that of the requests.
  if (message === 'memory') globalThis.gc?.();
  const { heapUsed: heap, external, rss } = process.memoryUsage();
  process.send({ cpu: user + system, heap, external, rss });
});
