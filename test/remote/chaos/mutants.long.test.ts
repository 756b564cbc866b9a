/** Faults that a chaos run must show. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { buildScript, killChildren, makeWorkFolder } from '../../helper/child-process.js';
import { stopServers } from '../../helper/redis-server.js';
import { runChaos } from './chaos.js';
import { mutants } from './mutants.js';

/** As CI's short run of `chaos.slow.test.ts`. */
const seconds = 20;
const work = makeWorkFolder('chaos-mutants');

afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

const shown = mutants.flatMap(({ what, changes, chaos }) =>
  chaos === undefined ? [] : [[what, { mutation: changes[0], chaos }] as const],
);

it.each(shown)(
  '%s',
  async (what, { mutation, chaos }) => {
    const entry = fileURLToPath(new URL('./chaos-process.ts', import.meta.url));
    const script = await buildScript(entry, join(work, what.replaceAll(' ', '-')), mutation);
    const { stale, hung, unwell, unhandled, diverged, counts } = await runChaos({
      script,
      work,
      seconds,
      seed: 0,
    });
    console.log(
      mutation.file,
      {
        stale: stale.length,
        hung,
        diverged: diverged.length,
        unwell: unwell.length,
        unhandled: unhandled.length,
      },
      counts,
    );
    const wrong = stale.length + diverged.length + unwell.length + unhandled.length;
    // Without a fault there are no slow reads either, but on a machine that is busy with something else.
    const slow = chaos === 'slow' ? hung + Math.max(0, counts['slowReads']! - 2) : 0;
    expect(wrong + slow).toBeGreaterThan(0);
  },
  600_000,
);
