/** The same on the real clock: `npm run soak` takes ten minutes, here it is one. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { soak } from './soak.js';

const minutes = Number(process.env['TOOLSTASH_SOAK_MINUTES'] ?? 1);

it(
  `ends every call by its deadline and gives every turn back, for ${minutes} minutes`,
  async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const pass = (ms: number) => sleep(ms);
    const told = await soak({ clock: systemClock, pass, durationMs: minutes * 60_000, seed });
    console.log(`seed ${seed}: ${JSON.stringify(told)}`);
    expect(told.problems).toEqual([]);
  },
  (minutes + 1) * 60_000,
);
