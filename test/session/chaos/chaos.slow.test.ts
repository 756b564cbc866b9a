/** A few rounds of chaos; `chaos.long.test.ts` has all of them. */

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildScript, killChildren, makeWorkFolder } from '../../helper/child-process.js';
import { inForm } from '../../helper/form.js';
import { stopServers } from '../../helper/redis-server.js';
import { type Disturbance, disturbances, SessionChaos } from './chaos.js';

const rounds = inForm({ short: 2, long: Number(process.env['TOOLSTASH_ROUNDS'] ?? 16) });
const work = makeWorkFolder('session-chaos');
let script: string;

beforeAll(async () => {
  script = await buildScript(fileURLToPath(new URL('./session-process.ts', import.meta.url)), work);
});
afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

it(`${rounds} rounds: one holder at a time, no write of an earlier one, every orphan in time`, async () => {
  const chaos = await SessionChaos.start(script, inForm({ short: 5_000, long: 0 }));
  try {
    await chaos.run(
      Array.from({ length: rounds }, (_, at): Disturbance => disturbances[at % disturbances.length]!),
    );
  } catch (error) {
    await chaos.remove();
    throw error;
  }
  const { counts, ...outcome } = await chaos.end();
  console.log(counts);
  expect(outcome).toEqual({ shared: [], unfenced: [], overlaps: [], twice: [], missed: [], unhandled: [] });
  // Too little went on for that to say anything.
  expect(counts.refused).toBeGreaterThan(inForm({ short: 10, long: 100 }));
  expect(counts.writes).toBeGreaterThan(rounds * 50);
  expect(counts.orphans).toBeGreaterThan(0);
  expect(counts.hearings).toBeGreaterThan(counts.orphans);
  expect(counts.stalledDeaths).toBeLessThanOrEqual(counts.deaths / 4);
}, 3_600_000);
