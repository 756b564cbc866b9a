/** A program of a stranger that keeps entries on disk, and its folder alone; prints `ok`. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheManager } from 'toolstash';

const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-bundled-'));

async function main() {
  let loads = 0;
  for (let round = 0; round < 2; round += 1) {
    const cache = await CacheManager.open({ persist: true, persistDir });
    const { at, total } = await cache.getOrSet('search', { query: 'mvcc' }, async () => {
      loads += 1;
      return { hits: ['mvcc'], at: new Date(0), total: 2 ** 40 };
    });
    if (!(at instanceof Date) || total !== 2 ** 40) throw new Error(`Wrong answer: ${at}, ${total}`);
    const second = await CacheManager.open({ persist: true, persistDir }).catch((error) => error);
    if (second.code !== 'ERR_DIRECTORY_TAKEN') throw new Error(`The folder was not taken: ${second}`);
    await cache.close();
  }
  if (loads !== 1) throw new Error(`Loaded ${loads} times`);
  console.log('ok');
}

main()
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  })
  .finally(() => rmSync(persistDir, { recursive: true, force: true }));
