/** How a node stays among the living when answers come in an order of their own: with a link that is made up. */

import { expect, it } from 'vitest';
import type { RedisLink } from '../../src/remote/redis-link.js';
import { NodeLife } from '../../src/session/node-life.js';
import type { SessionCommands } from '../../src/session/session-commands.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { over, settled } from './survivor.js';

it('of two joins at once one counts, and that one is renewed', async () => {
  const clock = new FakeClock();
  const sent: { mode: string; incarnation: string; answer: () => void }[] = [];
  const commands: Pick<SessionCommands, 'beat'> = {
    beat: (mode, incarnation) =>
      new Promise((resolve) => {
        const answer = () => resolve({ isLive: true, time: 0, dead: new Map() });
        sent.push({ mode, incarnation, answer });
      }),
  };
  const joined: string[] = [];
  const life = new NodeLife({
    ...{ link: { isReady: true } as RedisLink, commands: commands as SessionCommands, clock },
    ...{ ttl: 15_000, refresh: 5_000 },
    onJoined: ({ incarnation }) => void joined.push(incarnation.replace(/^.*\./, '')),
    onLapsed: () => undefined,
    onReconnected: () => Promise.resolve(),
    onBeat: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  const connected = life.connected(undefined as never);
  sent[0]!.answer();
  await connected;
  life.lapse(life.lease!, over);
  // It joins again by itself; before the answer comes, so does a new connection.
  clock.advance(1);
  await settled();
  const again = life.connected(undefined as never);
  expect(sent.map(({ mode }) => mode)).toEqual(['join', 'join', 'join']);
  sent[2]!.answer();
  await again;
  sent[1]!.answer();
  await settled();
  expect(joined).toEqual(['1', '3']);
  clock.advance(5_000);
  await settled();
  expect(sent.at(-1)).toMatchObject({ mode: 'renew', incarnation: life.lease!.incarnation });
});
