/**
 * Problem: a slow or hanging tool holds up whoever waits for it. After `softTimeout` a stale value will do, while the
 * load goes on; after `hardTimeout` callers get an error. Run it with `npx tsx examples/guards/timeouts.ts`.
 */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

const clock = new FakeClock();
const cache = new CacheManager({
  clock,
  ttl: '5m',
  staleIfError: '1h',
  softTimeout: '500ms',
  hardTimeout: '30s',
});
const tool = (ms: number, answer: string) => () =>
  new Promise<string>((resolve) => clock.schedule(() => resolve(answer), ms));
async function ask(params: string, ms: number, answer: string): Promise<string> {
  const started = clock.elapsed();
  const asking = cache.getOrSet('report', params, tool(ms, answer)).then(
    (value) => `${value}, after ${clock.elapsed() - started} ms`,
    (error: { code: string }) => `${error.code}, after ${clock.elapsed() - started} ms`,
  );
  for (let step = 0; step < 130; step++) await clock.advanceAsync(250);
  return asking;
}

console.log('quick:             ', await ask('q3', 250, 'report 1'));
clock.advance(5 * 60_000);
console.log('slow, stale known: ', await ask('q3', 20_000, 'report 2'));
console.log('then, from memory: ', await cache.get('report', 'q3'));
console.log('hanging, none known:', await ask('q4', 3_600_000, 'report 3'));
