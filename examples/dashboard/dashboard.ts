/**
 * A cache with a page beside it: `npx tsx dashboard.ts stay`, then open the address that it prints. Without `stay` it looks at
 * its own figures once and ends.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CacheManager } from 'toolstash';
import { dashboard } from 'toolstash/dashboard';

async function main(): Promise<void> {
  const cache = new CacheManager({ ttl: '10m', keepParams: true });
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const search = cache.wrap(
    async ({ query }: { query: string }) => {
      await pause(20 * query.length);
      return `results for ${query}`;
    },
    { name: 'search' },
  );
  for (const query of ['mvcc', 'mvcc', 'raft']) await search({ query });

  const { handler, token, close } = dashboard(cache, { title: 'Tools' });
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  if (process.argv.includes('stay')) {
    console.log(`http://127.0.0.1:${port}/#token=${token}`);
    const topics = ['mvcc', 'raft', 'lsm trees', 'bloom filters', 'vector clocks', 'crdt', 'paxos'];
    for (;;) {
      await search({ query: topics[Math.floor(topics.length * Math.random() ** 2)] ?? 'mvcc' });
      await pause(40);
    }
  }
  const response = await fetch(`http://127.0.0.1:${port}/figures`, {
    method: 'POST',
    headers: { 'x-toolstash-token': token },
  });
  const { stats } = (await response.json()) as { stats: { hits: number; misses: number } };
  console.log(`${stats.hits} hit, ${stats.misses} misses`);
  close();
  server.close();
  await cache.close();
}

void main();
