/** Sessions while Redis is away, loses data, or this process stands still. */

import { createServer } from 'node:net';
import { afterAll, afterEach, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { closeNodes, nodeOf, openNode } from './nodes.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeNodes();
  await Promise.all(closing.splice(0).map((close) => close()));
});
afterAll(stopServers);

it('Redis away: leases lapse by their own clock, and the node joins again by itself', async () => {
  const server = await RedisServer.start();
  const a = await openNode({ url: server.url, node: 'a', ttl: '3s' });
  const events: string[] = [];
  for (const event of ['joined', 'lapsed', 'error'] as const) a.on(event, () => void events.push(event));
  const lease = (await a.claim('chat'))!;
  await lease.setState('before');
  const { incarnation } = a;
  await server.command('SAVE');
  await server.stop();
  expect(lease.isHeld).toBe(true);
  await expect.poll(() => lease.signal.aborted).toBe(true);
  expect(lease.signal.reason).toMatchObject({ code: 'ERR_SESSION_LOST', sessionId: 'chat' });
  await expect(lease.getState()).rejects.toMatchObject({ code: 'ERR_SESSION_LOST' });
  await expect(a.claim('another')).rejects.toMatchObject({ code: 'ERR_STORAGE' });
  expect(a.incarnation).toBeUndefined();
  await server.start();
  await expect.poll(() => a.incarnation).toBeDefined();
  expect(a.incarnation).not.toBe(incarnation);
  expect(events).toEqual(['error', 'lapsed', 'joined']);
  await expect.poll(async () => (await a.claim('chat').catch(() => undefined))?.getState()).toBe('before');
});

it('Redis away for a moment: what it still knows is held on, the rest is lost', async () => {
  const server = await RedisServer.start();
  const a = await openNode({ url: server.url });
  const known = (await a.claim('known'))!;
  const released = (await a.claim('released'))!;
  await server.command('SAVE');
  const unknown = (await a.claim('unknown'))!;
  await released.release();
  await server.stop();
  await server.start();
  await expect.poll(() => unknown.signal.aborted).toBe(true);
  await expect
    .poll(() =>
      a.open().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await known.setState('on');
  // The snapshot says that this node has it: it knows better.
  expect(await a.owner('released')).toBeUndefined();
});

it('nothing listens: attempts to connect are few', async () => {
  let attempts = 0;
  const nobody = createServer((socket) => {
    attempts += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => nobody.close(resolve)));
  const { port } = nobody.address() as { port: number };
  const a = nodeOf({ url: `redis://127.0.0.1:${port}` });
  await expect(a.open()).rejects.toMatchObject({ code: 'ERR_STORAGE' });
  await expect.poll(() => attempts).toBeGreaterThan(5);
  const before = attempts;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  // Two connections at a time, after pauses of half a second and more.
  expect(attempts - before).toBeLessThan(10);
});

it('a process that stood still past its ttl does nothing that only a holder may', async () => {
  const server = await RedisServer.start();
  let stoodStillMs = 0;
  const clock: Clock = { ...systemClock, elapsed: () => systemClock.elapsed() + stoodStillMs };
  const [a, b] = [await openNode({ url: server.url, clock }), await openNode({ url: server.url })];
  const lease = (await a.claim('chat'))!;
  stoodStillMs = 61_000;
  expect(lease.isHeld).toBe(false);
  expect(() => lease.check()).toThrow(/not held any more: The lease of this node has run out/);
  expect(lease.signal.aborted).toBe(true);
  expect(a.held('chat')).toBeUndefined();
  // Among the others it is alive until its time is over there too, or until it joins again.
  expect(await b.claim('chat')).toBeUndefined();
  await expect.poll(() => a.incarnation).toMatch(/\.2$/);
});

it('what Redis may not have got is given back later', async () => {
  const server = await RedisServer.start();
  const proxy = await RedisProxy.before(server.port);
  closing.push(() => proxy.close());
  const a = await openNode({ url: `redis://127.0.0.1:${proxy.port}`, timeout: 200 });
  const b = await openNode({ url: server.url });
  const lease = (await a.claim('chat'))!;
  proxy.mode = 'late replies';
  const claimed = await a.claim('lost answer').catch((error: unknown) => error);
  expect(claimed).toMatchObject({ code: 'ERR_STORAGE' });
  await lease.release();
  proxy.mode = 'open';
  await expect
    .poll(() => b.claim('chat').then((got) => got !== undefined || b.held('chat') !== undefined))
    .toBe(true);
  const isFree = () =>
    b.claim('lost answer').then((got) => got !== undefined || b.held('lost answer') !== undefined);
  await expect.poll(isFree).toBe(true);
});

it('a session that was ended while Redis was away stays ended, and the outage is reported once', async () => {
  const server = await RedisServer.start();
  const proxy = await RedisProxy.before(server.port);
  closing.push(() => proxy.close());
  const a = await openNode({ url: `redis://127.0.0.1:${proxy.port}`, timeout: 400 });
  const b = await openNode({ url: server.url });
  const errors: string[] = [];
  a.on('error', ({ message }) => void errors.push(message));
  const [lease, kept] = [(await a.claim('chat'))!, (await a.claim('kept'))!];
  await lease.setState('old');
  proxy.mode = 'black hole';
  await lease.release({ keepState: false });
  // Longer than it takes until what was sent can have no effect any more.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  proxy.mode = 'open';
  proxy.cut();
  await expect.poll(() => b.owner('chat')).toBeUndefined();
  expect(await (await b.claim('chat'))!.getState()).toBeUndefined();
  await expect
    .poll(() =>
      kept.setState('new').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  // The release, and the outage: nothing was asked for which the new connection was not ready yet.
  expect(errors).toEqual([
    'Redis did not answer within 400 ms',
    expect.stringMatching(/^Redis can't be reached/),
  ]);
});

it('a claim or state that too few replicas have is refused', async () => {
  const server = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] });
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
  await expect.poll(() => replica.command('INFO', 'replication')).toContain('master_link_status:up');
  const a = await openNode({ url: server.url, wait: 1, timeout: '4s' });
  const lease = (await a.claim('chat'))!;
  await lease.setState('kept twice');
  await replica.stop();
  await expect(lease.setState('kept once')).rejects.toThrow(/Expected 1 replicas to have it in time, got 0/);
  await expect(a.claim('another')).rejects.toMatchObject({ code: 'ERR_STORAGE' });
});
