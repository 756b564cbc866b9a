import { afterAll, beforeAll, describe, it } from 'vitest';
import { redis } from '../../src/redis/index.js';
import { remoteContract } from '../../src/testing/index.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

describe('Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(stopServers);
  const checks = remoteContract((prefix) => redis({ url: server.url, prefix, remoteTimeout: '2s' }));
  for (const { name, run } of checks) it(name, run);
});
