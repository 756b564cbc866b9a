/** A tool that was taken for a pure one, and what gives it away: some of its hits are run again. */

import { setImmediate as turn } from 'node:timers/promises';
import { CacheManager } from 'toolstash';
import { onAnswer, verifyHits } from 'toolstash/trust';

/** Its index changes now and then. */
let index = 1;
const search = async (query: string) => ({ query, page: `page ${index}` });

async function main(): Promise<void> {
  const cache = new CacheManager();
  const cached = cache.wrap(search, { name: 'search' });
  const sources: Record<string, number> = {};
  onAnswer(cache, ({ source }) => {
    sources[source] = (sources[source] ?? 0) + 1;
  });
  const verification = verifyHits(cache, {
    tools: { search: true },
    share: 1,
    onDemoted: ({ method, mismatches, compared }) =>
      console.log(`${method} is not cached any more: ${mismatches} of ${compared} runs said something else`),
  });
  for (let call = 0; call < 40; call++) {
    if (call === 10) index = 2;
    await cached('mvcc');
    // The verification runs between the calls of an agent.
    await turn();
  }
  console.log(sources);
  const [trust] = verification.stats();
  console.log(
    `mismatches: ${trust?.rate.toFixed(2)}, ${trust?.interval.map((end) => end.toFixed(2)).join(' to ')}`,
  );
  await cache.close();
}

void main();
