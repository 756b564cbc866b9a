/**
 * What a cache does where tests run, as under Jest, in a `node:vm` context: classes of this module are then others than
 * those of Node's own modules. Runs once as a plain thread, too.
 */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-realm-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const open = (options = {}) => CacheManager.open({ persist: true, persistDir: folder, ...options });

/** Values of this module's classes, and of those of Node's modules. */
const values: Readonly<Record<string, unknown>> = {
  text: 'x',
  record: { a: [1, { b: null }] },
  date: new Date(5),
  map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1n])]]),
  pattern: /a/gi,
  bytes: Uint8Array.of(1, 2),
  floats: Float64Array.of(0.5),
  buffer: Buffer.from('abc'),
  cloned: structuredClone({ at: new Date(7), bytes: Uint8Array.of(3) }),
  error: new RangeError('no', { cause: new TypeError('why') }),
};

it('persists values, and finds them again', async () => {
  const errors: unknown[] = [];
  const writer = await open();
  writer.on('error', (event) => errors.push(event));
  for (const [name, value] of Object.entries(values)) {
    expect(await writer.set('tool', { name }, value), name).toBe(true);
  }
  await writer.set('tool', { name: 'file' }, await readFile(import.meta.filename));
  await writer.flush();
  await writer.close();
  expect(errors).toEqual([]);
  expect(await readdir(folder)).not.toEqual([]);

  const reader = await open();
  for (const [name, value] of Object.entries(values)) {
    expect(await reader.get('tool', { name }), name).toEqual(value);
  }
  expect(await reader.get('tool', { name: 'file' })).toEqual(await readFile(import.meta.filename));
  expect(reader.stats().cacheErrors).toBe(0);
  await reader.close();
});

it('keeps private copies in memory', async () => {
  const cache = new CacheManager();
  for (const [name, value] of Object.entries(values)) {
    await cache.set('tool', { name }, value);
    expect(await cache.get('tool', { name }), name).toEqual(value);
  }
  await cache.close();
});

it('shares a folder, and repairs it', async () => {
  const [first, second] = [await open({ mode: 'multi' }), await open({ mode: 'multi' })];
  await first.set('tool', 1, 'a');
  await first.flush();
  await second.load();
  expect(await second.get('tool', 1)).toBe('a');
  await first.consolidate();
  await first.close();
  await second.close();
});

it('remembers errors of the tool, throws them again, and stores none of them', async () => {
  const cache = new CacheManager({ cacheErrors: () => 60_000 });
  let calls = 0;
  const read = async () => {
    calls++;
    return await readFile(join(folder, 'none'));
  };
  for (let i = 0; i < 3; i++) await expect(cache.getOrSet('read', 1, read)).rejects.toThrow('ENOENT');
  expect(calls).toBe(1);
  await cache.close();
});

it("ends a caller's wait with the reason of its signal", async () => {
  const cache = new CacheManager();
  const controller = new AbortController();
  const waiting = cache.getOrSet('slow', 1, () => new Promise(() => {}), { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await cache.close();
});
