/** Who shares a folder holds a place in it; what is left behind of one that has gone is told from one that is there. */

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { CacheError } from '../../../src/errors.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { accessByMode, type FolderAccess } from '../../../src/persistence/lock/folder-access.js';
import { FolderLock } from '../../../src/persistence/lock/folder-lock.js';
import { Membership } from '../../../src/persistence/lock/membership.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { testStart } from '../../helper/disk-tier.js';

const [one, two, three] = ['1', '2', '3'].map((digit) => digit.repeat(16)) as [string, string, string];
const hour = 3_600_000;
let folder: string;
let list: Membership;
const failures: unknown[] = [];
const held: { release(): Promise<void> }[] = [];
const entered: FolderAccess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-presence-'));
  list = new Membership(folder);
  failures.length = 0;
});

afterEach(async () => {
  for (const place of held.splice(0)) await place.release();
  for (const access of entered.splice(0)) await access.leave();
  rmSync(folder, { recursive: true, force: true });
});

async function enter(writer: string, losses: Error[] = []): Promise<void> {
  const onLost = (cause: Error) => losses.push(cause);
  held.push(await list.enter({ writer, folderMode: 0o700, onLost }));
}

/** What a process has left behind, as its note tells, that gave its last sign of life `age` ms ago. */
async function abandoned(writer: string, changes: Record<string, unknown>, age = 0): Promise<void> {
  const place = await list.enter({ writer, folderMode: 0o700, onLost: () => undefined });
  const note = JSON.parse(readFileSync(notePath(writer), 'utf8')) as Record<string, unknown>;
  await place.release();
  mkdirSync(lockFolder(writer));
  writeFileSync(notePath(writer), JSON.stringify({ ...note, token: 'of another', ...changes }));
  date(lockFolder(writer), age);
}

const notePath = (writer: string) => join(folder, '.presence', `.${writer}.json`);
const lockFolder = (writer: string) => join(folder, '.presence', `.${writer}.lock`);

function date(path: string, age: number): void {
  const time = new Date(Date.now() - age);
  utimesSync(path, time, time);
}

/** A process that has come and gone. */
function deadPid(): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid']).toString());
}

async function present(): Promise<string[]> {
  const found = await list.sweep((error) => failures.push(error));
  return found.map(({ writer }) => writer).sort();
}

/** Changes what a process tells of itself. */
function writeNote(writer: string, changes: Record<string, unknown>): void {
  const note = JSON.parse(readFileSync(notePath(writer), 'utf8')) as Record<string, unknown>;
  writeFileSync(notePath(writer), JSON.stringify({ ...note, ...changes }));
}

