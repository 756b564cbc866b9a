/** A folder has one holder; one that was left behind, whatever its state, is freed without waiting long. */

import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { acquireLock, type LockHandle } from '../../../src/persistence/lock/acquire-lock.js';
import { FolderLock } from '../../../src/persistence/lock/folder-lock.js';

let folder: string;
const held: LockHandle[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-claim-'));
});

afterEach(async () => {
  for (const claim of held.splice(0)) await claim.release();
  rmSync(folder, { recursive: true, force: true });
});

async function take(staleAfter = 2_000, losses: Error[] = []): Promise<LockHandle> {
  const onLost = (cause: Error) => losses.push(cause);
  const claim = await acquireLock({ folder, purpose: 'claim', staleAfter, onLost });
  held.push(claim);
  return claim;
}

const lockFolder = () => join(folder, '.claim.lock');
const notePath = () => join(folder, '.claim.json');

/** A process that has come and gone. */
function deadPid(): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid']).toString());
}

/** What the notes of this process say of where its id means something. */
async function ownSpace(): Promise<string> {
  const claim = await take();
  const { space } = JSON.parse(readFileSync(notePath(), 'utf8')) as { space: string };
  await claim.release();
  return space;
}

function leaveNote(changes: Record<string, unknown>): void {
  const note = JSON.parse(readFileSync(notePath(), 'utf8')) as Record<string, unknown>;
  writeFileSync(notePath(), JSON.stringify({ ...note, token: 'of another', ...changes }));
}

/** What a holder leaves behind that ended without a word. */
async function abandoned(changes: Record<string, unknown>): Promise<void> {
  const claim = await take();
  leaveNote(changes);
  const note = readFileSync(notePath());
  await claim.release();
  mkdirSync(lockFolder());
  writeFileSync(notePath(), note);
}

