/** Fencing numbers and the dead, whatever the server's clock does: scripts take the time as an argument. */

import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionKeys } from '../../src/session/session-keys.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { closeNodes, openNode } from './nodes.js';

let server: RedisServer;
let micros: number;
const hour = 3_600_000_000;
const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });
const node = (name: string) => openNode({ url: server.url, node: name, serverTime: () => micros });

beforeEach(async () => {
  server ??= await RedisServer.start();
  await server.command('FLUSHALL');
  micros = Date.now() * 1_000;
});
afterEach(closeNodes);
afterAll(stopServers);

describe('a fencing number', () => {
  it('is the time of the server, and has all its digits', async () => {
    micros = 1_795_000_000_123_457;
    const lease = (await (await node('a')).claim('chat'))!;
    expect(lease.fence).toBe(1_795_000_000_123_457);
  });

  it('is above the last one of a session that was released, though the clock was set back', async () => {
    const [a, b] = [await node('a'), await node('b')];
    const first = (await a.claim('chat'))!;
    await first.release({ keepState: false });
    micros -= hour;
    const second = (await b.claim('chat'))!;
    expect(second.fence).toBe(first.fence + 1);
  });

  it('is above what its node has seen, though Redis is empty and its clock was set back', async () => {
    const [a, b] = [await node('a'), await node('b')];
    const first = (await a.claim('chat'))!;
    // It hears of the number as it is refused.
    expect(await b.claim('chat')).toBeUndefined();
    await server.command('FLUSHALL');
    micros -= hour;
    const second = (await b.claim('chat'))!;
    expect(second.fence).toBeGreaterThan(first.fence);
    await expect(first.setState('old')).rejects.toMatchObject({ code: 'ERR_SESSION_LOST' });
    expect(first.signal.aborted).toBe(true);
  });
});

describe('a node that was alive when the clock was set back', () => {
  it('is given up after its ttl, and not an hour later', async () => {
    const a = await node('a');
    const record = keys.session('chat');
    await server.command('HSET', record, 'i', 'ghost.1', 'f', '17', 'n', 'ghost', 't', '17');
    await server.command('HSET', keys.living[2], 'ghost.1', '60000000 ghost');
    await server.command('ZADD', keys.living[0], String(micros + hour), 'ghost.1');
    expect(await a.claim('chat')).toBeUndefined();
    expect(await a.owner('chat')).toMatchObject({ node: 'ghost', fence: 17, isAlive: true });
    // Its next sign of life sets the ghost's end to what it may be at most.
    const ends = async () =>
      Number((await server.command('ZSCORE', keys.living[0], 'ghost.1')).split('\r\n')[1]);
    await expect.poll(ends).toBe(micros + 60_000_000);
    micros += 61_000_000;
    const claimed = async () =>
      (await a.claim('chat').catch(() => undefined)) !== undefined || a.held('chat') !== undefined;
    await expect.poll(claimed).toBe(true);
  });
});

describe('what comes late', () => {
  it('has no effect: a claim that was sent before this node was given up', async () => {
    const [a, b] = [await node('a'), await node('b')];
    micros += 61_000_000;
    await expect(a.claim('chat')).rejects.toMatchObject({ code: 'ERR_STORAGE' });
    expect(await b.owner('chat')).toBeUndefined();
  });
});
