/** How replicas are waited for, on a link that is made up. */

import { expect, it } from 'vitest';
import type { RedisLink } from '../../src/remote/redis-link.js';
import { ReplicaWait } from '../../src/session/replica-wait.js';

function waiter() {
  const asked: { at: number; answer: (replicas: number) => void }[] = [];
  const link = {
    connections: {},
    nodeOf: (key: string) => Number(key),
    inTime: (send: () => Promise<unknown>) => send(),
    command: (args: string[], at: number) => {
      expect(args).toEqual(['WAIT', '1', '500']);
      return new Promise((resolve) => void asked.push({ at, answer: resolve }));
    },
  };
  const replicas = new ReplicaWait({ link: link as unknown as RedisLink, replicas: 1, waitMs: 500 });
  return { asked, link, replicas };
}

it('one is asked for at a time, and what is written meanwhile shares the next', async () => {
  const { asked, replicas } = waiter();
  const first = replicas.until('0');
  await expect.poll(() => asked.length).toBe(1);
  const others = [replicas.until('0'), replicas.until('0')];
  await new Promise(setImmediate);
  expect(asked).toHaveLength(1);
  asked[0]!.answer(1);
  await first;
  await expect.poll(() => asked.length).toBe(2);
  asked[1]!.answer(0);
  for (const other of others)
    await expect(other).rejects.toThrow('Expected 1 replicas to have it in time, got 0');
  expect(asked).toHaveLength(2);
});

it('each server of a cluster is asked by itself', async () => {
  const { asked, replicas } = waiter();
  const all = [replicas.until('0'), replicas.until('2')];
  await expect.poll(() => asked.map(({ at }) => at)).toEqual([0, 2]);
  for (const { answer } of asked) answer(1);
  await Promise.all(all);
});

it('new connections are not asked about what went over the old ones', async () => {
  const { asked, link, replicas } = waiter();
  const first = replicas.until('0');
  await expect.poll(() => asked.length).toBe(1);
  const second = replicas.until('0');
  link.connections = {};
  asked[0]!.answer(1);
  await first;
  await expect(second).rejects.toThrow('The connection was lost before it was known');
  expect(asked).toHaveLength(1);
});
