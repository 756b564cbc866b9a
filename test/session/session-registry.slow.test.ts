/** Sessions of several nodes in one process, on a real Redis. */

import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SessionOptions, SessionRegistry, type SessionTypes } from '../../src/session/index.js';
import { connectionMember, SessionKeys } from '../../src/session/session-keys.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { closeNodes, openNode } from './nodes.js';

let server: RedisServer;

const nodeOf = <T extends SessionTypes>(options: SessionOptions<T> = {}) =>
  openNode<T>({ url: server.url, ...options });

beforeEach(async () => {
  server ??= await RedisServer.start();
  await server.command('FLUSHALL');
});
afterEach(closeNodes);
afterAll(stopServers);

describe('a claim', () => {
  it('gives a session to one of many that want it, and says who has it', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((node) => nodeOf({ node })));
    const leases = await Promise.all(nodes.map((each) => each.claim('chat')));
    const [lease] = leases.filter((each) => each !== undefined);
    expect(leases.filter((each) => each !== undefined)).toHaveLength(1);
    expect(lease!.fence).toBeGreaterThan(1_000_000 * 1_700_000_000);
    expect(await nodes[0]!.owner('chat')).toMatchObject({
      id: 'chat',
      fence: lease!.fence,
      incarnation: lease!.incarnation,
      isAlive: true,
    });
    expect(await nodes[0]!.owner('another')).toBeUndefined();
  });

  it('is free again once it was released, with a higher number and the state that was left', async () => {
    const [a, b] = [await nodeOf<{ state: { turn: Map<string, number> } }>({ node: 'a' }), await nodeOf()];
    const first = (await a.claim('chat'))!;
    expect(await a.claim('chat')).toBeUndefined();
    expect(a.held('chat')).toBe(first);
    expect(await first.getState()).toBeUndefined();
    await first.setState({ turn: new Map([['x', 1]]) });
    await Promise.all([first.release(), first.release()]);
    expect(first.signal.reason).toMatchObject({ code: 'ERR_SESSION_LOST' });
    await expect(first.setState({ turn: new Map() })).rejects.toMatchObject({ code: 'ERR_SESSION_LOST' });
    const second = (await b.claim('chat'))!;
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await second.getState()).toEqual({ turn: new Map([['x', 1]]) });
    await first.release();
    expect(second.isHeld).toBe(true);
    await second.release({ keepState: false });
    expect(await (await a.claim('chat'))!.getState()).toBeUndefined();
  });
});

describe('the limit of a user', () => {
  it('holds under 200 simultaneous claims, from several nodes', async () => {
    const nodes = await Promise.all([nodeOf(), nodeOf(), nodeOf()]);
    const claims = Array.from({ length: 200 }, (_, at) =>
      nodes[at % 3]!.claim(`chat ${at}`, { user: 'ann', limit: 7 }),
    );
    const outcomes = await Promise.allSettled(claims);
    const refused = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(refused).toHaveLength(193);
    expect(refused[0]).toMatchObject({ code: 'ERR_SESSION_LIMIT', limit: 7 });
    expect(await nodes[0]!.count('ann')).toBe(7);
    const listed = [];
    for await (const each of nodes[1]!.list({ user: 'ann' })) listed.push(each.id);
    expect(listed).toHaveLength(7);
    const [lease] = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value!] : []));
    await lease!.release();
    expect(await nodes[0]!.count('ann')).toBe(6);
    expect(await nodes[0]!.claim('one more', { user: 'ann', limit: 7 })).toBeDefined();
    expect(await nodes[0]!.claim(lease!.id, { user: 'ben', limit: 7 })).toBeDefined();
    expect(await nodes[1]!.count('ben')).toBe(1);
  });

  it('counts a session that somebody else holds for nobody', async () => {
    const [a, b] = [await nodeOf(), await nodeOf()];
    await a.claim('chat');
    expect(await b.claim('chat', { user: 'ann', limit: 1 })).toBeUndefined();
    expect(await b.claim('another', { user: 'ann', limit: 1 })).toBeDefined();
  });

  it('finds the places that a crash has left without a session, and keeps those of claims under way', async () => {
    const now = Date.now() * 1_000;
    const a = await nodeOf({ serverTime: () => now });
    // As a node leaves them that dies between taking the place and claiming the session.
    const place = `toolstash-sessions:{${new SessionKeys({ prefix: 'x', database: 0, shards: 16 }).shardOf('ann')}}:user:ann`;
    await server.command('HSET', place, 'never claimed', `${now} another.1`);
    await expect(a.claim('chat', { user: 'ann', limit: 1 })).rejects.toMatchObject({
      code: 'ERR_SESSION_LIMIT',
    });
    expect(await a.count('ann')).toBe(0);
    await server.command('HSET', place, 'never claimed', `${now - 60_000_000} another.1`);
    expect(await a.claim('chat', { user: 'ann', limit: 1 })).toBeDefined();
  });

  it('gets a place back that another has meanwhile wanted, and one that the clock has left in the future', async () => {
    const now = Date.now() * 1_000;
    const [a, b] = [await nodeOf({ serverTime: () => now }), await nodeOf({ serverTime: () => now })];
    const lease = (await a.claim('chat', { user: 'ann', limit: 1 }))!;
    expect(await b.claim('chat', { user: 'ann', limit: 1 })).toBeUndefined();
    await lease.release();
    const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });
    expect(await server.command('EXISTS', keys.user('ann'))).toContain(':0');
    await server.command('HSET', keys.user('ann'), 'never claimed', `${now + 3_600_000_000} another.1`);
    expect(await a.claim('chat', { user: 'ann', limit: 1 })).toBeDefined();
  });
});

