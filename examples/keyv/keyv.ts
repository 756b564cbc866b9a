/**
 * Libraries that store through Keyv (got, cacheable-request, eslint, …) store in a Toolstash cache: bounded, persisted
 * and counted as tool results are. `npm install toolstash keyv`
 */

import { Keyv } from 'keyv';
import { CacheManager } from 'toolstash';
import { Keyv5Adapter } from 'toolstash/keyv';

async function main(): Promise<void> {
  const cache = new CacheManager({ maxSize: 1000, methods: { keyv: { ttl: '1h' } } });
  const users = new Keyv<{ name: string }>({ store: new Keyv5Adapter(cache), namespace: 'users' });
  const pages = new Keyv<string>({ store: new Keyv5Adapter(cache), namespace: 'pages' });
  users.on('error', (error) => console.error('the cache failed:', error));

  await users.set('7', { name: 'Ada' });
  await pages.set('7', '<p>seven</p>', 60_000);
  console.log(await users.get('7'), await pages.get('7'));

  await users.clear(); // this namespace alone
  console.log(await users.get('7'), await pages.get('7'));

  const { hits, misses } = cache.stats('keyv');
  console.log(`hits: ${hits}, misses: ${misses}`);
  await cache.close();
}

main();
