/** An update that stops at a step, to be killed there: `updating.js <folder> <database> <step>`. */

import { readFileSync, writeFileSync } from 'node:fs';
import { CacheManager } from '../../src/index.js';
import { cacheAside } from '../../src/source/index.js';

const [, , folder = '', database = '', step = ''] = process.argv;

/** Tells that a step is reached, and goes no further if it is the one. */
async function reach(reached: string): Promise<void> {
  if (reached !== step) return;
  process.stdout.write(`${JSON.stringify(['at', reached])}\n`);
  await new Promise((resolve) => setTimeout(resolve, 600_000));
}

async function main(): Promise<void> {
  const cache = await CacheManager.open({ persist: true, persistDir: folder });
  const settings = cacheAside<string, string>({
    ...{ cache, method: 'settings' },
    load: async () => JSON.parse(readFileSync(database, 'utf8')) as string,
    store: async (_id, record) => {
      await reach('voided');
      writeFileSync(database, JSON.stringify(record));
      await reach('stored');
    },
  });
  await settings.get('ada');
  await cache.flush();
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
    if (deletions === 2) await reach('voided again');
    return had;
  };
  await settings.update('ada', 'new');
}

void main();