describe('connections', () => {
  it('are registered under a session that another holds, as many as there may be, while their node is alive', async () => {
    const [a, b, c] = [await nodeOf({ node: 'a' }), await nodeOf({ node: 'b' }), await nodeOf({ node: 'c' })];
    await a.claim('chat');
    const first = await b.connect('chat', { id: 'phone', limit: 2 });
    await c.connect('chat', { limit: 2 });
    const refused = await b.connect('chat', { limit: 2 }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'ERR_SESSION_LIMIT', limit: 2 });
    expect((await a.connections('chat')).map(({ node }) => node).sort()).toEqual(['b', 'c']);
    await c.close();
    await expect.poll(async () => (await a.connections('chat')).map(({ id }) => id)).toEqual(['phone']);
    const moved = await a.connect('chat', { id: 'phone', limit: 2 });
    await first.close();
    expect((await a.connections('chat')).map(({ node }) => node)).toEqual(['a']);
    await Promise.all([moved.close(), moved.close()]);
    expect(moved.signal.aborted).toBe(true);
    expect(await a.connections('chat')).toEqual([]);
  });
});

describe('a connection that was replaced', () => {
  const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });
  const heldBy = (incarnation: string) => keys.heldBy(keys.shardOf('chat'), incarnation);

  it('takes nothing from the one in its place, though both are of one node', async () => {
    const a = await nodeOf();
    const first = await a.connect('chat', { id: 'phone' });
    const coming = a.connect('chat', { id: 'phone' });
    await first.close();
    const second = await coming;
    expect(await a.connections('chat')).toHaveLength(1);
    expect(await server.command('ZCARD', heldBy(a.incarnation!))).toContain(':1');
    expect(second.signal.aborted).toBe(false);
  });

  it('takes nothing from the one in its place as its dead node is seen to', async () => {
    const a = await nodeOf({ adopt: () => undefined });
    const member = connectionMember('chat', 'phone');
    await server.command('HSET', keys.connections('chat'), 'phone', 'ghost.1 17 ghost');
    await server.command('ZADD', heldBy('ghost.1'), '17', member);
    await a.connect('chat', { id: 'phone' });
    await server.command('ZADD', keys.living[1], '17', 'ghost.1');
    await expect.poll(() => server.command('ZCARD', keys.living[1])).toContain(':0');
    expect(await server.command('EXISTS', heldBy('ghost.1'))).toContain(':0');
    expect(await server.command('ZCARD', heldBy(a.incarnation!))).toContain(':1');
    expect(await a.connections('chat')).toHaveLength(1);
  });
});

