/**
 * One machine of a chaos run: `chaos-process.js <redis options> <truth port> <number> <of> <seed> <folder>`. It reads and changes keys until it
 * is told to stop, and tells each read, and each change once Redis has acknowledged it, with the monotonic time.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'redis';
import { CacheManager } from '../../../src/index.js';
import { coreOf } from '../../../src/manager/cache-context.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { type RedisOptions, redis } from '../../../src/redis/index.js';
import type { Remote, RemoteChange } from '../../../src/tier.js';
import { aimedChanges } from './aimed-changes.js';

const [place = '', truthPort = '', number = '', of = '', seed = '', persistDir = ''] = process.argv.slice(2);
export const keys = 1_000;
/** Longer than any deadline, and than waiting for another machine's load. */
const slowMs = 2_000;
const [own, machines] = [Number(number), Number(of)];
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const tell = (...message: unknown[]) => process.stdout.write(`${JSON.stringify(message)}\n`);
process.on('unhandledRejection', (error) => tell('unhandled', String(error)));

let input = '';
process.stdin.on('data', (bytes) => {
  input += String(bytes);
});

/** How often the parent has sent a word. */
const timesSaid = (word: string) => input.split(word).length - 1;

/** Resolves once the parent has sent a word. */
async function said(word: string): Promise<void> {
  while (!input.includes(word)) await wait(20);
}

let state = Number(seed) * 7_919 + own + 1;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

