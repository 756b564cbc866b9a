/** Caches around an asynchronous tool: ours and the peers, each with a key that tells the whole argument apart. */

import { cachified } from '@epic-web/cachified';
import { createCache as createDedupeCache } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache as createCacheManager } from 'cache-manager';
import { Cacheable, createKeyv } from 'cacheable';
import Keyv from 'keyv';
import { LRUCache } from 'lru-cache';
import pMemoize from 'p-memoize';
import QuickLRU from 'quick-lru';
import { CacheManager } from '../../src/index.js';
import type { SearchArgs, SearchResult } from '../workloads.js';

/** The tool that is cached. */
export type Tool = (args: SearchArgs) => Promise<SearchResult>;

/** A cached form of the tool. */
export interface CachedTool {
  call(args: SearchArgs): Promise<SearchResult>;
  close?(): Promise<unknown>;
}

/** One way to cache a tool. */
export interface CallContender {
  readonly name: string;
  create(tool: Tool): CachedTool;
}

/** All caches hold at least so many entries: nothing is evicted. */
const capacity = 10_000;

const jsonKey = (args: SearchArgs) => JSON.stringify(args);

/** The contender that `aims` in README.md name: the quickest peer that coalesces. */
export const baselineName = 'lru-cache.fetch';

export const callContenders: readonly CallContender[] = [
  ...(['reference', 'copy'] as const).flatMap((values): CallContender[] => [
    {
      name: `toolstash wrap, ${values}`,
      create(tool) {
        const cache = new CacheManager({ maxSize: capacity, values });
        return { call: cache.wrap(tool, { name: 'search' }), close: () => cache.close() };
      },
    },
    {
      name: `toolstash getOrSet, ${values}`,
      create(tool) {
        const cache = new CacheManager({ maxSize: capacity, values });
        return {
          call: (args) => cache.getOrSet('search', args, () => tool(args)),
          close: () => cache.close(),
        };
      },
    },
    {
      name: `toolstash method().getOrSet, ${values}`,
      create(tool) {
        const cache = new CacheManager({ maxSize: capacity, values });
        const search = cache.method('search');
        return { call: (args) => search.getOrSet(args, () => tool(args)), close: () => cache.close() };
      },
    },
  ]),
  {
    name: 'lru-cache.memo',
    create(tool) {
      // It remembers the promise, a failed one too.
      const cache = new LRUCache<string, Promise<SearchResult>, SearchArgs>({
        max: capacity,
        memoMethod: (_key, _stale, { context }) => tool(context),
      });
      return { call: (args) => cache.memo(jsonKey(args), { context: args }) };
    },
  },
  {
    name: baselineName,
    create(tool) {
      const cache = new LRUCache<string, SearchResult, SearchArgs>({
        max: capacity,
        fetchMethod: (_key, _stale, { context }) => tool(context),
      });
      return { call: (args) => cache.fetch(jsonKey(args), { context: args }) as Promise<SearchResult> };
    },
  },
  {
    name: 'p-memoize',
    create(tool) {
      const cache = new QuickLRU<string, SearchResult>({ maxSize: capacity });
      return { call: pMemoize(tool, { cacheKey: ([args]) => jsonKey(args), cache }) };
    },
  },
  {
    name: 'async-cache-dedupe',
    create(tool) {
      const cache = createDedupeCache({
        ttl: 3600,
        storage: { type: 'memory', options: { size: capacity } },
      }).define('search', { serialize: jsonKey }, tool);
      return { call: (args) => cache.search(args) };
    },
  },
  {
    name: 'cachified',
    create(tool) {
      const cache = new LRUCache<string, object>({ max: capacity });
      return {
        call: (args) =>
          cachified({ key: jsonKey(args), cache: cache as never, getFreshValue: () => tool(args) }),
      };
    },
  },
  ...keyvContenders(),
  ...cacheManagerContenders(),
  ...cacheableContenders(),
  ...bentocacheContenders(),
];

function keyvContenders(): CallContender[] {
  const around = (keyv: Keyv<SearchResult>, tool: Tool): CachedTool => ({
    async call(args) {
      const key = jsonKey(args);
      const known = await keyv.get(key);
      if (known !== undefined) return known;
      const result = await tool(args);
      await keyv.set(key, result);
      return result;
    },
  });
  return [
    { name: 'keyv (get, then set)', create: (tool) => around(new Keyv<SearchResult>(), tool) },
    {
      name: 'keyv (get, then set), no serializer',
      create(tool) {
        const keyv = new Keyv<SearchResult>();
        keyv.serialize = undefined;
        keyv.deserialize = undefined;
        return around(keyv, tool);
      },
    },
  ];
}

function cacheManagerContenders(): CallContender[] {
  const around = (stores: Keyv[], tool: Tool): CachedTool => {
    const cache = createCacheManager({ stores });
    return { call: (args) => cache.wrap(jsonKey(args), () => tool(args)) };
  };
  return [
    { name: 'cache-manager', create: (tool) => around([new Keyv()], tool) },
    {
      name: 'cache-manager, no clone',
      create: (tool) => around([createKeyv({ useClone: false, lruSize: capacity }) as unknown as Keyv], tool),
    },
  ];
}

function cacheableContenders(): CallContender[] {
  const create =
    (useClone: boolean, isWrap: boolean) =>
    (tool: Tool): CachedTool => {
      const cache = new Cacheable({ primary: createKeyv({ useClone, lruSize: capacity }), ttl: '1h' });
      if (isWrap)
        return { call: cache.wrap(tool, { createKey: (_tool, [args]) => jsonKey(args), keyPrefix: 's' }) };
      return { call: (args) => cache.getOrSet(jsonKey(args), () => tool(args)) as Promise<SearchResult> };
    };
  return [
    { name: 'cacheable wrap', create: create(true, true) },
    { name: 'cacheable getOrSet', create: create(true, false) },
    { name: 'cacheable wrap, no clone', create: create(false, true) },
    { name: 'cacheable getOrSet, no clone', create: create(false, false) },
  ];
}

function bentocacheContenders(): CallContender[] {
  const create =
    (serialize: boolean) =>
    (tool: Tool): CachedTool => {
      const layer = memoryDriver({ maxItems: capacity, serialize });
      const cache = new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(layer) } });
      return {
        call: (args) => cache.getOrSet({ key: jsonKey(args), ttl: '1h', factory: () => tool(args) }),
        close: () => cache.disconnectAll(),
      };
    };
  return [
    { name: 'bentocache', create: create(true) },
    { name: 'bentocache, no serializer', create: create(false) },
  ];
}
