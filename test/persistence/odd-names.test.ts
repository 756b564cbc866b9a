import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CacheManager } from '../../src/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-odd-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('what is no folder or file, but has the name of one, is told once and not at every load', async () => {
  await symlink(tmpdir(), join(folder, '2026-01'));
  const name = `${'a'.repeat(32)}_20250201_0.cache`;
  await mkdir(join(folder, '2025-02', name), { recursive: true });
  const cache = new CacheManager({ persist: true, persistDir: folder, flushOnExit: false });
  const told: string[] = [];
  cache.on('error', ({ error }) => void told.push(error.message));
  for (const mode of ['incremental', 'incremental', 'full', 'incremental'] as const)
    await cache.load({ mode });
  await cache.close();
  expect(told.sort()).toEqual([
    expect.stringContaining(`not a folder (${join(folder, '2026-01')}`),
    expect.stringContaining(`not a regular file (${join(folder, '2025-02', name)}`),
  ]);
});
