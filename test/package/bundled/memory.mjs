/** A program of a stranger that caches in memory only; prints `ok`. */

import { CacheManager } from 'toolstash';

async function main() {
  const cache = new CacheManager({ maxSize: 10, ttl: '5m' });
  const load = async () => ({ hits: ['mvcc'], at: new Date(0), total: 2 ** 40 });
  const call = () => cache.getOrSet('search', { query: 'mvcc' }, load);
  await Promise.all([call(), call()]);
  const { at, total } = await call();
  if (!(at instanceof Date) || total !== 2 ** 40) throw new Error(`Wrong answer: ${at}, ${total}`);
  const { loads, coalesced, hits } = cache.stats();
  if (loads !== 1 || coalesced !== 1 || hits !== 1) throw new Error('Wrong counts');
  await cache.close();
  console.log('ok');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
