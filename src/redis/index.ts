/** Redis as a tier that many machines share. */

export type {
  RedisClientLike,
  RedisClusterOptions,
  RedisOptions,
  RedisSentinelOptions,
} from '../remote/redis-options.js';
export { redis } from '../remote/redis-remote.js';
