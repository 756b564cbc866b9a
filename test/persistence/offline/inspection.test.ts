/** Looking into files from outside: what is told, what is found damaged, and that nothing is changed. */

import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  expandPatterns,
  exportFiles,
  findPartitionFiles,
  getFromFiles,
  importRecords,
  inspectFiles,
  verifyFiles,
} from '../../../src/persistence/offline/inspection.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { decode, makeDiskTier, testStart } from '../../helper/disk-tier.js';

let folder: string;
const clock = new FakeClock(testStart + 10_000);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-'));
  const one = makeDiskTier({ persistDir: join(folder, 'cache') });
  for (let at = 0; at < 20; at += 1)
    one.set('search', at, { at }, at < 5 ? { expiresAt: testStart + 5_000 } : {});
  one.set('fetch', 1, 'x'.repeat(5_000));
  await one.tier.flush();
  one.delete('search', 19);
  one.set('search', 18, 'newer');
  one.tier.clear('gone', one.stamps.next());
  await one.tier.close();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const partitions = () =>
  readdirSync(join(folder, 'cache', '2026-11')).filter((name) => name.endsWith('.cache'));

function snapshot(): unknown {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, statSync(path).mtimeMs, readFileSync(path).toString('hex')]);
}

describe('an inspection', () => {
  it('counts methods, partitions, members and entries, and changes nothing', async () => {
    const before = snapshot();
    const { files, methods } = await inspectFiles([join(folder, 'cache')], { clock });
    expect(files).toHaveLength(3);
    const search = methods.find(({ method }) => method === 'search');
    expect(search).toMatchObject({
      partitions: 1,
      members: 2,
      values: 21,
      deletions: 1,
      expired: 5,
      oldest: testStart,
    });
    expect(methods.find(({ method }) => method === 'gone')).toMatchObject({ markers: 1, values: 0 });
    expect(files.every(({ damage, tailBytes }) => damage.length === 0 && tailBytes === 0)).toBe(true);
    expect(snapshot()).toEqual(before);
  });

  it('finds patterns, files and folders, and refuses what is not there', async () => {
    const byPattern = await findPartitionFiles([join(folder, 'c*', '20??-11', '*.cache')]);
    expect(byPattern).toHaveLength(3);
    expect(await findPartitionFiles([join(folder, 'cache', '2026-11'), byPattern[0]!])).toEqual(byPattern);
    await expect(expandPatterns([join(folder, '*.none')])).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
    await expect(findPartitionFiles([join(folder, 'none')])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leaves out what a pattern leads past, but nothing that can not be read', async () => {
    writeFileSync(join(folder, 'a file'), '');
    expect(await expandPatterns([join(folder, '*', '2026-11')])).toEqual([join(folder, 'cache', '2026-11')]);
    expect(await expandPatterns([join(folder, '*', '20*')])).toEqual([join(folder, 'cache', '2026-11')]);
    symlinkSync('loop', join(folder, 'loop'));
    for (const pattern of [join('*', '2026-11'), join('*', '20*')]) {
      await expect(expandPatterns([join(folder, pattern)])).rejects.toMatchObject({ code: 'ELOOP' });
    }
  });

  it('verifies every byte and tells file and offset of what is wrong', async () => {
    const path = join(folder, 'cache', '2026-11', partitions().find((name) => name.startsWith('06a943c5'))!);
    const bytes = readFileSync(path);
    bytes[bytes.length - 30]! ^= 1;
    writeFileSync(path, bytes);
    writeFileSync(join(folder, 'cache', '2026-11', `${'0'.repeat(32)}_20261121_0.cache`), 'no gzip');
    const before = snapshot();
    const { files } = await verifyFiles([join(folder, 'cache')], { clock });
    const damage = files.flatMap((file) => file.damage);
    expect(damage.map(({ file }) => file).sort()).toContain(path);
    expect(damage.find(({ file }) => file === path)?.offset).toBeGreaterThan(0);
    expect(damage).toHaveLength(2);
    expect(snapshot()).toEqual(before);
  });

  it('gets one entry, the newest, and none that is deleted or expired', async () => {
    const get = async (params: unknown) => {
      const record = await getFromFiles([join(folder, 'cache')], { method: 'search', params }, { clock });
      return record === undefined ? undefined : decode(record.encoded);
    };
    expect(await get(18)).toBe('newer');
    expect(await get(10)).toEqual({ at: 10 });
    expect(await get(19)).toBeUndefined();
    expect(await get(1)).toBeUndefined();
  });

  it('exports what is there and imports it elsewhere, once however often', async () => {
    const before = snapshot();
    const written: unknown[] = [];
    for (let round = 0; round < 2; round += 1) {
      const records = exportFiles([join(folder, 'cache')], { clock });
      expect(await importRecords(join(folder, 'copy'), records, { clock })).toBe(round === 0 ? 15 : 0);
      written.push((snapshot() as string[][]).filter(([path]) => path!.includes('/copy/')));
    }
    expect(written[1]).toEqual(written[0]);
    expect((snapshot() as string[][]).filter(([path]) => path!.includes('/cache/'))).toEqual(before);
    const copied = new Map<string, unknown>();
    for await (const record of exportFiles([join(folder, 'copy')], { clock })) {
      copied.set(record.key, decode(record.encoded));
    }
    expect(copied.size).toBe(15);
    expect([...copied.values()]).toContain('newer');
  });

  it('does not inflate a bomb that it is given', async () => {
    const bomb = join(folder, 'bomb.cache');
    writeFileSync(bomb, gzipSync(Buffer.alloc(50_000_000)));
    const { files } = await verifyFiles([bomb], { clock, maxMemberBytes: 1_000_000 });
    expect(files[0]?.damage).toEqual([]);
    expect(files[0]?.unread[0]?.message).toContain('`maxMemberBytes`');
  });
});
