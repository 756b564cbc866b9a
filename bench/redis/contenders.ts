/** Caches on one Redis, and a bare client that does as much as must be: a GET as Buffers, a checksum, and decoding. */

import { crc32 } from 'node:zlib';
import KeyvRedis from '@keyv/redis';
import { createCache as createDedupeCache } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis';
import { Cacheable } from 'cacheable';
import { Redis } from 'ioredis';
import Keyv from 'keyv';
import { Unpackr } from 'msgpackr';
import { createClient } from 'redis';
import { CacheManager, hashKey } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';

/** What is cached: a text of 1 KB for each number. */
export type Tool = (n: number) => Promise<string>;

/** One way to have results in Redis. */
export interface RedisContender {
  readonly name: string;
  call(n: number): Promise<string>;
  /** Resolves once what was called lies in Redis. */
  stored(): Promise<unknown>;
  many?(numbers: readonly number[]): Promise<unknown[]>;
  close(): Promise<unknown>;
}

const method = 'search';
const bodyStart = 62;
const nothing = () => Promise.resolve();

/** Where the values of ours lie. */
function nameOf(n: number): string {
  const key = hashKey(method, n);
  return `toolstash:{${key.slice(0, 2)}}:${key}`;
}

/** What reads the values that ours have stored, with nothing around it. */
export async function bareClient(url: string): Promise<RedisContender> {
  const client = createClient({ url, RESP: 2 });
  await client.connect();
  const unpackr = new Unpackr({ useRecords: false });
  const asBuffers = { typeMapping: { 36: Buffer } };
  const decode = (bytes: Buffer): string => {
    const body = bytes.subarray(bodyStart);
    if (crc32(body, crc32(bytes.subarray(0, 18))) !== bytes.readUInt32BE(58)) throw new Error('Damaged');
    return unpackr.unpack(body).result;
  };
  const names = new Map<number, string>();
  const known = (n: number) => {
    const name = names.get(n) ?? nameOf(n);
    names.set(n, name);
    return name;
  };
  return {
    name: 'bare client',
    call: async (n) => decode((await client.sendCommand(['GET', known(n)], asBuffers)) as unknown as Buffer),
    many: async (numbers) => {
      const found = await client.sendCommand(['MGET', ...numbers.map(known)], asBuffers);
      return (found as unknown as Buffer[]).map(decode);
    },
    stored: nothing,
    close: () => client.close(),
  };
}

/** Ours; without memory it holds 64 entries, of the 2,000 that are asked for in turn: every hit is from Redis. */
export async function toolstash(url: string, tool: Tool, hasMemory: boolean): Promise<RedisContender> {
  const remote = redis({ url, remoteTimeout: '10s' });
  const cache = await CacheManager.open({ remote, maxSize: hasMemory ? 10_000 : 64 });
  return {
    name: 'toolstash',
    call: (n) => cache.getOrSet(method, n, () => tool(n)),
    many: (numbers) => cache.getMany(method, [...numbers]),
    stored: () => cache.flush(),
    close: () => cache.close(),
  };
}

export function bentocache(url: string, tool: Tool, hasMemory: boolean): RedisContender {
  const connection = new Redis(url);
  const remote = bentostore().useL2Layer(redisDriver({ connection }));
  const store = hasMemory
    ? bentostore()
        .useL1Layer(memoryDriver({ maxItems: 10_000 }))
        .useL2Layer(redisDriver({ connection }))
        .useBus(redisBusDriver({ connection: { host: '127.0.0.1', port: Number(new URL(url).port) } }))
    : remote;
  const cache = new BentoCache({ default: 'remote', stores: { remote: store } });
  return {
    name: 'bentocache',
    call: (n) => cache.getOrSet({ key: `${method}:${n}`, factory: () => tool(n), ttl: '1h' }),
    stored: nothing,
    close: () => cache.disconnectAll(),
  };
}

export function cacheable(url: string, tool: Tool): RedisContender {
  const cache = new Cacheable({ primary: new Keyv({ store: new KeyvRedis(url) }) });
  return {
    name: 'cacheable, @keyv/redis',
    call: async (n) => (await cache.getOrSet(`${method}:${n}`, () => tool(n), { ttl: '1h' })) as string,
    stored: nothing,
    close: () => cache.disconnect(),
  };
}

export function asyncCacheDedupe(url: string, tool: Tool): RedisContender {
  const client = new Redis(url);
  const cache = createDedupeCache({ ttl: 3600, storage: { type: 'redis', options: { client } } });
  const defined = cache.define(method, tool);
  return {
    name: 'async-cache-dedupe',
    call: (n) => defined.search(n) as Promise<string>,
    stored: nothing,
    close: () => client.quit(),
  };
}
