import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { nodeFileSystem } from '../../../src/persistence/file-system.js';
import { FolderTime, measureOffset, offsetBetween } from '../../../src/persistence/lock/folder-time.js';
import type { ClockOffset } from '../../../src/stamp.js';

const hour = 3_600_000;

describe('the time of a folder', () => {
  it('is asked for by a file that is removed again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'toolstash-time-'));
    const clock = { ...systemClock, now: () => systemClock.now() + hour };
    const asked = { files: nodeFileSystem, folder, fileMode: 0o600 };
    const right = await measureOffset({ ...asked, clock: systemClock });
    const fast = await measureOffset({ ...asked, clock });
    expect(right.ahead).toBe(0);
    expect(Math.abs(fast.ahead - hour * 1_000)).toBeLessThanOrEqual(fast.uncertainty);
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('makes no difference in a folder that can’t be written', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-time-'));
    const asked: string[] = [];
    let code = '';
    const create = (path: string) => {
      asked.push(dirname(path));
      return Promise.reject(Object.assign(new Error(code), { code }));
    };
    const time = new FolderTime({
      options: { mode: 'multi', persistDir, fileMode: 0o600 },
      clock: systemClock,
      files: { ...nodeFileSystem, create },
      isMachines: true,
      onOffset: () => undefined,
    });
    for (code of ['EACCES', 'EPERM', 'EROFS']) await time.follow();
    code = 'ENOSPC';
    await expect(time.follow()).rejects.toThrow('ENOSPC');
    // Nobody could make the folder of those who share it.
    expect(asked.filter((folder) => folder === persistDir)).toHaveLength(4);
    rmSync(persistDir, { recursive: true });
  });

  it('is asked for in the cache folder where the one of those who share it is another user’s', async () => {
    const persistDir = mkdtempSync(join(tmpdir(), 'toolstash-time-'));
    const create = (path: string, mode: number) =>
      dirname(path) === persistDir
        ? nodeFileSystem.create(path, mode)
        : Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    mkdirSync(join(persistDir, '.presence'));
    const offsets: ClockOffset[] = [];
    const time = new FolderTime({
      options: { mode: 'multi', persistDir, fileMode: 0o600 },
      clock: systemClock,
      files: { ...nodeFileSystem, create },
      isMachines: true,
      onOffset: (offset) => offsets.push(offset),
    });
    await time.follow();
    expect(offsets).toMatchObject([{ ahead: 0 }]);
    rmSync(persistDir, { recursive: true });
  });

  it('is the machine’s own where the two can’t be told apart, and known to a tick where they can', () => {
    const own = { earliest: 1_000_000_010, latest: 1_000_000_012 };
    expect(offsetBetween(1_000_000_011.5, own)).toMatchObject({ ahead: 0 });
    expect(offsetBetween(1_000_000_004.5, own)).toMatchObject({ ahead: 0 });
    for (const shift of [-10_000, 10_000, -60, 60]) {
      for (const since of [0, 5, 19]) {
        // The folder's time was right when its last tick was so long ago.
        const { ahead, uncertainty } = offsetBetween(1_000_000_011.5 - since - shift, own);
        expect(Math.abs(ahead - shift * 1_000)).toBeLessThanOrEqual(uncertainty);
        expect(uncertainty).toBeLessThan(30_000);
      }
    }
  });

  it('may be two seconds off where files have whole seconds only', () => {
    const own = { earliest: 1_000_001_900, latest: 1_000_001_901 };
    expect(offsetBetween(1_000_000_000, own)).toEqual({ ahead: 0, uncertainty: 2_002_000 });
  });
});