describe('those who share a folder', () => {
  it('are listed with what they say of themselves, the first to come first, until they leave', async () => {
    const before = Date.now();
    await enter(two);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await enter(one);
    const found = await list.sweep(() => undefined);
    expect(found.map(({ writer }) => writer)).toEqual([two, one]);
    expect(found[0]!.holder).toMatchObject({ pid: process.pid });
    expect(found[0]!.holder!.since).toBeGreaterThanOrEqual(before);
    expect([await list.hasLeft(one), await list.hasLeft(three)]).toEqual([false, true]);
    for (const place of held.splice(0)) await place.release();
    expect(await present()).toEqual([]);
    expect([await list.hasLeft(one), await list.hasLeft(two)]).toEqual([true, true]);
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });

  it('are none where nobody ever was', async () => {
    expect(await present()).toEqual([]);
    expect(await list.hasLeft(one)).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('are not those whose process has ended, whose leftovers go at once', async () => {
    await abandoned(one, { pid: deadPid() });
    await enter(two);
    expect(await present()).toEqual([two]);
    expect(readdirSync(join(folder, '.presence')).sort()).toEqual([`.${two}.json`, `.${two}.lock`]);
    expect(await list.hasLeft(one)).toBe(true);
  });

  it('are not those who were ended with a signal, of whom only the note is left', async () => {
    await abandoned(one, {});
    rmSync(lockFolder(one), { recursive: true });
    expect(await present()).toEqual([]);
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });

  it('are not threads that were ended, though their process lives on: they are silent for some seconds', async () => {
    await abandoned(one, { thread: 3 }, 6_000);
    await abandoned(two, { thread: 0 }, 6_000);
    await abandoned(three, { thread: 3, host: 'elsewhere' }, 6_000);
    expect(await present()).toEqual([two, three]);
    await abandoned(one, { thread: 3 }, 1_000);
    expect(await present()).toEqual([one, two, three]);
  });

  it('say of which thread they are', async () => {
    await enter(one);
    expect(JSON.parse(readFileSync(notePath(one), 'utf8'))).toMatchObject({ thread: threadId });
  });

  it('may be on other hosts, or in other spaces of process ids, where a dead id means nothing', async () => {
    const pid = deadPid();
    await abandoned(one, { pid, host: 'elsewhere' }, 50_000);
    await abandoned(two, { pid, space: 'pid:[1]' }, 50_000);
    expect(await present()).toEqual([one, two]);
    date(lockFolder(one), 70_000);
    // Who has looked before would take another date for a sign of life.
    list = new Membership(folder);
    expect(await present()).toEqual([two]);
  });

  it('may have clocks that are an hour off, as long as they give signs of life', async () => {
    await abandoned(one, { host: 'slow' }, hour);
    await abandoned(two, { host: 'fast' }, -hour);
    await abandoned(three, { host: 'silent' }, -hour);
    let beats = 0;
    const hearts = setInterval(() => {
      beats += 1;
      date(lockFolder(one), hour - beats * 10);
      date(lockFolder(two), -hour - beats * 10);
    }, 300);
    expect(await present()).toEqual([one, two]);
    clearInterval(hearts);
  });

  it('need no watching where they have given a sign of life since the last look, whatever their clocks say', async () => {
    await abandoned(one, { host: 'slow' }, hour);
    await abandoned(two, { host: 'slow, and silent' }, hour);
    const hearts = setInterval(() => {
      date(lockFolder(one), hour - (Date.now() % 100_000));
      date(lockFolder(two), hour - (Date.now() % 100_000));
    }, 300);
    expect(await present()).toEqual([one, two]);
    clearInterval(hearts);
    // Each date is later than the one before, however soon it follows.
    date(lockFolder(one), hour - 10);
    // Each look for a sign of life reads the date of a lock folder once: beyond two it would be watched.
    const looks = vi.spyOn(FolderLock.prototype, 'refreshedAt');
    date(lockFolder(two), hour - 10);
    expect(await present()).toEqual([one, two]);
    expect(looks).toHaveBeenCalledTimes(2);
    looks.mockRestore();
    date(lockFolder(one), hour - 20);
    expect(await present()).toEqual([one]);
  });

  it('are forgotten when their process has ended, though they gave a sign of life since the last look', async () => {
    await abandoned(one, {}, 50);
    expect(await present()).toEqual([one]);
    writeNote(one, { pid: deadPid() });
    date(lockFolder(one), 10);
    expect(await present()).toEqual([]);
  });

  it('may have left no note that can be read', async () => {
    await enter(one);
    writeFileSync(notePath(one), '{"host": "half a no');
    expect(await list.sweep(() => undefined)).toEqual([{ writer: one, holder: undefined }]);
    mkdirSync(lockFolder(two));
    expect(await present()).toEqual([one, two]);
  });

  it('hear of it when their place was taken away', async () => {
    const losses: Error[] = [];
    await enter(one, losses);
    rmSync(lockFolder(one), { recursive: true });
    while (losses.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await enter(one);
    expect(await present()).toEqual([one]);
  });

  it('leave nothing for ever: notes half written and lock folders half removed go too, other files stay', async () => {
    await enter(one);
    const names = [
      `.${'a'.repeat(32)}.tmp`,
      `.${'b'.repeat(32)}.lock`,
      `.${'c'.repeat(32)}.tmp`,
      'notes.txt',
    ];
    for (const name of names) {
      if (name.endsWith('.lock')) mkdirSync(join(folder, '.presence', name, 'full'), { recursive: true });
      else writeFileSync(join(folder, '.presence', name), '');
      if (!name.startsWith('.c')) date(join(folder, '.presence', name), hour);
    }
    await present();
    const stored = [`.${one}.json`, `.${one}.lock`, names[2], names[3]].sort();
    expect(readdirSync(join(folder, '.presence')).sort()).toEqual(stored);
  });

  it('enter no folder that a symlink leads to', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'toolstash-elsewhere-'));
    symlinkSync(elsewhere, join(folder, '.presence'));
    await expect(enter(one)).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(readdirSync(elsewhere)).toEqual([]);
    rmSync(elsewhere, { recursive: true });
  });

  it('make their folder with the mode that was asked for', async () => {
    await enter(one);
    expect(statSync(join(folder, '.presence')).mode & 0o777).toBe(0o700);
  });

  it('are told as an error when they can not be listed', async () => {
    writeFileSync(join(folder, '.presence'), 'a file');
    await expect(present()).rejects.toMatchObject({ code: 'ERR_STORAGE', cause: { code: 'ENOTDIR' } });
  });

  it('are swept as far as that is possible, and the rest is told', async () => {
    mkdirSync(notePath(one), { recursive: true });
    await abandoned(two, { pid: deadPid() });
    expect(await present()).toEqual([]);
    expect(failures).toMatchObject([{ syscall: 'unlink', path: notePath(one) }]);
    expect(readdirSync(join(folder, '.presence'))).toEqual([`.${one}.json`]);
  });
});

