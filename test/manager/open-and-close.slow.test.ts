import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { measured, usedBytes } from '../helper/used-memory.js';

it('caches that are opened, used and closed leave next to nothing behind', measured, async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-open-close-'));
  const use = async () => {
    const cache = await CacheManager.open({ persist: true, persistDir, memory: { maxHeapFraction: 0.9 } });
    const search = cache.wrap(async (page: number) => `${page} `.repeat(500), { name: 'search' });
    for (let page = 0; page < 500; page += 1) await search(page);
    await cache.close();
  };
  try {
    for (let time = 0; time < 5; time += 1) await use();
    const before = await usedBytes();
    for (let time = 0; time < 20; time += 1) await use();
    const after = await usedBytes();
    // One cache that stayed would be half a MiB of values alone.
    expect(after.all - before.all).toBeLessThan(5 * 2 ** 20);
  } finally {
    rmSync(persistDir, { recursive: true });
  }
});
