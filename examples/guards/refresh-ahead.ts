/**
 * Problem: the callers of a hot and slow tool wait each time its value expires. `refreshAhead` lets one of them, drawn
 * at random near the end of the ttl, refresh it while all go on (probabilistic early expiration). Run it with `npx tsx examples/guards/refresh-ahead.ts`.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

async function waitsIn(ahead: boolean): Promise<number> {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, ttl: '1m', refreshAhead: ahead });
  const slowTool = () => new Promise<string>((resolve) => clock.schedule(() => resolve('answer'), 2000));
  for (let call = 0; call < 3000; call++) {
    void cache.getOrSet('prices', 'all', slowTool);
    clock.advance(100);
    await nextTurn();
  }
  const { misses, coalesced } = cache.stats('prices');
  return misses + coalesced;
}

console.log(`calls of 3000 that waited, without: ${await waitsIn(false)}`);
console.log(`calls of 3000 that waited, with:    ${await waitsIn(true)}`);
