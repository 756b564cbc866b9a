/** A thread of `threads.ts`: plain JavaScript, as Node.js 20 starts no worker threads from TypeScript, whatever runs the rest. */

import { workerData } from 'node:worker_threads';
import { CacheManager } from 'toolstash';
import { attach } from 'toolstash/arena';

async function search(query) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log(`searching for ${query}`);
  return `pages on ${query}`;
}

async function main() {
  const cache = new CacheManager({ memory: attach(workerData) });
  const cached = cache.wrap(search, { ttl: '1h' });
  await Promise.all(['mvcc', 'otters', 'mvcc'].map((query) => cached(query)));
  await cache.close();
}

void main();
