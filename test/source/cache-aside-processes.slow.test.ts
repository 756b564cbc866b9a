/** Records of a database behind the caches of several live processes, one of which writes. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import { buildScript, Child, killChildren, makeWorkFolder, wait } from '../helper/child-process.js';
import { isLong } from '../helper/form.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';
import { openCache, type Places, recordsOf, times } from './updating.js';

let work: string;
let script: string;
let redis: RedisServer;
let runs = 0;
const opened: CacheManager[] = [];
beforeAll(async () => {
  work = makeWorkFolder('cache-aside-processes');
  script = await buildScript(fileURLToPath(new URL('updating.ts', import.meta.url)), join(work, 'built'));
  redis = await RedisServer.start();
});
afterEach(async () => {
  await killChildren();
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
});
afterAll(async () => {
  await redis.remove();
  await stopServers();
  rmSync(work, { recursive: true, force: true });
});

/** Within which a process hears of what another has written, in ms: its next pull, or heartbeat, deadline and delivery. */
const bound = Math.max(times.syncInterval, times.heartbeat + times.remoteTimeout) + 500;

describe.each(['a folder', 'Redis', 'Redis, each with a folder'] as const)('sharing %s', (shared) => {
  /** A database with an old record, a process that is about to update it, and this one, which reads it. */
  async function begin() {
    const number = ++runs;
    const run = join(work, `${number}`);
    const database = `${run}.json`;
    writeFileSync(database, '"old"');
    const places = (own: string): Places => ({
      ...(shared !== 'Redis' && { folder: shared === 'a folder' ? run : `${run}-${own}` }),
      isFolderShared: shared === 'a folder',
      ...(shared !== 'a folder' && { redis: { url: redis.url, prefix: `run-${number}` } }),
    });
    const child = new Child({ script, args: [JSON.stringify(places('writer')), database] });
    await child.next('ready');
    const open = async () => {
      const cache = await openCache(places('reader'));
      opened.push(cache);
      return recordsOf(cache, database);
    };
    const settings = await open();
    const current = () => JSON.parse(readFileSync(database, 'utf8')) as string;
    return { child, settings, current };
  }

  it('others have nothing old once they have heard of an update', async () => {
    const { child, settings } = await begin();
    expect(await settings.get('ada')).toBe('old');
    const reads: { readonly began: number; readonly version: number }[] = [];
    let isOver = false;
    const reading = (async () => {
      while (!isOver) {
        const began = Date.now();
        reads.push({ began, version: Number(await settings.get('ada')) });
        await wait(2);
      }
    })();
    const ends: number[] = [];
    for (let version = 0; version < 3; version++) {
      child.send(`${version}`);
      ends.push(Number((await child.next('updated'))[1]));
      await wait(bound + 100);
    }
    isOver = true;
    await reading;
    const late = reads.filter(({ began, version }) =>
      ends.some((end, newer) => began > end + bound && !(version >= newer)),
    );
    expect(late).toEqual([]);
    expect(reads.at(-1)?.version).toBe(2);
  });

  /** What is left of a writer that is killed at a step, to who reads at each step from `first` up to it. */
  async function tryStep(last: string, first: string) {
    const { child, settings, current } = await begin();
    if (first === 'before') expect(await settings.get('ada')).toBe('old');
    child.send('step by step');
    let isReading = first === 'before';
    for (const step of steps) {
      isReading ||= step === first;
      expect(await child.next('at')).toEqual(['at', step]);
      // It has what the database has, or has not heard of the update yet.
      if (isReading) expect(['old', current()]).toContain(await settings.get('ada'));
      if (step === last) break;
      child.send('');
    }
    await child.kill();
    const read = async () => {
      const found = [await settings.get('ada'), await settings.get('ada')];
      expect({ first, last, found }).toEqual({ first, last, found: [current(), current()] });
    };
    await wait(bound);
    await read();
    // Its token has lapsed: records are cached again.
    await wait(2_000);
    await read();
  }

  it('a writer that is killed at any step leaves nothing old, from whichever step on others read', async () => {
    // A folder that is shared has no log to tell of an update: there it matters most when others begin to read.
    const firsts = isLong || shared === 'a folder' ? ['before', 'voiding', 'voided'] : ['voided'];
    for (const first of firsts) {
      const lasts = steps.slice(Math.max(0, steps.indexOf(first)));
      await Promise.all(lasts.map((last) => tryStep(last, first)));
    }
  });
});

const steps = ['held', 'voiding', 'voided', 'stored', 'voided again', 'let go'];
