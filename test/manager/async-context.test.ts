import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { isCollected } from '../helper/garbage.js';

const folder = () => mkdtempSync(join(tmpdir(), 'toolstash-context-'));

it.each<[string, () => CacheOptions]>([
  [
    'in memory',
    () => ({ ttl: '1h', cacheErrors: () => '1h', staleWhileRevalidate: '1h', hardTimeout: '1h' }),
  ],
  ['on disk', () => ({ ttl: '1h', persist: true, persistDir: folder() })],
  ['in a shared folder', () => ({ ttl: '1h', persist: true, persistDir: folder(), mode: 'multi' })],
])('a cache keeps no context of those who use it: %s', async (_, optionsOf) => {
  const contexts = new AsyncLocalStorage<object>();
  const options = optionsOf();
  const use = async () => {
    const request = { id: 1 };
    const cache = await contexts.run(request, async () => {
      const made = await CacheManager.open(options);
      await made.set('tool', 1, 'value');
      await made.getOrSet('tool', 2, () => 'value');
      await made.getOrSet('tool', 3, () => Promise.reject(new Error('down'))).catch(() => {});
      await made.flush();
      return made;
    });
    return { cache, request: new WeakRef(request) };
  };
  const { cache, request } = await use();
  expect(await isCollected(request)).toBe(true);
  await cache.close();
  if (options.persistDir !== undefined) rmSync(options.persistDir, { recursive: true, force: true });
});
