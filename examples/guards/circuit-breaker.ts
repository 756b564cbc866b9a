/**
 * Problem: a tool that is down is called by everybody, who each wait for it to fail, and keep it from getting up. A
 * `circuitBreaker` stops calling it for a while and then tries it with one call. Run it with
 * `npx tsx examples/guards/circuit-breaker.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({ clock, circuitBreaker: { failures: 3, openFor: '10s' } });
cache.on('circuit', ({ previous, state }) => console.log(`  (the circuit: ${previous} → ${state})`));

let isDown = true;
let calls = 0;
const query = (id: number) =>
  cache
    .getOrSet('sql', id, async () => {
      calls++;
      if (isDown) throw new Error('connection refused');
      return `row ${id}`;
    })
    .catch((error: Error & { code?: string }) => error.code ?? error.message);

for (let id = 0; id < 100; id++) await query(id);
console.log(`100 queries, ${calls} calls; the last one got ${await query(100)}`);
isDown = false;
clock.advance(10_000);
console.log(
  `ten seconds later: ${await query(101)}; ${cache.stats('sql').circuitRejections} were spared the wait`,
);
