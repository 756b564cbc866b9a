/** The avalanche: the loads per second when what was filled in together expires, with and without jitter. */

import { CacheManager } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { printTable } from '../report.js';
import type { Random } from '../workloads.js';

const ttlSeconds = 300;

/** How long is watched: until just before everything would expire again. */
const watchedSeconds = 1.9 * ttlSeconds;

/** Draws the loads in each second of virtual time. */
export async function benchAvalanche({
  isQuick,
  random,
}: {
  readonly isQuick: boolean;
  readonly random: Random;
}): Promise<void> {
  const keys = isQuick ? 500 : 5000;
  const variants = [0, 0.1, 0.25, 0.5].map((jitter) => ({ jitter, perSecond: new Map<number, number>() }));
  for (const { jitter, perSecond } of variants) {
    const clock = new FakeClock();
    const cache = new CacheManager({ clock, random, ttl: ttlSeconds * 1000, maxSize: keys, jitter });
    for (let key = 0; key < keys; key++) await cache.getOrSet('tool', key, () => key);
    // Every key is wanted once a second, so it is loaded in the second in which it expires.
    for (let second = 0; second < watchedSeconds; second++) {
      clock.advance(1000);
      const before = cache.stats().loads;
      for (let key = 0; key < keys; key++) {
        if ((await cache.getOrSet('tool', key, () => key)) !== key)
          throw new Error(`wrong answer for ${key}`);
      }
      perSecond.set(second, cache.stats().loads - before);
    }
    await cache.close();
  }
  printTable({
    title: 'Avalanche: loads in the busiest second',
    note: `${keys} keys filled in at once, each wanted every second, ttl ${ttlSeconds} s, ${watchedSeconds} s of virtual time.`,
    head: ['jitter', 'busiest second', 'loads in all'],
    rows: variants.map(({ jitter, perSecond }) => {
      const counts = [...perSecond.values()];
      const sum = counts.reduce((all, each) => all + each, 0);
      return [jitter === 0 ? 'none' : `${jitter * 100} %`, String(Math.max(...counts)), String(sum)];
    }),
  });
  for (const { jitter, perSecond } of variants.slice(0, 3)) draw(jitter, perSecond, keys);
}

const columns = 100;
const blocks = ' ▁▂▃▄▅▆▇█';

/** The loads per second around the expiry as a line of bars: full height is every key at once. */
function draw(jitter: number, perSecond: ReadonlyMap<number, number>, keys: number): void {
  const from = ttlSeconds / 2;
  const perColumn = (watchedSeconds - from) / columns;
  const bars = Array.from({ length: columns }, (_, column) => {
    let most = 0;
    for (let step = 0; step < perColumn; step++)
      most = Math.max(most, perSecond.get(Math.floor(from + column * perColumn + step)) ?? 0);
    // A root, or what jitter leaves would be too low to see beside the peak.
    return blocks[Math.ceil(Math.sqrt(most / keys) * (blocks.length - 1))];
  });
  console.log(`\n${(jitter === 0 ? 'none' : `${jitter * 100} %`).padStart(6)} |${bars.join('')}|`);
  console.log(
    `${' '.repeat(8)}${`${from} s`.padEnd(columns - 6)}${watchedSeconds} s   (height: root of the loads)`,
  );
}
