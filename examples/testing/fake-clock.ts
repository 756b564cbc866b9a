/** A test of an expiry without waiting for it. Run it with `npx tsx fake-clock.ts`. */

import { CacheManager } from 'toolstash';
import { FakeClock } from 'toolstash/testing';

async function main(): Promise<void> {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, ttl: '5m' });
  let toolCalls = 0;
  const ask = () => cache.getOrSet('weather', { city: 'Oslo' }, () => ++toolCalls);

  await ask();
  clock.advance(5 * 60_000 - 1);
  console.log('just before the ttl ends:', await ask(), 'tool call');
  clock.advance(1);
  console.log('when it has ended:', await ask(), 'tool calls');
  await cache.close();
}

void main();
