/** What sharing loads with other processes costs a miss that nobody else wants: `node --expose-gc bench/dist/persistence-flights.js` */

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CacheManager } from '../../src/index.js';
import { microseconds, printTable, runLine } from '../report.js';
import { cpuTime, median, type Runner, runRounds, type Samples, settleHeap } from '../rounds.js';
import { seededRandom } from '../workloads.js';

const seed = 1;
const rounds = 9;
/** Misses in a sample. */
const misses = 300;
const work = mkdtempSync(join(tmpdir(), 'toolstash-bench-'));

/** A folder with so many partition files, of as many methods or of the one that is timed. */
async function makeFolder(name: string, files: number, methodOf: (file: number) => string): Promise<string> {
  const folder = join(work, name);
  mkdirSync(folder);
  // Each in a partition of its own.
  const options = {
    persist: true,
    persistDir: folder,
    mode: 'multi',
    partitionBytes: 1,
    flushInterval: '1h',
  } as const;
  const cache = await CacheManager.open({ ...options, consolidateInterval: null });
  for (let file = 0; file < files; file += 1) {
    await cache.set(methodOf(file), `before ${file}`, file);
    await cache.flush();
  }
  await cache.close();
  return folder;
}

const caches: CacheManager[] = [];
let keys = 0;

async function missRunner(name: string, folder: string, shareLoads: boolean): Promise<Runner> {
  const cache = await CacheManager.open({
    ...{
      persist: true,
      persistDir: folder,
      mode: 'multi',
      shareLoads,
      flushInterval: '1h',
      syncInterval: '1h',
    },
    consolidateInterval: null,
  });
  caches.push(cache);
  const flights = join(folder, '.flights');
  return {
    name,
    async run() {
      settleHeap();
      const start = cpuTime();
      for (let miss = 0; miss < misses; miss += 1) {
        keys += 1;
        const key = keys;
        if ((await cache.getOrSet('search', key, () => key)) !== key) throw new Error('A wrong answer');
      }
      await cache.flush();
      // What was handed over is removed in the background.
      while (shareLoads && readdirSync(flights).length > 0) await wait(1);
      const time = (cpuTime() - start) / misses;
      const { loads, cacheErrors } = cache.stats();
      if (loads % misses !== 0 || cacheErrors > 0) throw new Error('Not every call was a miss');
      return time;
    },
  };
}

function emptyFileRunner(folder: string): Runner {
  return {
    name: 'an empty file made and removed',
    async run() {
      settleHeap();
      const start = cpuTime();
      for (let file = 0; file < misses; file += 1) {
        const path = join(folder, `empty-${file}`);
        await (await open(path, 'wx')).close();
        await unlink(path);
      }
      return (cpuTime() - start) / misses;
    },
  };
}

const folders = [
  { name: 'no other files', folder: await makeFolder('none', 0, () => '') },
  {
    name: '1,000 files of other methods',
    folder: await makeFolder('others', 1_000, (file) => `method ${file}`),
  },
  { name: '1,000 files of the method', folder: await makeFolder('same', 1_000, () => 'search') },
];

try {
  const runners: Runner[] = [emptyFileRunner(work)];
  for (const { name, folder } of folders) {
    runners.push(await missRunner(`${name}, alone`, folder, false));
    runners.push(await missRunner(`${name}, shared`, folder, true));
  }
  const samples = await runRounds({ runners, rounds, warmUps: 2, random: seededRandom(seed, 0) });
  const time = (name: string) => median((samples.find((each) => each.name === name) as Samples).nanoseconds);
  const empty = time('an empty file made and removed');
  console.log(runLine(seed));
  printTable({
    title: "A miss that nobody else wants, with `mode: 'multi'`",
    note: `CPU time in µs of all threads, flush included; medians of ${rounds} interleaved rounds of ${misses}. An empty file made and removed: ${microseconds(empty)} µs.`,
    head: ['the folder holds', '`shareLoads: false`', '`shareLoads: true`', 'more', '× an empty file'],
    rows: folders.map(({ name }) => {
      const [alone, shared] = [time(`${name}, alone`), time(`${name}, shared`)];
      return [
        name,
        microseconds(alone),
        microseconds(shared),
        microseconds(shared - alone),
        ((shared - alone) / empty).toFixed(1),
      ];
    }),
  });
} finally {
  for (const cache of caches) await cache.close();
  rmSync(work, { recursive: true, force: true });
}
