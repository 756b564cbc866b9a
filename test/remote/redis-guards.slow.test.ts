/** What keeps machines from wrong answers, each thing alone: `chaos/mutants.ts` names what shows that it is missing. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import { wait } from '../helper/child-process.js';
import { gate as makeGate } from '../helper/gate.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { RedisProxy } from '../helper/redis-proxy.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

let server: RedisServer;
beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  await closeMachines();
  await server.remove();
});
afterAll(stopServers);

const keyOf = (cache: CacheManager, params: unknown) => {
  const key = cache.key('search', params);
  return `toolstash:{${key.slice(0, 2)}}:${key}`;
};

/** A load whose tool has begun, and ends when the gate is opened. */
async function beginLoad(cache: CacheManager, params: unknown, end: () => string = () => 'late') {
  const [begun, gate] = [makeGate(), makeGate()];
  const load = cache.getOrSet('search', params, async () => {
    begun.open();
    await gate.promise;
    return end();
  });
  load.catch(() => undefined);
  await begun.promise;
  return { load, gate };
}

/** Resolves once a machine has heard of all that another has changed. */
async function heard(far: CacheManager, near: CacheManager): Promise<void> {
  await near.set('search', 'heard', 1);
  await near.flush();
  expect(await far.get('search', 'heard')).toBe(1);
  await near.delete('search', 'heard');
  await near.flush();
  await expect.poll(() => far.peek('search', 'heard')).toBeUndefined();
}

it.each([
  ['sets', 'new'],
  ['deletes', undefined],
])('stores nothing over what another machine %s meanwhile, of which it hears late', async (kind, right) => {
  const proxy = await RedisProxy.before(server.port);
  const through = { url: `redis://127.0.0.1:${proxy.port}`, heartbeat: '30s' } as const;
  const [far, near] = [await openMachine(server, {}, through), await openMachine(server)];
  proxy.messageDelay = 5_000;
  const { load, gate } = await beginLoad(far, 1);
  if (kind === 'sets') await near.set('search', 1, 'new');
  else await near.delete('search', 1);
  await near.flush();
  gate.open();
  expect(await load).toBe('late');
  await far.flush();
  const third = await openMachine(server);
  expect(await third.get('search', 1)).toBe(right);
  await closeMachines();
  await proxy.close();
});

const stampOfLater = () => `${String((Date.now() + 1_000) * 1_000).padStart(16, '0')}${'a'.repeat(16)}`;

/** A deletion in the log of which no message tells. @param change how that is said there */
async function deleteInSilence(
  cache: CacheManager,
  params: unknown,
  change = `d${stampOfLater()}${cache.key('search', params)}search`,
): Promise<void> {
  const reply = await server.command('XADD', 'toolstash:{all}:log', '*', 'c', change);
  const [, id = ''] = reply.split('\r\n');
  await server.command('HSET', 'toolstash:{all}:state', 'log', id);
  await server.command('DEL', keyOf(cache, params));
}

it('reads from the log what no message has said, once the next one comes', async () => {
  const rare = { heartbeat: '1h' } as const;
  const [far, near] = [await openMachine(server, {}, rare), await openMachine(server)];
  await near.set('search', 1, 'old');
  await near.flush();
  expect(await far.get('search', 1)).toBe('old');
  await deleteInSilence(far, 1);
  expect(await far.get('search', 1)).toBe('old');
  await heard(far, near);
  expect(await far.get('search', 1)).toBeUndefined();
});

it('reads from the log what no message has said, at the next heartbeat', async () => {
  const far = await openMachine(server);
  await far.set('search', 1, 'old');
  await far.flush();
  await deleteInSilence(far, 1);
  await expect.poll(() => far.get('search', 1)).toBeUndefined();
  expect(far.stats().cacheErrors).toBe(0);
});

it.each([
  ['whose stamp is none', () => 'dnone'],
  ['of another kind', () => `x${stampOfLater()}`],
  ['that clears what is not known here', () => `m${stampOfLater()}xother`],
])('holds nothing for unchanged where the log has a change %s', async (_, change) => {
  const far = await openMachine(server);
  await far.set('search', 1, 'old');
  await far.flush();
  for (let at = 0; at < 3; at += 1) await deleteInSilence(far, 1, change());
  await expect.poll(() => far.get('search', 1)).toBeUndefined();
  await far.set('search', 1, 'new');
  await far.flush();
  expect(far.stats()).toMatchObject({ cacheErrors: 0, remote: { isConnected: true } });
});

it('answers nothing beyond the bound while it reads from the log what no message has said', async () => {
  const proxy = await RedisProxy.before(server.port);
  const url = `redis://127.0.0.1:${proxy.port}`;
  const far = await openMachine(server, {}, { url, heartbeat: 100, remoteTimeout: 500 });
  await far.set('search', 1, 'old');
  await far.flush();
  proxy.answerDelay = 2_500;
  await deleteInSilence(far, 1);
  // The bound is 100 + 500 + 400 ms.
  await wait(1_300);
  expect(far.peek('search', 1)).toBeUndefined();
  proxy.answerDelay = 0;
  await closeMachines();
  await proxy.close();
});

it('keeps nothing in memory when Redis was emptied, though nobody changes anything', async () => {
  const far = await openMachine(server);
  await far.set('search', 1, 'old');
  await far.flush();
  await server.command('FLUSHALL');
  await expect.poll(() => far.get('search', 1)).toBeUndefined();
});

it('keeps nothing of a load without a lease whose key another machine has changed', async () => {
  const [far, near] = [await openMachine(server), await openMachine(server)];
  // What is not ours is left there, and nobody has a lease on it.
  await server.command('LPUSH', keyOf(far, 1), 'foreign');
  const { load, gate } = await beginLoad(far, 1);
  await near.delete('search', 1);
  await near.flush();
  await heard(far, near);
  gate.open();
  expect(await load).toBe('late');
  expect(far.peek('search', 1)).toBeUndefined();
});

it('gives back no turn that another machine has by then', async () => {
  const [far, near] = [await openMachine(server), await openMachine(server)];
  const failed = await beginLoad(far, 1, () => {
    throw new Error('none');
  });
  await server.command('DEL', keyOf(far, 1));
  const stored = await beginLoad(near, 1, () => 'stored');
  failed.gate.open();
  await expect(failed.load).rejects.toThrow('none');
  // What it sends afterwards comes afterwards.
  await far.get('search', 2);
  stored.gate.open();
  await stored.load;
  await near.flush();
  expect(await (await openMachine(server)).get('search', 1)).toBe('stored');
});

it('answers nothing from disk that another machine has changed', async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-guards-'));
  const [far, near] = [
    await openMachine(server, { persist: true, persistDir, maxSize: 1 }),
    await openMachine(server),
  ];
  for (const n of [1, 2]) await far.set('search', n, 'old');
  await far.flush();
  await near.delete('search', 1);
  await near.flush();
  await heard(far, near);
  expect(await far.get('search', 1)).toBeUndefined();
  expect(await far.get('search', 2)).toBe('old');
  await closeMachines();
  rmSync(persistDir, { recursive: true, force: true });
});
