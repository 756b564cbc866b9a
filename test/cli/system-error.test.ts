import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemComplaint } from '../../src/cli/system-error.js';
import { CacheManager } from '../../src/index.js';
import { nodeFileSystem } from '../../src/persistence/file-system.js';
import { inspectFiles, verifyFiles } from '../../src/persistence/offline/inspection.js';

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-unreadable-'));
  await using cache = await CacheManager.open({ persist: true, persistDir: folder, flushOnExit: false });
  await cache.set('m', 1, 'one');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const denied = (syscall: string, path: string) =>
  Object.assign(new Error(`EACCES: permission denied, ${syscall}`), { code: 'EACCES', syscall, path });

test('a failed system call is a sentence with the path and the fix', () => {
  expect(systemComplaint(denied('scandir', '/kept/2026-11'))).toBe(
    "Can't use /kept/2026-11: no permission: check its mode, and those of the folders above it",
  );
  expect(systemComplaint(Object.assign(new Error('odd'), { code: 'EODD', syscall: 'open' }))).toBe(
    "Can't use a file: EODD at open",
  );
  expect(systemComplaint(new TypeError('a mistake of ours'))).toBeUndefined();
});

test('a port that another program has is told with the fix', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const [error] = (await once(createServer().listen(port, '127.0.0.1'), 'error')) as [Error];
  expect(systemComplaint(error)).toBe(
    `Can't listen on 127.0.0.1:${port}: another program has this port: end it, or name another port (0 is any free one)`,
  );
  taken.close();
});

test.each([inspectFiles, verifyFiles])(
  'a file without rights is unreadable and not damaged: %o',
  async (look) => {
    const files = { ...nodeFileSystem, openToRead: (path: string) => Promise.reject(denied('open', path)) };
    const [file] = (await look([folder], { files })).files;
    expect(file).toMatchObject({
      damage: [],
      unreadable: expect.stringMatching(/^Can't read .*\.cache: no permission to read it$/),
    });
  },
);
