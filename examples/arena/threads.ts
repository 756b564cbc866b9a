/** One cache for all worker threads: what one loads the others answer. Run it with `npx tsx threads.ts`. */

import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { CacheManager } from 'toolstash';
import { type ArenaHandle, arena, attach } from 'toolstash/arena';

async function search(query: string): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(`searching for ${query}`);
  return `pages on ${query}`;
}

async function work(handle: ArenaHandle): Promise<void> {
  const cache = new CacheManager({ memory: attach(handle) });
  const cached = cache.wrap(search, { ttl: '1h' });
  await Promise.all(['mvcc', 'otters', 'mvcc'].map((query) => cached(query)));
  await cache.close();
}

async function main(): Promise<void> {
  const memory = arena({ maxBytes: 64 * 2 ** 20 });
  const cache = new CacheManager({ memory });
  const workers = [1, 2, 3].map(() => {
    const handle = memory.share();
    return new Worker(process.argv[1] as string, { workerData: handle, transferList: [handle.port] });
  });
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  const { sets, coalesced } = memory.stats();
  console.log(`${sets} results for 9 calls, ${coalesced} threads waited for another's load`);
  await cache.close();
}

void (isMainThread ? main() : work(workerData as ArenaHandle));
