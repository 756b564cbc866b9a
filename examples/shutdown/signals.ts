/** A process that ends by a signal and loses nothing. Run it with `npx tsx signals.ts`. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheManager } from 'toolstash';

async function main(): Promise<void> {
  const persistDir = mkdtempSync(join(tmpdir(), 'shutdown-'));
  const cache = await CacheManager.open({ persist: true, persistDir, flushInterval: '1m' });
  await cache.set('search', { query: 'mvcc' }, ['a']);

  process.once('SIGTERM', async () => {
    await cache.close();
    const next = await CacheManager.open({ persist: true, persistDir });
    console.log('after SIGTERM:', await next.get('search', { query: 'mvcc' }));
    await next.close();
    rmSync(persistDir, { recursive: true });
  });
  process.kill(process.pid, 'SIGTERM');
  // A process waits for a signal only as long as it has something else to do.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

void main();