async function main(): Promise<void> {
  // The truth, which nothing happens to: the tool reads it, and who changes a key counts it up first.
  const truth = createClient({ url: `redis://127.0.0.1:${truthPort}` });
  await truth.connect();
  const shared = redis({
    ...(JSON.parse(place) as RedisOptions),
    remoteTimeout: 100,
    heartbeat: 200,
    waitTimeout: 1_000,
  });
  const met = { inMemory: 0, onDisk: 0, overtaken: 0, refused: 0 };
  const loading = new Map<string, number>();
  /** Counts what a change of another machine meets here. */
  const count = (key: string) => {
    const disk = coreOf(cache)?.disk;
    if (cache.peek('search', numbers.get(key)) !== undefined) met.inMemory += 1;
    if (disk instanceof DiskTier && disk.holds(key, 'search')) met.onDisk += 1;
    if ((loading.get(key) ?? 0) > 0) met.overtaken += 1;
  };
  const hear = (change: RemoteChange, writer: string) => {
    if (change.kind === 'unknown' || change.stamp.writer === writer) return;
    if (change.kind === 'key') count(change.key);
    else if (change.kind === 'tag') count(cache.key('search', Number(change.tag.slice(1))));
  };
  const remote: Remote = {
    connect: (wiring) =>
      shared.connect({
        ...wiring,
        onChange: (change) => {
          hear(change, wiring.writer);
          wiring.onChange(change);
        },
        onRefused: (record) => {
          met.refused += 1;
          wiring.onRefused(record);
        },
      }),
  };
  /** Where the last answer of each key came from. */
  const sources = new Map<string, string>();
  const hits = { memory: 0, disk: 0, remote: 0, recording: 0 };
  const begin = () => {
    const begun = new CacheManager({ remote, persist: true, persistDir, maxSize: 50, flushInterval: 100 });
    begun.on('error', () => undefined);
    begun.on('hit', ({ tier, key }) => {
      hits[tier] += 1;
      sources.set(key, tier);
    });
    begun.on('coalesced', ({ key }) => void sources.set(key, 'another call'));
    begun.on('load', ({ key }) => void sources.set(key, 'the tool'));
    return begun;
  };
  let cache = begin();
  const numbers = new Map(Array.from({ length: keys }, (_, key) => [cache.key('search', key), key]));
  const versionOf = async (key: number) => Number((await truth.get(`v${key}`)) ?? 0);
  let [isOver, changes, reads, slowReads, restarts] = [false, 0, 0, 0, 0];
  let waiting: [key: number, version: number][] = [];

  /** Some keys are asked for much more often than others. */
  const anyKey = () => Math.floor(random() ** 3 * keys);
  // Some take longer than a change takes to be heard of: who comes after it must not join them.
  const anyMs = () => (random() < 0.02 ? 1_300 : random() * 20);

  async function read(key = anyKey(), during: () => Promise<unknown> = () => wait(anyMs())): Promise<void> {
    const began = now();
    const late = wait(20_000, undefined, { ref: false }).then(() => 'hung');
    const name = cache.key('search', key);
    const load = async () => {
      loading.set(name, (loading.get(name) ?? 0) + 1);
      try {
        const version = await versionOf(key);
        await during();
        return version;
      } finally {
        loading.set(name, (loading.get(name) ?? 1) - 1);
      }
    };
    const version = await Promise.race([cache.getOrSet('search', key, load, { tags: [`t${key}`] }), late]);
    reads += 1;
    if (now() - began > slowMs) slowReads += 1;
    if (version === 'hung') tell('hung', key);
    else tell('read', key, version, began, `${sources.get(name)} of machine ${own}`);
  }

  /** Each key is changed by one machine: who comes second would be no fault of the cache. */
  const ownKey = () => Math.floor(random() ** 3 * (keys / machines)) * machines + own;

  async function change(key = ownKey(), kind = random()): Promise<void> {
    const version = await truth.incr(`v${key}`);
    if (kind < 0.5) await cache.delete('search', key);
    else if (kind < 0.75) await cache.invalidateTags([`t${key}`]);
    else await cache.set('search', key, version, { tags: [`t${key}`] });
    changes += 1;
    waiting.push([key, version]);
  }

  async function acknowledge(): Promise<void> {
    const sent = waiting;
    waiting = [];
    try {
      if (sent.length > 0) await cache.flush();
      const at = now();
      for (const [key, version] of sent) tell('changed', key, version, at);
    } catch {
      waiting = [...sent, ...waiting];
    }
    await wait(20);
  }

  let [busy, restarting] = [0, Promise.resolve()];

  /** Ends the cache and begins another on its folder, which was away for a while. */
  async function restart(): Promise<void> {
    while (busy > 0) await wait(2);
    // What Redis does not have yet lies in the folder.
    await cache.close().catch(() => undefined);
    await wait(1_000);
    cache = begin();
    await cache.open().catch(() => undefined);
  }

  /** Nothing is done with the cache while it is away. */
  const inTurn =
    <Args extends unknown[]>(task: (...args: Args) => Promise<void>) =>
    async (...args: Args): Promise<void> => {
      await restarting;
      busy += 1;
      await task(...args);
      busy -= 1;
    };

  const worker = async (task: () => Promise<void>, pauseMs: number) => {
    while (!isOver) {
      if (timesSaid('restart') > restarts) {
        restarts += 1;
        restarting = restart();
      }
      await task();
      if (pauseMs > 0 || reads % 20 === 0) await wait(random() * pauseMs);
    }
  };
  await cache.open().catch(() => undefined);
  const aimed = await aimedChanges({
    ...{ own, url: `redis://127.0.0.1:${truthPort}`, from: keys, now },
    read: inTurn(read),
    change: inTurn((key) => change(key, random() * 0.6)),
    flush: inTurn(() => cache.flush().catch(() => undefined)),
  });
  const work = [
    ...Array.from({ length: 6 }, () => worker(inTurn(read), 4)),
    worker(inTurn(change), 15),
    worker(aimed.next, 40),
    worker(inTurn(acknowledge), 0),
  ];
  tell('ready');
  await said('stop');
  isOver = true;
  await Promise.all(work);
  // What is answered once all is quiet again.
  let isWell = false;
  for (let tries = 0; tries < 200 && !isWell; tries += 1) {
    isWell = await cache
      .open()
      .then(() => cache.flush())
      .then(
        () => true,
        () => false,
      );
    if (!isWell) await wait(100);
  }
  if (!isWell) tell('unwell', cache.stats().remote);
  tell('counts', { ...hits, ...met, changes, reads, slowReads, restarts });
  await said('final');
  for (let key = 0; key < keys; key += 1) {
    const version = await cache.getOrSet('search', key, () => versionOf(key), { tags: [`t${key}`] });
    tell('final', key, version, await versionOf(key));
  }
  await cache.close().catch(() => undefined);
  truth.destroy();
  aimed.end();
  process.stdin.destroy();
  tell('ended');
}

void main();
