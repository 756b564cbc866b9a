/**
 * Two machines, one Redis: one load for both, and a deletion that both hear of. Run it with a Redis at hand (`REDIS_URL`, or
 * localhost:6379): `npx tsx two-machines.ts`.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { CacheManager } from 'toolstash';
import { redis } from 'toolstash/redis';

const role = process.argv[2];

async function openCache(): Promise<CacheManager> {
  // By default of the environment: REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_PASSWORD …
  return CacheManager.open({ remote: redis({ prefix: 'two-machines' }) });
}

async function main(): Promise<void> {
  const cache = await openCache();
  const ask = (query: string) =>
    cache.getOrSet('search', { query }, () => `loaded by ${role ?? 'the parent'}`);
  if (role === 'the child') {
    console.log(`the child got: ${await ask('mvcc')}`);
    await cache.delete('search', { query: 'mvcc' });
  } else {
    await cache.delete('search', { query: 'mvcc' });
    console.log(`the parent got: ${await ask('mvcc')}`);
    await cache.flush();
    await once(fork(process.argv[1] as string, ['the child']), 'exit');
    // The child's deletion arrives by message.
    while (cache.peek('search', { query: 'mvcc' }) !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 10));
    console.log('the parent has let go of it');
  }
  await cache.close();
}

void main();
