/** One cache for all worker threads: what one loads the others answer. Run it with `npx tsx threads.ts`. */

import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CacheManager } from 'toolstash';
import { arena } from 'toolstash/arena';

async function main(): Promise<void> {
  const memory = arena({ maxBytes: 64 * 2 ** 20 });
  const cache = new CacheManager({ memory });
  const file = join(dirname(process.argv[1] as string), 'worker.mjs');
  const workers = [1, 2, 3].map(() => {
    const handle = memory.share();
    return new Worker(file, { workerData: handle, transferList: [handle.port] });
  });
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  const { sets, coalesced } = memory.stats();
  console.log(`${sets} results for 9 calls, ${coalesced} threads waited for another's load`);
  await cache.close();
}

void main();
