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
