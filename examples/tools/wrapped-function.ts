/** A wrapped function: the same calls as before, answered once. Run it with `npx tsx wrapped-function.ts`. */

import { CacheManager } from 'toolstash';

const cache = new CacheManager({ ttl: '1h' });

/** The tool: a search that takes its time. It stops when its signal says so. */
async function searchPapers(query: string, limit = 3, signal?: AbortSignal): Promise<string[]> {
  console.log(`  (searching for "${query}")`);
  await new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 50);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
  return Array.from({ length: limit }, (_, i) => `${query}, paper ${i + 1}`);
}

const search = cache.wrap(searchPapers, { params: ['query', 'limit'] });

async function main(): Promise<void> {
  console.log('Eight rollouts ask the same at once:');
  const answers = await Promise.all(Array.from({ length: 8 }, () => search('mvcc', 2)));
  console.log(`  ${answers.length} answers, the first is`, answers[0]);

  console.log('A caller may change its answer, nobody else sees it:');
  answers[0]?.push('scribbled by a careless caller');
  console.log(' ', await search('mvcc', 2));

  console.log('A signal is no part of the key, and ends one caller’s wait:');
  const aborting = new AbortController();
  const aborted = search('raft', 1, aborting.signal);
  const other = search('raft', 1);
  aborting.abort(new Error('no time'));
  console.log('  this caller: ', await aborted.catch((error: Error) => error.message));
  console.log('  other caller:', await other);

  console.log('The key of a call, which Python computes alike, and what else a wrapped function carries:');
  console.log('  key:      ', search.key('mvcc', 2));
  console.log('  invalidate:', await search.invalidate('mvcc', 2));
  console.log('  refresh:  ', await search.refresh('mvcc', 2));

  const { hits, coalesced, misses, loads } = cache.stats('searchPapers');
  console.log('Statistics:', { hits, coalesced, misses, loads });
}

void main();
