/** An update that waits at each of its steps, to be watched or killed there: `updating.js <places as JSON> <database>`. */

import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CacheManager } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';
import { cacheAside } from '../../src/source/index.js';

/** Where a process has its cache. */
export interface Places {
  readonly folder?: string;
  readonly isFolderShared?: boolean;
  readonly redis?: { readonly url: string; readonly prefix: string };
}

/** How the processes of these tests hear of each other. */
export const times = { syncInterval: 500, heartbeat: 100, remoteTimeout: 1_000 };

/** A cache in these places. */
export function openCache({ folder, isFolderShared = false, redis: at }: Places): Promise<CacheManager> {
  const { syncInterval, ...remote } = times;
  return CacheManager.open({
    ...(folder !== undefined && { persist: true, persistDir: folder }),
    ...(isFolderShared && { mode: 'multi', syncInterval }),
    ...(at !== undefined && { remote: redis({ ...at, ...remote }) }),
  });
}

/** The records of a database that is a file with one. */
export const recordsOf = (cache: CacheManager, database: string, reach = async (_: string) => {}) =>
  cacheAside<string, string>({
    ...{ cache, method: 'settings', tokenTtl: '2s' },
    load: async () => JSON.parse(readFileSync(database, 'utf8')) as string,
    store: async (_id, record) => {
      await reach('voided');
      // Who reads it meanwhile has the one or the other.
      writeFileSync(`${database}.new`, JSON.stringify(record));
      renameSync(`${database}.new`, database);
      await reach('stored');
    },
  });

async function main(places: string, database: string): Promise<void> {
  const lines = createInterface(process.stdin);
  let isUpdating = false;
  /** Tells that a step is reached, and goes on when it is told to. */
  const reach = async (step: string) => {
    if (!isUpdating) return;
    process.stdout.write(`${JSON.stringify(['at', step])}\n`);
    await once(lines, 'line');
  };
  const cache = await openCache(JSON.parse(places) as Places);
  const settings = recordsOf(cache, database, reach);
  let deletions = 0;
  const [set, remove] = [cache.set.bind(cache), cache.delete.bind(cache)];
  cache.set = async (...args) => {
    const isStored = await set(...args);
    await reach('held');
    return isStored;
  };
  cache.delete = async (...args) => {
    const had = await remove(...args);
    deletions += 1;
    await reach(['', 'voiding', 'voided again', 'let go'][deletions] ?? '');
    return had;
  };
  process.stdout.write('["ready"]\n');
  for (;;) {
    const [record] = (await once(lines, 'line')) as [string];
    if (record === 'read') {
      await settings.get('ada');
      await cache.flush();
      process.stdout.write('["ready"]\n');
      continue;
    }
    deletions = 0;
    isUpdating = record.startsWith('step ');
    await settings.update('ada', record);
    process.stdout.write(`${JSON.stringify(['updated', Date.now()])}\n`);
  }
}

const [, script, places, database] = process.argv;
if (script?.endsWith('updating.js') && places !== undefined && database !== undefined)
  void main(places, database);
