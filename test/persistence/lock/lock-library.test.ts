/** What happens where proper-lockfile can't be loaded, as in ESM bundles of esbuild. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { CacheManager } from '../../../src/index.js';

vi.mock('proper-lockfile', () => {
  throw new Error('Dynamic require of "path" is not supported');
});

it('caches in memory without proper-lockfile', async () => {
  await using cache = new CacheManager();
  expect(await cache.getOrSet('search', 1, async () => 'found')).toBe('found');
});

it('refuses a folder that can’t be locked, with the way out, rather than use it beside others', async () => {
  const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-'));
  onTestFinished(() => rmSync(persistDir, { recursive: true, force: true }));
  for (const mode of ['single', 'multi'] as const) {
    const opening = CacheManager.open({ persist: true, persistDir, mode });
    await expect(opening).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: expect.stringContaining('--external:proper-lockfile'),
    });
  }
});
