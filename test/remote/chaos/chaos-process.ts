/**
 * One machine of a chaos run: `chaos-process.js <port> <truth port> <number> <of> <seed> <folder>`. It reads and changes keys until it
 * is told to stop, and tells each read, and each change once Redis has acknowledged it, with the monotonic time.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'redis';
import { CacheManager } from '../../../src/index.js';
import { redis } from '../../../src/redis/index.js';

const [port = '', truthPort = '', number = '', of = '', seed = '', persistDir = ''] = process.argv.slice(2);
export const keys = 1_000;
const [own, machines] = [Number(number), Number(of)];
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const tell = (...message: unknown[]) => process.stdout.write(`${JSON.stringify(message)}\n`);
process.on('unhandledRejection', (error) => tell('unhandled', String(error)));

let input = '';
process.stdin.on('data', (bytes) => {
  input += String(bytes);
});

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
  const remote = redis({
    url: `redis://127.0.0.1:${port}`,
    remoteTimeout: 100,
    heartbeat: 200,
    waitTimeout: 1_000,
  });
  const cache = new CacheManager({ remote, persist: true, persistDir, maxSize: 200, flushInterval: 100 });
  cache.on('error', () => undefined);
  const hits = { memory: 0, disk: 0, remote: 0, recording: 0 };
  cache.on('hit', ({ tier }) => {
    hits[tier] += 1;
  });
  const versionOf = async (key: number) => Number((await truth.get(`v${key}`)) ?? 0);
  let [isOver, changes, reads] = [false, 0, 0];
  let waiting: [key: number, version: number][] = [];

  async function read(): Promise<void> {
    // Some keys are asked for much more often than others.
    const key = Math.floor(random() ** 3 * keys);
    const began = now();
    const late = wait(20_000, undefined, { ref: false }).then(() => 'hung');
    const load = async () => {
      const version = await versionOf(key);
      await wait(random() * 20);
      return version;
    };
    const version = await Promise.race([cache.getOrSet('search', key, load, { tags: [`t${key}`] }), late]);
    reads += 1;
    if (version === 'hung') tell('hung', key);
    else tell('read', key, version, began);
  }

  async function change(): Promise<void> {
    // Each key is changed by one machine, in turn: who comes second would be no fault of the cache.
    const key = Math.floor(random() ** 3 * (keys / machines)) * machines + own;
    const version = await truth.incr(`v${key}`);
    const kind = random();
    if (kind < 0.5) await cache.delete('search', key);
    else if (kind < 0.75) await cache.invalidateTags([`t${key}`]);
    else await cache.set('search', key, version, { tags: [`t${key}`] });
    changes += 1;
    waiting.push([key, version]);
  }

  async function acknowledge(): Promise<void> {
    while (!isOver) {
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
  }

  const worker = async (task: () => Promise<void>, pauseMs: number) => {
    while (!isOver) {
      await task();
      if (pauseMs > 0 || reads % 20 === 0) await wait(random() * pauseMs);
    }
  };
  await cache.open().catch(() => undefined);
  const work = [...Array.from({ length: 8 }, () => worker(read, 4)), worker(change, 15), acknowledge()];
  tell('ready');
  await said('stop');
  isOver = true;
  await Promise.all(work);
  // What is answered once all is quiet again.
  for (let tries = 0; tries < 200; tries += 1) {
    const isWell = await cache
      .open()
      .then(() => cache.flush())
      .then(
        () => true,
        () => false,
      );
    if (isWell) break;
    await wait(100);
  }
  tell('counts', { ...hits, changes, reads });
  await said('final');
  for (let key = 0; key < keys; key += 1) {
    const version = await cache.getOrSet('search', key, () => versionOf(key), { tags: [`t${key}`] });
    tell('final', key, version, await versionOf(key));
  }
  await cache.close().catch(() => undefined);
  truth.destroy();
  process.stdin.destroy();
  tell('ended');
}

void main();
