/**
 * Problem: a batch of rollouts calls one tool a thousand times at once. `concurrency` lets a few through, the others wait
 * in a fair queue, and nobody waits for ever: when the queue is full, callers hear of it at once. Run it with
 * `npx tsx examples/guards/concurrency.ts`.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { CacheManager } from 'toolstash';

const cache = new CacheManager({ methods: { browse: { concurrency: { limit: 4, queueLimit: 20 } } } });
let running = 0;
let most = 0;
async function browse(page: number): Promise<string> {
  most = Math.max(most, ++running);
  await nextTurn();
  running--;
  return `page ${page}`;
}

const asked = Array.from({ length: 30 }, (_, page) => cache.getOrSet('browse', page, () => browse(page)));
const outcomes = await Promise.allSettled(asked);
const refused = outcomes.filter((each) => each.status === 'rejected');
console.log(`30 pages at once: at most ${most} ran together, ${refused.length} were refused`);
console.log(refused[0]?.reason.message);
