/** What guards cost on a plain hit: all of them on, none, and peers with theirs on and off. */

import { isDeepStrictEqual } from 'node:util';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { Cacheable, createKeyv } from 'cacheable';
import { BloomFilter, CacheManager, type CacheOptions } from '../../src/index.js';
import { named, printTable, timingCells, timingHead } from '../report.js';
import { cpuTime, type Runner, runRounds } from '../rounds.js';
import { type Random, type SearchArgs, searchArgs, searchResult, uniformNumbers } from '../workloads.js';

interface Contender {
  readonly name: string;
  call(args: SearchArgs): Promise<unknown>;
  close(): Promise<unknown>;
}

const distinctCalls = 1000;
const baselineName = 'toolstash, no guard';
const jsonKey = (args: SearchArgs) => JSON.stringify(args);
const tool = async (args: SearchArgs) => searchResult(Number(args.customer.slice(2)));

/** All of them, with windows so long that every call is a plain hit. */
function allGuards(): CacheOptions {
  const knownKeys = new BloomFilter({ capacity: 10_000 });
  const naming = new CacheManager();
  for (let n = 0; n < distinctCalls; n++) knownKeys.add(naming.key('search', searchArgs(n)));
  return {
    ttl: '1h',
    staleWhileRevalidate: '1h',
    staleIfError: '1d',
    refreshAhead: true,
    jitter: 0.1,
    memoryTtl: '50m',
    negativeTtl: '1m',
    knownKeys,
    cacheErrors: () => '1m',
    isError: (value) => value === undefined,
    softTimeout: '1s',
    hardTimeout: '30s',
    concurrency: 100,
    circuitBreaker: true,
    tags: ['search'],
  };
}

function toolstash(name: string, options: CacheOptions): Contender {
  const cache = new CacheManager(options);
  return {
    name,
    call: (args) => cache.getOrSet('search', args, () => tool(args)),
    close: () => cache.close(),
  };
}

function bentocache(name: string, guards: object): Contender {
  const layer = memoryDriver({ maxItems: 10_000 });
  const cache = new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(layer) } });
  return {
    name,
    call: (args) => cache.getOrSet({ key: jsonKey(args), ttl: '1h', ...guards, factory: () => tool(args) }),
    close: () => cache.disconnectAll(),
  };
}

function cacheable(name: string, guards: object): Contender {
  const cache = new Cacheable({ primary: createKeyv({ lruSize: 10_000 }), ttl: '1h' });
  return {
    name,
    call: (args) => cache.getOrSet(jsonKey(args), () => tool(args), guards),
    close: () => cache.disconnect(),
  };
}

/** Times hits on a thousand different calls, all of them answered from memory. */
export async function benchPipeline({
  isQuick,
  random,
}: {
  readonly isQuick: boolean;
  readonly random: Random;
}): Promise<void> {
  const contenders = [
    toolstash(baselineName, { ttl: '1h' }),
    toolstash('toolstash, every guard', allGuards()),
    toolstash('toolstash, every guard, sliding', { ...allGuards(), sliding: true, maxAge: '2h' }),
    bentocache('bentocache, no guard', {}),
    bentocache('bentocache, grace, timeouts, tags', {
      ...{ grace: '1d', timeout: '1s', hardTimeout: '30s', tags: ['search'] },
    }),
    cacheable('cacheable, no guard', {}),
    cacheable('cacheable, cacheErrors', { cacheErrors: true }),
  ];
  for (const { name, call } of contenders) {
    for (let n = 0; n < 2 * distinctCalls; n++) {
      const answer = await call(searchArgs(n % distinctCalls));
      if (!isDeepStrictEqual(answer, searchResult(n % distinctCalls)))
        throw new Error(`${name}: wrong answer`);
    }
  }
  const callsARound = isQuick ? 1000 : 10_000;
  const runners = contenders.map(
    ({ name, call }): Runner => ({
      name,
      async run() {
        const asked = Array.from(uniformNumbers(callsARound, distinctCalls, random), searchArgs);
        const started = cpuTime();
        for (const args of asked) await call(args);
        return (cpuTime() - started) / callsARound;
      },
    }),
  );
  const samples = await runRounds({ runners, rounds: isQuick ? 3 : 21, warmUps: isQuick ? 1 : 4, random });
  const baseline = named(samples, baselineName);
  printTable({
    title: 'The pipeline on a plain hit',
    note: 'An argument of 5 fields, some nested; 1000 different calls; a result of about 300 bytes, copied at each hit.',
    head: ['contender', ...timingHead(baselineName)],
    rows: samples.map((each) => [each.name, ...timingCells(each, baseline)]),
  });
  for (const { close } of contenders) await close();
}
