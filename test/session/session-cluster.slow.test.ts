/** Sessions in a cluster of three masters: each shard is on one of them, and one knows which nodes are alive. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { SessionOptions, SessionTypes } from '../../src/session/index.js';
import { SessionKeys } from '../../src/session/session-keys.js';
import { RedisCluster } from '../helper/redis-cluster.js';
import { type RedisServer, stopServers } from '../helper/redis-server.js';
import { closeNodes, openNode } from './nodes.js';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.start();
}, 120_000);
beforeEach(async () => {
  for (const node of cluster.nodes) await node.command('FLUSHALL');
});
afterEach(closeNodes);
afterAll(stopServers);

const nodeOf = <T extends SessionTypes>(options: SessionOptions<T> = {}) =>
  openNode<T>({ cluster: cluster.options, ...options });
const ids = Array.from({ length: 60 }, (_, at) => `chat ${at}`);
async function slotOf(key: string): Promise<number> {
  return Number((await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', key)).slice(1));
}
function masterOf(slot: number): RedisServer {
  return cluster.nodes[[5_461, 10_922, 16_384].findIndex((end) => slot < end)]!;
}
const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });

it('sessions lie on all servers, each with one holder, and users have their limits', async () => {
  const [a, b] = [await nodeOf({ node: 'a' }), await nodeOf({ node: 'b' })];
  const claims = ids.map(async (id) => {
    const leases = await Promise.all([a.claim(id, { user: 'ann' }), b.claim(id, { user: 'ann' })]);
    return leases.filter((lease) => lease !== undefined);
  });
  for (const leases of await Promise.all(claims)) expect(leases).toHaveLength(1);
  for (const node of cluster.nodes) expect(await node.command('DBSIZE')).not.toBe(':0\r\n');
  expect(await a.count('ann')).toBe(60);
  await expect(a.claim('one more', { user: 'ann', limit: 60 })).rejects.toMatchObject({
    code: 'ERR_SESSION_LIMIT',
  });
  expect(await b.owner('chat 7')).toMatchObject({ id: 'chat 7', user: 'ann', isAlive: true });
  const listed: string[] = [];
  for await (const { id } of b.list()) listed.push(id);
  expect(listed.sort()).toEqual([...ids].sort());
  const phone = await b.connect('chat 7', { id: 'phone' });
  expect((await a.connections('chat 7')).map(({ id, node }) => [id, node])).toEqual([['phone', 'b']]);
  await phone.close();
  expect(await a.connections('chat 7')).toEqual([]);
});

it('what a node leaves is taken over from all servers, and all hear of it and of messages', async () => {
  const adopted: string[] = [];
  const a = await nodeOf<{ state: string; messages: { hint: string } }>({ node: 'a' });
  const b = await nodeOf<{ state: string; messages: { hint: string } }>({
    node: 'b',
    adopt: ({ id }) => void adopted.push(id),
  });
  const c = await nodeOf({ node: 'c' });
  const heard: [string, string | undefined][] = [];
  c.on('orphaned', ({ id, takenBy }) => void heard.push([id, takenBy]));
  const hints: string[] = [];
  await b.messages.on('hint', (text) => void hints.push(text));
  expect(await a.messages.publish('hint', 'deploy')).toBe(1);
  await expect.poll(() => hints).toEqual(['deploy']);
  const leases = await Promise.all(ids.map(async (id) => (await a.claim(id))!));
  await Promise.all(leases.map((lease) => lease.setState(`of ${lease.id}`)));
  await a.close();
  await expect.poll(() => adopted.length).toBe(60);
  await expect.poll(() => heard.length).toBe(60);
  expect(new Set(heard.map(([, takenBy]) => takenBy))).toEqual(new Set(['b']));
  for (const id of ids) expect(await b.held(id)!.getState()).toBe(`of ${id}`);
  await expect(leases[0]!.setState('late')).rejects.toMatchObject({ code: 'ERR_SESSION_LOST' });
});

it('a session goes on where its slot has moved to', async () => {
  const a = await nodeOf();
  const lease = (await a.claim('chat'))!;
  await lease.setState('before');
  const slot = await slotOf(keys.session('chat'));
  const from = masterOf(slot);
  const to = cluster.nodes.find((node) => node !== from)!;
  await cluster.migrate(slot, from, to);
  const { incarnation } = a;
  // One that was refused was not written; then the servers are asked anew where everything is.
  await expect
    .poll(() =>
      lease.setState('after').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  expect(await lease.getState()).toBe('after');
  expect(a.incarnation).toBe(incarnation);
  await cluster.migrate(slot, to, from);
  await expect.poll(() => lease.getState().catch(() => undefined)).toBe('after');
});

it('replicas are asked of the server that has the session', async () => {
  const a = await nodeOf({ wait: 1, timeout: '2s' });
  const claims = await Promise.allSettled(ids.slice(0, 6).map((id) => a.claim(id)));
  for (const claim of claims)
    expect(claim).toMatchObject({
      reason: { message: expect.stringMatching(/Expected 1 replicas .* got 0/) },
    });
});

it('a master that is away is an outage: leases run out, and nodes join again by themselves', async () => {
  const a = await nodeOf({ ttl: '2s', timeout: '1s' });
  const lease = (await a.claim('chat'))!;
  const { incarnation } = a;
  const slotOfNodes = await slotOf(keys.living[0]);
  // Not the one that knows who is alive.
  const other = cluster.nodes.find((node) => node !== masterOf(slotOfNodes))!;
  other.pause();
  await expect.poll(() => lease.signal.aborted).toBe(true);
  other.resume();
  await expect.poll(() => a.incarnation).toBeDefined();
  expect(a.incarnation).not.toBe(incarnation);
});