describe('a claim on a folder', () => {
  it('is held by one, and tells the next who that is', async () => {
    const before = Date.now();
    await take();
    const refusal = await take().catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'ERR_DIRECTORY_TAKEN',
      holder: { host: hostname(), pid: process.pid },
    });
    expect((refusal as { holder: { since: number } }).holder.since).toBeGreaterThanOrEqual(before);
    expect((refusal as Error).message).toContain(
      'is taken by another cache of this process: make one and share it',
    );
  });

  it('tells another thread how to share', async () => {
    await take();
    leaveNote({ thread: threadId + 1 });
    await expect(take()).rejects.toThrow(
      /taken by another thread of this process: .*share it with `mode: 'multi'` in all of them/,
    );
  });

  it('is free again once it was released, and leaves nothing behind', async () => {
    const claim = await take();
    await claim.release();
    await claim.release();
    expect(readdirSync(folder)).toEqual([]);
    await take();
  });

  it('clears away the notes half written and lock folders half removed that crashes have left, and no more', async () => {
    const [note, lock, fresh] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
    writeFileSync(join(folder, `.${note}.tmp`), '{');
    mkdirSync(join(folder, `.${lock}.lock`, 'full'), { recursive: true });
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), hourAgo, hourAgo);
    writeFileSync(join(folder, `.${fresh}.tmp`), '{');
    await take();
    expect(readdirSync(folder).sort()).toEqual(
      [`.${fresh}.tmp`, '.claim.json', '.claim.lock', 'notes.txt'].sort(),
    );
  });

  it('of a process that has ended is free at once', async () => {
    await abandoned({ pid: deadPid() });
    await take();
    expect(readdirSync(folder).sort()).toEqual(['.claim.json', '.claim.lock']);
  });

  it('of a process that has ended is free even if its lock folder is full or dated into the future', async () => {
    await abandoned({ pid: deadPid() });
    writeFileSync(join(lockFolder(), 'left behind'), '');
    utimesSync(lockFolder(), new Date(), new Date(Date.now() + 3_600_000));
    await take();
    expect(existsSync(join(lockFolder(), 'left behind'))).toBe(false);
  });

  it('is not taken from another host, or another space of process ids, while it is young', async () => {
    const pid = deadPid();
    const space = await ownSpace();
    await abandoned({ pid, host: 'elsewhere' });
    await expect(take()).rejects.toMatchObject({ holder: { host: 'elsewhere', pid } });
    await abandonedAgain({ pid, space: 'pid:[1]' });
    await expect(take()).rejects.toMatchObject({ holder: { pid } });
    // A host of the same name, whose first namespace has the same number as ours.
    const [, namespace = ''] = space.split(' ');
    await abandonedAgain({ pid, space: `another-boot ${namespace}` });
    await expect(take()).rejects.toMatchObject({ holder: { pid } });
    await abandonedAgain({ pid, space });
    await take();
  });

  for (const [name, shift] of [
    ['long ago', -3_600_000],
    ['into the future', 3_600_000],
  ] as const) {
    it(`of an unknown holder that is dated ${name} is free after a while without a sign of life`, async () => {
      mkdirSync(lockFolder());
      writeFileSync(join(lockFolder(), 'left behind'), '');
      utimesSync(lockFolder(), new Date(), new Date(Date.now() + shift));
      await take(600);
    });

    it(`of a living holder whose clock is off (dated ${name}) stays its own`, async () => {
      mkdirSync(lockFolder());
      let beat = Date.now() + shift;
      const heart = setInterval(() => utimesSync(lockFolder(), new Date(), new Date(++beat)), 100);
      utimesSync(lockFolder(), new Date(), new Date(beat));
      await expect(take(1_000)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN', holder: undefined });
      clearInterval(heart);
    });
  }

  it('of a process that has ended says nothing of an heir who has yet to write a note', async () => {
    await abandoned({ pid: deadPid() });
    rmSync(lockFolder(), { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    mkdirSync(lockFolder());
    await expect(take()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
  });

  it('that was left behind is not taken away any more from an heir who was faster', async () => {
    await abandoned({ pid: deadPid() });
    const place = new FolderLock(folder, 'claim');
    const seen = await place.stat();
    await take();
    expect(await place.removeFolder(seen)).toBe(false);
    await expect(take()).rejects.toMatchObject({ holder: { pid: process.pid } });
    expect(readdirSync(folder).sort()).toEqual(['.claim.json', '.claim.lock']);
  });

  it('goes back to an heir whose lock folder was moved aside in mistake for the one before', async () => {
    await abandoned({ pid: deadPid() });
    const place = new FolderLock(folder, 'claim');
    const seen = await place.stat();
    const losses: Error[] = [];
    // The heir comes between the last look and the move.
    const sight = place.stat.bind(place);
    place.stat = async () => {
      const last = await sight();
      await take(2_000, losses);
      return last;
    };
    expect(await place.removeFolder(seen)).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['.claim.json', '.claim.lock']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(losses).toEqual([]);
  });

  it('that was lost to an heir is not freed by who had it, even before that is noticed', async () => {
    const losses: Error[] = [];
    const claim = await take(2_000, losses);
    rmSync(lockFolder(), { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    mkdirSync(lockFolder());
    await claim.release();
    expect(existsSync(lockFolder())).toBe(true);
  });

  for (const [name, make] of [
    ['a file', () => writeFileSync(lockFolder(), '')],
    ['a link that leads elsewhere', () => symlinkSync(folder, lockFolder())],
  ] as const) {
    it(`is had where ${name} has lain for weeks in the place of its lock folder`, async () => {
      make();
      lutimesSync(lockFolder(), 1, 1);
      await take(600);
      expect(lstatSync(lockFolder()).isDirectory()).toBe(true);
      await expect(take()).rejects.toMatchObject({ holder: { pid: process.pid } });
    });
  }

  it('does not wait for a note that is no file, nor read one that is too long', async () => {
    for (const make of [
      () => execFileSync('mkfifo', [notePath()]),
      () => writeFileSync(notePath(), 'x'.repeat(100_000)),
      () => mkdirSync(notePath()),
    ]) {
      mkdirSync(lockFolder());
      make();
      await expect(take()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN', holder: undefined });
      rmSync(lockFolder(), { recursive: true });
      rmSync(notePath(), { recursive: true });
    }
  });

  it('leaves nothing half written behind where its note can not be put in place', async () => {
    mkdirSync(notePath());
    await expect(take()).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(folder)).toEqual(['.claim.json']);
  });

  it('is told to be lost when its lock folder is taken away, and releasing it then harms nobody', async () => {
    const losses: Error[] = [];
    const claim = await take(2_000, losses);
    rmSync(lockFolder(), { recursive: true });
    while (losses.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const other = await take();
    await claim.release();
    await expect(take()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
    await other.release();
  });

  it('left behind goes to one of many who race for it', async () => {
    await abandoned({ pid: deadPid() });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => take()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

async function abandonedAgain(changes: Record<string, unknown>): Promise<void> {
  rmSync(lockFolder(), { recursive: true });
  await abandoned(changes);
}

describe('mode: single', () => {
  it('refuses a second cache on the folder in the same process, which works on memory alone meanwhile', async () => {
    const one = await CacheManager.open({ persist: true, persistDir: folder });
    const errors: string[] = [];
    const two = new CacheManager({ persist: true, persistDir: folder, flushOnExit: false });
    two.on('error', ({ error }) => errors.push(error.code));
    await expect(two.open()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
    expect(errors).toContain('ERR_DIRECTORY_TAKEN');
    let calls = 0;
    const load = () => {
      calls += 1;
      return 'value';
    };
    expect(await two.getOrSet('search', 1, load)).toBe('value');
    expect(await two.getOrSet('search', 1, load)).toBe('value');
    expect(calls).toBe(1);
    await one.close();
    await two.open();
    await two.close();
    const three = await CacheManager.open({ persist: true, persistDir: folder });
    expect(await three.get('search', 1)).toBe('value');
    await three.close();
  });

  it('refuses those who would share it, but not a cache after it was closed', async () => {
    const one = await CacheManager.open({ persist: true, persistDir: folder });
    const sharing = new CacheManager({ persist: true, persistDir: folder, mode: 'multi' });
    await expect(sharing.open()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_TAKEN' });
    await one.close();
    await sharing.open();
    await sharing.close();
  });

  it('is free at once when its holder was killed', async () => {
    const script = `
      const { mkdirSync, writeFileSync } = require('node:fs');
      const { lock } = require('proper-lockfile');
      const folder = process.argv[1];
      lock(folder + '/claim', { lockfilePath: folder + '/.claim.lock', realpath: false }).then(() => {
        writeFileSync(folder + '/.claim.json', JSON.stringify({
          host: require('node:os').hostname(), pid: process.pid, since: Date.now(), token: 'theirs',
          space: process.argv[2],
        }));
        console.log('held');
        setInterval(() => {}, 1000);
      });`;
    const options: { stdio: ['ignore', 'pipe', 'inherit'] } = { stdio: ['ignore', 'pipe', 'inherit'] };
    const child = spawn(process.execPath, ['-e', script, folder, await ownSpace()], options);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await expect(CacheManager.open({ persist: true, persistDir: folder })).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_TAKEN',
      holder: { pid: child.pid },
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    const cache = await CacheManager.open({ persist: true, persistDir: folder });
    await cache.close();
  });
});