function access(
  mode: 'single' | 'multi',
  errors: CacheError[] = [],
  { writer = one, clock = systemClock } = {},
): FolderAccess {
  const options = resolveDiskOptions({ persistDir: folder, mode });
  const made = accessByMode({ options, clock, writer, onError: (error) => errors.push(error) });
  entered.push(made);
  return made;
}

describe('the way into a folder', () => {
  it('lets never in both who wants it alone and who would share it, when they come at once', async () => {
    const outcomes: string[] = [];
    for (let round = 0; round < 30; round += 1) {
      const ways = [access('single'), access('multi', [], { writer: two })];
      if (round % 2 === 1) ways.reverse();
      const results = await Promise.allSettled(ways.map((way) => way.enter()));
      outcomes.push(results.map(({ status }) => status).join());
      for (const way of ways) await way.leave();
    }
    expect(outcomes).not.toContain('fulfilled,fulfilled');
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });

  for (const mode of ['single', 'multi'] as const) {
    it(`lets nobody in with mode: ${mode} past one who comes the other way just after`, async () => {
      mkdirSync(join(folder, '.presence'));
      const [theirs, mine] = [lockFolder(two), join(folder, '.claim.lock')];
      const [awaited, planted] = mode === 'single' ? [mine, theirs] : [lockFolder(one), mine];
      const entering = access(mode).enter();
      entering.catch(() => undefined);
      while (!existsSync(awaited)) await new Promise(setImmediate);
      mkdirSync(planted);
      await expect(entering).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN', holder: undefined });
      expect(existsSync(awaited)).toBe(false);
    });
  }

  it('leaves no claim behind when the folder is shared, and no place when it is taken', async () => {
    const sharing = access('multi');
    await sharing.enter();
    await expect(access('single').enter()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
    expect(readdirSync(folder)).toEqual(['.presence']);
    await sharing.leave();
    await access('single').enter();
    await expect(access('multi').enter()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });

  it('is open also where no place can be taken, which is told and tried again; who has left is not known then', async () => {
    const clock = new FakeClock(testStart);
    const errors: CacheError[] = [];
    writeFileSync(join(folder, '.presence'), 'a file');
    const sharing = access('multi', errors, { clock });
    await sharing.enter();
    expect(errors).toMatchObject([
      { code: 'ERR_STORAGE', message: `Noting that ${folder} is shared failed` },
    ]);
    const right = await sharing.enterConsolidation();
    expect(await right.hasLeft(two)).toBe(false);
    await right.release();
    expect(errors).toHaveLength(2);
    rmSync(join(folder, '.presence'));
    clock.advance(5_000);
    while ((await present()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const again = await sharing.enterConsolidation();
    expect([await again.hasLeft(one), await again.hasLeft(two)]).toEqual([false, true]);
    await again.release();
    expect(errors).toHaveLength(2);
  });

  it('is found again by who lost its place, without a word when nobody has the folder alone', async () => {
    const errors: CacheError[] = [];
    const sharing = access('multi', errors);
    await sharing.enter();
    rmSync(lockFolder(one), { recursive: true });
    expect(await list.hasLeft(one)).toBe(true);
    while (await list.hasLeft(one)) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(errors).toEqual([]);
    await sharing.leave();
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });

  it('cleans up behind those who have left, when somebody consolidates or takes the folder alone', async () => {
    await abandoned(two, { pid: deadPid() });
    const sharing = access('multi');
    await sharing.enter();
    const right = await sharing.enterConsolidation();
    expect(await right.hasLeft(two)).toBe(true);
    await right.release();
    expect(readdirSync(join(folder, '.presence')).sort()).toEqual([`.${one}.json`, `.${one}.lock`]);
    await sharing.leave();
    await abandoned(two, { pid: deadPid() });
    await access('single').enter();
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });
});
