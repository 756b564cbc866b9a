/** A process without file descriptors: tool calls go on, failures are counted, and writing resumes by itself. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { buildScript, makeWorkFolder } from '../../helper/child-process.js';

let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('descriptors');
  script = await buildScript(fileURLToPath(new URL('process.ts', import.meta.url)), join(work, 'built'));
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

it('a process without descriptors answers every call, counts what fails, and writes once it has some again', async () => {
  const folder = join(work, 'cache');
  const limited = 'ulimit -n 40; exec "$0" "$@"';
  const child = spawn('bash', ['-c', limited, process.execPath, script, folder]);
  const [told, complaints] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect(complaints).toBe('');
  const messages = told
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [string, Record<string, unknown>]);
  expect(messages.map(([kind]) => kind)).toEqual(['exhausted', 'called', 'resumed']);
  expect(messages[0]![1]).toBe('EMFILE');
  const [, called] = messages[1]!;
  expect(called).toMatchObject({ wrong: 0, codes: expect.arrayContaining(['EMFILE', 'ERR_STORAGE']) });
  // Of 80 calls, 20 had their answer on disk only, where it could not be read.
  expect(called['loads']).toBe(20 + 80);
  expect(called['errors']).toBeGreaterThan(0);
  expect(messages[2]![1]).toEqual({ wrong: 0, errors: 0 });

  await using cache = await CacheManager.open({ persist: true, persistDir: folder });
  for (let number = 0; number < 40; number += 1) {
    expect(await cache.get('fetch', number)).toBe(`fetch of ${number}`);
    expect(await cache.get('search', number)).toBe(`search of ${number}`);
  }
  expect(cache.stats().cacheErrors).toBe(0);
});
