/** What waits is written as the process exits, however it does; and a process that persists nothing exits as ever. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { verifyFiles } from '../../../src/persistence/offline/inspection.js';
import { buildScript, makeWorkFolder } from '../../helper/child-process.js';

let work: string;
let script: string;
let folder: string;

beforeAll(async () => {
  work = makeWorkFolder('exit');
  script = await buildScript(fileURLToPath(new URL('process.ts', import.meta.url)), join(work, 'script'));
});

beforeEach(() => {
  folder = mkdtempSync(join(work, 'cache-'));
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

function run(way: string): { status: number | null; signal: string | null } {
  const { status, signal } = spawnSync(process.execPath, [script, way, folder], { timeout: 60_000 });
  return { status, signal };
}

async function expectWritten(): Promise<void> {
  const { files } = await verifyFiles([folder]);
  expect(files.flatMap(({ damage }) => damage)).toEqual([]);
  const cache = await CacheManager.open({ persist: true, persistDir: folder });
  expect(await cache.get('search', 'small')).toBe('one');
  expect(await cache.get('fetch', 'large')).toBe('x'.repeat(300_000));
  expect(await cache.get('search', 499)).toBe('499'.repeat(100));
  expect(await cache.get('search', 3)).toBeUndefined();
  expect(cache.stats().cacheErrors).toBe(0);
  await cache.close();
}

describe('a process that has set entries', () => {
  for (const [way, status] of Object.entries({ exit: 0, early: 0, throw: 1, flushing: 0, closing: 0 })) {
    it(`leaves them on disk when it ends by "${way}", with the exit code it would have had`, async () => {
      expect(run(way)).toEqual({ status, signal: null });
      await expectWritten();
    });
  }

  it('leaves them on disk when a signal ends it, as the README shows', async () => {
    expect(run('signal')).toEqual({ status: null, signal: 'SIGTERM' });
    await expectWritten();
  });

  it('leaves them on disk where the handler was there before the cache', async () => {
    expect(run('handledEarly')).toEqual({ status: null, signal: 'SIGTERM' });
    await expectWritten();
  });

  it('leaves what was flushed when a signal ends it that nobody listens for', async () => {
    expect(run('unhandled')).toEqual({ status: null, signal: 'SIGTERM' });
    await expectWritten();
  });

  it('writes nothing into a folder that somebody else has', async () => {
    const cache = await CacheManager.open({ persist: true, persistDir: folder });
    expect(run('taken').status).toBe(0);
    await cache.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('writes nothing at its exit where `flushOnExit` is off', () => {
    expect(run('off').status).toBe(0);
    expect(readdirSync(folder).filter((name) => /^\d{4}-\d{2}$/.test(name))).toEqual([]);
  });
});

it('a process with a cache in memory alone exits with 13 from an unsettled await, as without it', () => {
  expect(run('unsettled').status).toBe(13);
});
