/** Calls a cache near the end of the stack, and tells what came of the calls after that. */

import { CacheManager, type CacheOptions } from '../../../src/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { settle } from '../../helper/gate.js';

/** Settings, and what is expected of none of them: a key that hangs, a turn or a place in line that is not given back. */
const settings: readonly CacheOptions[] = [
  {},
  { concurrency: { limit: 1000, queueLimit: 0 } },
  { concurrency: { limit: 1, queueLimit: 10_000 } },
  { hardTimeout: 1000, circuitBreaker: { failures: 1e6 } },
];

async function settledAfterwards(options: CacheOptions) {
  const clock = new FakeClock();
  const cache = new CacheManager({ clock, ...options });
  const outcomes: Promise<unknown>[] = [];
  let [up, asked] = [0, 0];
  const dive = (): void => {
    try {
      dive();
    } catch {
      // Overflown: ask on the way up, with a little more of the stack left each time.
      up += 1;
      if (up > 25 && asked < 200) {
        asked += 1;
        outcomes.push(cache.getOrSet('tool', asked % 10, async () => 'deep'));
      }
      throw new Error('going up');
    }
  };
  try {
    dive();
  } catch {
    // As planned.
  }
  await Promise.allSettled(outcomes);
  let settled = 0;
  for (let key = 0; key < 10; key += 1)
    void cache
      .getOrSet('tool', key, () => 'shallow')
      .then(() => {
        settled += 1;
      });
  await clock.advanceAsync(2000);
  await settle();
  const { running, queued } = cache.stats();
  return { settled, running, queued };
}

/** Sets something with each amount of room that there may be. */
async function setEverywhere(): Promise<void> {
  const cache = new CacheManager();
  // V8 makes code of a regular expression at its second use, and ends the process where the stack has no room for that.
  await cache.set('tool', 'warm', 'set');
  const outcomes: Promise<unknown>[] = [];
  for (let frames = 0; frames < 300; frames++) {
    let up = 0;
    const dive = (): void => {
      try {
        dive();
      } catch {
        // Overflown.
      }
      if (up++ === frames) outcomes.push(cache.set('tool', frames, 'set').catch(() => false));
    };
    try {
      dive();
    } catch {
      // Not even room to begin.
    }
  }
  await Promise.allSettled(outcomes);
}

await setEverywhere();
const told = [];
for (const options of settings) told.push(await settledAfterwards(options));
console.log(JSON.stringify(told));
