import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/persistence/file-system.js';
import { makeDiskTier } from '../helper/disk-tier.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-methods-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The machine's file system, with its calls counted. */
function countingFiles() {
  const calls = { list: 0, create: 0 };
  const files = {
    ...nodeFileSystem,
    list: (path: string) => {
      calls.list += 1;
      return nodeFileSystem.list(path);
    },
    create: (path: string, mode: number) => {
      calls.create += 1;
      return nodeFileSystem.create(path, mode);
    },
  };
  return { files, calls };
}

const partitions = () =>
  readdirSync(join(folder, '2026-11')).filter((name) => name.endsWith('.cache')).length;

describe('a cache of more methods than a process keeps files open', () => {
  it('goes on in its own file of each', async () => {
    const methods = 300;
    const { tier, set, get, errors } = makeDiskTier({ persistDir: folder });
    for (let flush = 0; flush < 3; flush += 1) {
      for (let method = 0; method < methods; method += 1) set(`tool ${method}`, flush, `${method} ${flush}`);
      await tier.flush();
    }
    expect(partitions()).toBe(methods);
    expect(await get('tool 7', 0)).toBe('7 0');
    expect(await get('tool 299', 2)).toBe('299 2');
    await tier.close();
    const again = makeDiskTier({ persistDir: folder });
    await again.tier.open();
    expect(again.tier.size).toBe(3 * methods);
    await again.tier.close();
    expect([...errors, ...again.errors]).toEqual([]);
  });

  it('lists its folder for many new files at once', async () => {
    const { files, calls } = countingFiles();
    const { tier, set } = makeDiskTier({ persistDir: folder, files });
    for (let method = 0; method < 160; method += 1) set(`tool ${method}`, 1, 'value');
    await tier.flush();
    await tier.close();
    expect(calls.create).toBe(160);
    expect(calls.list).toBeLessThan(100);
  });

  it('does not append to another file that has got the name of its own meanwhile', async () => {
    const { tier, set, get } = makeDiskTier({ persistDir: folder });
    set('first', 1, 'before');
    await tier.flush();
    // Its file is closed by now, and another one has its name.
    for (let method = 0; method < 300; method += 1) set(`tool ${method}`, 1, 'value');
    await tier.flush();
    const own = readdirSync(join(folder, '2026-11')).length;
    const other = makeDiskTier({ persistDir: folder });
    await other.tier.consolidate();
    await other.tier.close();
    set('first', 2, 'after');
    await tier.flush();
    expect(await get('first', 1)).toBe('before');
    expect(await get('first', 2)).toBe('after');
    expect(partitions()).toBeGreaterThanOrEqual(own);
    await tier.close();
  });
});
