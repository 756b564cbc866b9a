/** Faults that a chaos run must show: each takes away one of the things that keep two nodes from one session. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { buildScript, killChildren, type Mutation, makeWorkFolder } from '../../helper/child-process.js';
import { stopServers } from '../../helper/redis-server.js';
import { type Disturbance, SessionChaos } from './chaos.js';

const work = makeWorkFolder('session-mutants');

afterAll(async () => {
  await killChildren();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

interface Mutant extends Mutation {
  readonly rounds: readonly Disturbance[];
  readonly shown: 'shared' | 'unfenced' | 'overlaps' | 'twice' | 'missed';
}

const mutants: readonly (readonly [what: string, mutant: Mutant])[] = [
  [
    'a renewal asks nobody',
    {
      file: 'session/session-scripts.ts',
      from: /elseif not redis\.call\('ZSCORE', KEYS\[1\], ARGV\[2\]\) then/,
      to: 'elseif false then',
      rounds: ['flush', 'flush'],
      shown: 'overlaps',
    },
  ],
  [
    'a write needs no fencing number',
    {
      file: 'session/session-scripts.ts',
      from: /if held\[1\] ~= ARGV\[2\] or held\[2\] ~= ARGV\[3\] then return 0 end/,
      to: '',
      rounds: ['kill', 'partition'],
      shown: 'unfenced',
    },
  ],
  [
    'the deadline is counted from the reply',
    {
      file: 'session/node-life.ts',
      from: /lease\.renewed\(sentAt, time\)/,
      to: 'lease.renewed(clock.elapsed(), time)',
      rounds: ['late replies', 'late replies', 'late replies'],
      shown: 'overlaps',
    },
  ],
  [
    'there is no deadline of its own',
    {
      file: 'session/node-lease.ts',
      from: /&& this\.msLeft > 0/,
      to: '',
      rounds: ['partition'],
      shown: 'overlaps',
    },
  ],
  [
    'fencing numbers begin anew with an empty server',
    {
      file: 'session/session-scripts.ts',
      from: /text\(math\.max\(last \+ 1, now, tonumber\(seen\) \+ 1\)\)/,
      to: 'text(last + 1)',
      rounds: ['flush', 'flush'],
      shown: 'shared',
    },
  ],
  [
    'what was claimed meanwhile is adopted all the same',
    {
      file: 'session/session-scripts.ts',
      from: /if held\[1\] and held\[2\] == known then/,
      to: 'if held[1] then',
      rounds: ['kill', 'kill', 'partition', 'kill', 'kill', 'partition'],
      shown: 'twice',
    },
  ],
  [
    'a dead node is seen to two seconds later',
    {
      file: 'session/takeover.ts',
      from: /this\.#last = inBackground\(\(\) => this\.#last\.then\(start\)\)/,
      to: 'this.#last = this.#last.then(() => new Promise((go) => setTimeout(go, 2_000))).then(start)',
      rounds: ['kill', 'partition'],
      shown: 'missed',
    },
  ],
  [
    'nobody is told of orphans',
    {
      file: 'session/session-scripts.ts',
      from: /redis\.call\('PUBLISH', ARGV\[8\], 'o'/,
      to: "redis.call('PUBLISH', ARGV[8] .. ':nowhere', 'o'",
      rounds: ['kill'],
      shown: 'missed',
    },
  ],
  [
    'who closes does not say so',
    {
      file: 'session/node-life.ts',
      from: /await this\.#init\.commands\.bury\(lease\.incarnation, true\)/,
      to: '',
      rounds: ['close'],
      shown: 'missed',
    },
  ],
];

it.each(mutants)(
  '%s',
  async (what, { rounds, shown, ...mutation }) => {
    const entry = fileURLToPath(new URL('./session-process.ts', import.meta.url));
    const number = mutants.findIndex(([each]) => each === what);
    const chaos = await SessionChaos.start(await buildScript(entry, join(work, String(number)), mutation));
    try {
      await chaos.run(rounds);
    } catch (error) {
      await chaos.remove();
      throw error;
    }
    const outcome = await chaos.end();
    console.log(what, outcome[shown].slice(0, 3), outcome.counts);
    expect(outcome[shown].length).toBeGreaterThan(0);
  },
  600_000,
);
