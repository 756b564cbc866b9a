/** `toolstash report`: the sum of what the processes of a folder have counted. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { shareFigures } from '../../src/metrics/index.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
const caches: CacheManager[] = [];
beforeAll(async () => {
  commandLine = await openCommandLine();
});
afterAll(async () => {
  vi.restoreAllMocks();
  await Promise.all(caches.map((cache) => cache.close()));
  await commandLine.remove();
});

test('toolstash report tells the sum of a cache folder, and no other command minds what is left there', async () => {
  const persistDir = join(commandLine.folder, 'cache');
  const cache = new CacheManager({ persist: true, persistDir, mode: 'multi' });
  caches.push(cache);
  await cache.getOrSet('search', 1, () => 1);
  await cache.getOrSet('search', 1, () => 1);
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const figures = shareFigures(cache, { name: 'worker' });
  const text = await figures.report();
  expect(text).toContain('Answered from the cache  50.0 %');
  expect(text).toContain('1 process, 1 running');
  expect(text).toMatch(new RegExp(`worker \\(${process.pid}\\): \\d s`));
  expect(log).toHaveBeenCalledTimes(1);
  await cache.consolidate();
  await cache.close();

  const told = await commandLine.run(['report', 'cache']);
  expect(told).toMatchObject({ exitCode: 0, stderr: '' });
  expect(told.stdout).toContain('Answered from the cache  50.0 %');
  expect(told.stdout).toContain('1 process, 0 running');
  const { stats, processes } = JSON.parse((await commandLine.run(['report', 'cache', '--json'])).stdout);
  expect([stats.hits, processes[0].name]).toEqual([1, 'worker']);
  await commandLine.run(['report', 'cache', '--html', 'page.html']);
  expect(readFileSync(join(commandLine.folder, 'page.html'), 'utf8')).toContain('"hits":1');
  for (const command of ['verify', 'inspect', 'export'])
    expect(await commandLine.run([command, 'cache'])).toMatchObject({ exitCode: 0, stderr: '' });
  const again = await CacheManager.open({ persist: true, persistDir, mode: 'multi' });
  caches.push(again);
  expect(await again.get('search', 1)).toBe(1);
});