describe('what is wrong', () => {
  it.each([
    [{ refresh: '8s' }, /`refresh` to be at most half of `ttl` \(15000 ms\), got `'8s'`/],
    [{ prefix: 'a b' }, /`prefix` to be a text without braces or spaces/],
    [{ shards: 0 }, /`shards` to be an integer from 1 to 4096, got `0`/],
    [{ node: '\ud800' }, /`node` to be a well-formed/],
    [{ adopt: true }, /`adopt` to be a function/],
    [{ tll: 1 }, /Unknown option `tll` of new SessionRegistry\(\): did you mean `ttl`/],
    [{ url: 'http://x:secret@y' }, /^(?!.*secret).*begin with `redis:/],
    [{ cluster: { rootNodes: [] } }, /`cluster.rootNodes` to be a list of at least one/],
    [
      { cluster: { rootNodes: [{ url: 'redis://x' }] }, url: 'redis://y' },
      /one of .*, got `url` and `cluster`/,
    ],
  ])('is refused by its name: %o', (options, message) => {
    expect(() => new SessionRegistry(options as SessionOptions)).toThrow(message as RegExp);
  });

  it('is refused where it is called', async () => {
    const a = await nodeOf();
    await expect(a.claim('')).rejects.toThrow(/Expected a session id to be a well-formed string/);
    await expect(a.claim('a', { limit: 3 })).rejects.toThrow(/`user` with `limit`/);
    await expect(a.claim('a', { owner: 'x' } as object)).rejects.toThrow(/Unknown option `owner` of claim/);
    expect(() => a.on('lost' as 'lapsed', () => undefined)).toThrow(/Unknown event `'lost'`/);
    const lease = (await a.claim('a'))!;
    await expect(lease.setState(() => 1)).rejects.toMatchObject({ code: 'ERR_UNSTORABLE_VALUE' });
    expect(lease.isHeld).toBe(true);
    await a.close();
    await expect(a.claim('b')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });

  it('is noticed where nodes are not set up alike', async () => {
    await nodeOf();
    await expect(nodeOf({ shards: 8 })).rejects.toThrow(/`shards` to be 16, as other nodes/);
  });
});

describe('a node that leaves', () => {
  it('leaves its sessions to one that adopts them, and all hear of it', async () => {
    const adopted: string[] = [];
    const a = await nodeOf({ node: 'a' });
    const b = await nodeOf({ node: 'b', adopt: (lease) => void adopted.push(lease.id) });
    const c = await nodeOf({ node: 'c' });
    const heard: Record<string, string[]> = { b: [], c: [] };
    for (const each of [b, c]) each.on('orphaned', ({ id }) => heard[each.node]!.push(id));
    const ids = Array.from({ length: 250 }, (_, at) => `chat ${at}`);
    const leases = await Promise.all(ids.map((id) => a.claim(id)));
    await leases[0]!.setState('kept');
    await a.close();
    await expect.poll(() => adopted.length).toBe(250);
    await expect
      .poll(() => heard)
      .toEqual({ b: expect.arrayContaining(ids), c: expect.arrayContaining(ids) });
    expect(new Set(adopted)).toEqual(new Set(ids));
    expect(await b.held('chat 0')!.getState()).toBe('kept');
    const listed: string[] = [];
    for await (const { id, node, isAlive } of c.list({ node: 'b' }))
      if (node === 'b' && isAlive) listed.push(id);
    expect(new Set(listed)).toEqual(new Set(ids));
  });

  it('leaves them to one that adopts and is slow, though others do not', async () => {
    const proxy = await RedisProxy.before(server.port);
    const adopted = new Set<string>();
    const a = await nodeOf({ node: 'a' });
    const b = await nodeOf({
      url: `redis://127.0.0.1:${proxy.port}`,
      adopt: (lease) => void adopted.add(lease.id),
    });
    const c = await nodeOf({ node: 'c' });
    const heard: (string | undefined)[] = [];
    c.on('orphaned', ({ takenBy }) => void heard.push(takenBy));
    await Promise.all(Array.from({ length: 250 }, (_, at) => a.claim(`chat ${at}`)));
    proxy.mode = 'slow';
    await a.close();
    await expect.poll(() => adopted.size).toBe(250);
    await expect.poll(() => heard).toHaveLength(250);
    expect(new Set(heard)).toEqual(new Set([b.node]));
    proxy.mode = 'open';
    await b.close();
    await proxy.close();
  });

  it('leaves them to nobody where too few replicas would know of it', async () => {
    const a = await nodeOf({ node: 'a' });
    await a.claim('chat');
    const adopted: string[] = [];
    const b = await nodeOf({ wait: 1, timeout: '1s', adopt: ({ id }) => void adopted.push(id) });
    const errors: string[] = [];
    b.on('error', ({ message }) => void errors.push(message));
    await a.close();
    await expect.poll(() => errors).toContainEqual(expect.stringMatching(/Expected 1 replicas/));
    expect(adopted).toEqual([]);
  });

  it('is seen to though more have died before than are told of at a time', async () => {
    const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });
    const now = Date.now() * 1_000;
    const dead = (at: number) => [String(now - 1_000_000 + at), `ghost.${at}`];
    await server.command('ZADD', keys.living[1], ...Array.from({ length: 150 }, (_, at) => dead(at)).flat());
    const number = '17';
    await server.command('HSET', keys.session('chat'), 'i', 'ghost.149', 'f', number, 'n', 'ghost');
    await server.command('ZADD', keys.heldBy(keys.shardOf('chat'), 'ghost.149'), number, 'schat');
    const adopted: string[] = [];
    await nodeOf({ serverTime: () => now, adopt: ({ id }) => void adopted.push(id) });
    await expect.poll(() => adopted).toEqual(['chat']);
  });

  it('claims nothing any more, not even what was on its way', async () => {
    const [a, b] = [await nodeOf(), await nodeOf()];
    const claiming = a.claim('chat', { user: 'ann' }).catch((error: unknown) => error);
    await a.close();
    expect(await b.owner('chat')).toBeUndefined();
    expect(await claiming).toBeInstanceOf(Error);
  });
});

describe('a node of which Redis has lost all', () => {
  it('counts as dead, so that what it has claimed since is seen to', async () => {
    const a = await nodeOf();
    const { incarnation } = a;
    const dead = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 }).living[1];
    await server.command('FLUSHALL');
    await expect.poll(() => server.command('ZSCORE', dead, incarnation!)).toMatch(/\d{16}|e\+15/);
  });
});
