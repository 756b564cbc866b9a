/** How servers of a cluster are asked by their own clocks, on a link that is made up. */

import { expect, it } from 'vitest';
import type { LinkSession, RedisLink } from '../../src/remote/redis-link.js';
import { SessionServer } from '../../src/session/session-server.js';

const seconds = [1_000, 1_007, 998];
const link = { nodeOf: (key: string) => Number(key) } as RedisLink;
const session = (count: number) =>
  ({
    count,
    command: async (_args: unknown, at: number) =>
      [String(seconds[at]), '5'].map((text) => Buffer.from(text)),
  }) as unknown as LinkSession;
const claimant = { incarnation: 'a.1', notAfter: 50_000_000 };

it('what may take effect until a moment may do so until the same one by the clock of its server', async () => {
  const server = new SessionServer({ link, serverTime: undefined }, '1');
  expect(server.notAfter(claimant, '0')).toBe('50000000');
  await server.compareClocks(session(3));
  expect(['0', '1', '2'].map((key) => server.notAfter(claimant, key))).toEqual([
    '43000000',
    '50000000',
    '41000000',
  ]);
  expect(server.timeAt('2', 0)).toBe(-9_000_000);
  // It has become a single server.
  await server.compareClocks(session(1));
  expect(server.notAfter(claimant, '0')).toBe('50000000');
});

it('compares the clocks again, once at a time, where a server has got something too late', async () => {
  let clocks = [...seconds];
  let compared = 0;
  const clustered = {
    ...{ nodeOf: link.nodeOf, count: 3 },
    inTime: (send: () => Promise<unknown>) => send(),
    run: async () => ['late', String(clocks[0]! * 1_000_000)],
    command: async (_args: unknown, at: number) => {
      compared++;
      return [String(clocks[at]), '5'];
    },
  } as unknown as RedisLink;
  const server = new SessionServer({ link: clustered, serverTime: undefined }, '1');
  await server.compareClocks(session(3));
  expect(server.notAfter(claimant, '0')).toBe('43000000');
  clocks = [1_010, 1_007, 998];
  const late = { message: expect.stringContaining('too late') };
  const calls = Array.from({ length: 3 }, () => server.run({} as never, ['0'], []));
  for (const each of await Promise.allSettled(calls)) expect(each).toMatchObject({ reason: late });
  expect(compared).toBe(3);
  expect(server.notAfter(claimant, '0')).toBe('53000000');
  clocks = [1_020, 1_007, 998];
  await expect(server.run({} as never, ['0'], [])).rejects.toMatchObject(late);
  expect(server.notAfter(claimant, '0')).toBe('63000000');
  Object.assign(clustered, { command: () => Promise.reject(new Error('down')) });
  await expect(server.run({} as never, ['0'], [])).rejects.toMatchObject(late);
});
