/** Real processes on one folder: who may be in it together, and what becomes of the files of those that have left. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type CacheOptions } from '../../../src/index.js';
import type { Order } from './process.js';

let work: string;
let folder: string;
let folders = 0;
const caches: CacheManager[] = [];
const processes: Process[] = [];

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'toolstash-sharing-'));
  // What is built refers to packages.
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(work, 'node_modules'));
  await build({
    entry: [fileURLToPath(new URL('process.ts', import.meta.url))],
    outDir: join(work, 'built'),
    format: 'esm',
    target: 'node20',
    config: false,
    silent: true,
    dts: false,
  });
});

beforeEach(() => {
  folders += 1;
  folder = join(work, `cache-${folders}`);
  mkdirSync(folder);
});

afterEach(async () => {
  for (const process of processes.splice(0)) await process.kill();
  for (const cache of caches.splice(0)) await cache.close();
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

type Message = [kind: string, ...rest: unknown[]];

/** A process, and what it has told. */
class Process {
  readonly messages: Message[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting: (() => void)[] = [];

  constructor(options: CacheOptions) {
    const script = join(work, 'built', 'process.js');
    this.#child = spawn(process.execPath, [script, JSON.stringify({ persistDir: folder, ...options })], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    processes.push(this);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.messages.push(JSON.parse(line) as Message);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The next message of a kind, from the beginning or a place in `messages`. */
  async next(kind: string, from = 0): Promise<Message> {
    for (;;) {
      const message = this.messages.slice(from).find(([name]) => name === kind);
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async do(...order: Order): Promise<unknown> {
    const from = this.messages.length;
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return (await this.next('done', from))[1];
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async close(): Promise<void> {
    this.#child.stdin!.write('["close"]\n');
    await this.#ended;
  }

  async kill(): Promise<void> {
    // A stopped process dies of it too.
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

async function start(options: CacheOptions): Promise<Process> {
  const started = new Process(options);
  await Promise.race([started.next('opened'), started.next('refused')]);
  return started;
}

async function open(options: CacheOptions): Promise<CacheManager> {
  const settings = { persist: true, persistDir: folder, consolidateInterval: null, flushOnExit: false };
  const cache = await CacheManager.open({ ...settings, ...options });
  caches.push(cache);
  return cache;
}

function partitions(): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.cache')).sort();
}

/** The process ids in the notes of those that are in the folder. */
function present(): number[] {
  const notes = readdirSync(join(folder, '.presence')).filter((name) => name.endsWith('.json'));
  return notes.map((name) => {
    const note = JSON.parse(readFileSync(join(folder, '.presence', name), 'utf8')) as { pid: number };
    return note.pid;
  });
}

/** Lets a process that is stopped look as if it had been for an hour. */
function backdate(pid: number): void {
  for (const name of readdirSync(join(folder, '.presence'))) {
    if (!name.endsWith('.json')) continue;
    const note = JSON.parse(readFileSync(join(folder, '.presence', name), 'utf8')) as { pid: number };
    const hourAgo = new Date(Date.now() - 3_600_000);
    const lock = join(folder, '.presence', name.replace(/json$/, 'lock'));
    if (note.pid === pid) utimesSync(lock, hourAgo, hourAgo);
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a cache that wants the folder alone', () => {
  it('is refused while another process shares it, told who that is, and let in once that was killed', async () => {
    const before = Date.now();
    const other = await start({ mode: 'multi' });
    const refusal = await open({ mode: 'single' }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'ERR_DIRECTORY_TAKEN',
      holder: { host: hostname(), pid: other.pid },
    });
    const { holder, message } = refusal as { holder: { since: number }; message: string };
    expect(holder.since).toBeGreaterThanOrEqual(before);
    const since = new Date(holder.since).toISOString();
    expect(message).toContain(`is shared by process ${other.pid} on ${hostname()} since ${since}:`);
    expect(message).toContain("`mode: 'multi'`");
    const third = await start({ mode: 'multi' });
    const again = await open({ mode: 'single' }).catch((error: unknown) => error);
    expect((again as Error).message).toContain(
      `process ${other.pid} on ${hostname()} since ${since} and 1 more:`,
    );
    await third.close();
    await other.kill();
    const alone = await open({ mode: 'single' });
    await alone.set('search', 1, 'a');
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
  });

  it('keeps those out who would share it, until it was killed', async () => {
    const alone = await start({ mode: 'single' });
    await expect(open({ mode: 'multi' })).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_TAKEN',
      holder: { host: hostname(), pid: alone.pid },
    });
    expect(readdirSync(join(folder, '.presence'))).toEqual([]);
    const third = await start({ mode: 'multi' });
    expect((await third.next('refused'))[1]).toBe('ERR_DIRECTORY_TAKEN');
    await alone.kill();
    await open({ mode: 'multi' });
    expect(present()).toEqual([process.pid]);
  });

  it('may have it when those who shared it are frozen, and takes nothing from them when they go on', async () => {
    const other = await start({ mode: 'multi', flushInterval: 60_000 });
    await other.do('set', 1, 'written before');
    await other.do('set', 2, 'written before, deleted later');
    await other.do('flush');
    await other.do('set', 3, 'waiting');
    other.signal('SIGSTOP');
    backdate(other.pid);
    const alone = await open({ mode: 'single' });
    await alone.set('search', 4, 'mine');
    expect((await alone.consolidate()).merged).toBe(1);
    expect(await alone.get('search', 2)).toBe('written before, deleted later');
    other.signal('SIGCONT');
    await other.do('delete', 2);
    await other.do('flush');
    expect((await other.next('error')).slice(1)).toEqual([
      'ERR_DIRECTORY_TAKEN',
      expect.stringContaining(`is taken by process ${process.pid}`),
    ]);
    await alone.close();
    // It has tried for its place all the while.
    await until(() => present().includes(other.pid));
    const after = await open({ mode: 'multi' });
    expect(await after.get('search', 1)).toBe('written before');
    expect(await after.get('search', 2)).toBeUndefined();
    expect(await after.get('search', 3)).toBe('waiting');
    expect(await after.get('search', 4)).toBe('mine');
  });
});

describe('a consolidation of a shared folder', () => {
  it('takes the files of a process that was killed at once, and not those of one that is there', async () => {
    const [killed, living] = [await start({ mode: 'multi' }), await start({ mode: 'multi' })];
    const cache = await open({ mode: 'multi' });
    await killed.do('set', 1, 'killed');
    await killed.do('flush');
    await living.do('set', 2, 'living');
    await living.do('flush');
    await cache.set('search', 3, 'mine');
    expect(await cache.consolidate()).toMatchObject({ merged: 0 });
    await killed.kill();
    const before = partitions();
    expect(before).toHaveLength(3);
    expect(await cache.consolidate()).toMatchObject({
      merged: 1,
      readFiles: 2,
      writtenFiles: 1,
      failures: 0,
    });
    expect(partitions()).toHaveLength(2);
    expect(present().sort()).toEqual([living.pid, process.pid].sort());
    // The one that is there goes on in its file, which nobody has touched.
    await living.do('set', 4, 'still living');
    await living.do('flush');
    expect(partitions()).toHaveLength(2);
    await cache.load();
    for (const [key, value] of [
      [1, 'killed'],
      [2, 'living'],
      [3, 'mine'],
      [4, 'still living'],
    ] as const) {
      expect(await cache.get('search', key)).toBe(value);
    }
  });

  it('takes the files of a process that has closed its cache', async () => {
    const other = await start({ mode: 'multi' });
    await other.do('set', 1, 'theirs');
    await other.close();
    const cache = await open({ mode: 'multi' });
    await cache.set('search', 2, 'mine');
    expect(await cache.consolidate()).toMatchObject({ merged: 1, readFiles: 2 });
    expect(await cache.get('search', 1)).toBe('theirs');
  });

  it('takes the files that a living process has filled, and leaves it the last', async () => {
    const other = await start({ mode: 'multi', partitionBytes: 4_000 });
    for (let key = 0; key < 4; key += 1) {
      await other.do('set', key, Array.from({ length: 300 }, (_, at) => Math.sin(at + key)).join());
      await other.do('flush');
      // Files are dated by ticks of the kernel's clock.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(partitions()).toHaveLength(4);
    const last = partitions().find((name) => name.endsWith('_3.cache'))!;
    const cache = await open({ mode: 'multi' });
    expect(await cache.consolidate()).toMatchObject({ merged: 1, readFiles: 3 });
    expect(partitions()).toHaveLength(2);
    expect(partitions()).toContain(last);
    expect(await other.do('get', 0)).toContain('0.84');
  });

  it('takes the files of a frozen process, which then loses nothing and brings nothing back', async () => {
    const other = await start({ mode: 'multi', flushInterval: 60_000 });
    const cache = await open({ mode: 'multi' });
    for (const key of [1, 2, 3]) await other.do('set', key, 'before');
    await other.do('flush');
    await cache.load();
    await other.do('set', 3, 'waiting');
    await other.do('delete', 1);
    other.signal('SIGSTOP');
    backdate(other.pid);
    await cache.delete('search', 2);
    expect(await cache.consolidate()).toMatchObject({ merged: 1, readFiles: 2 });
    expect(present()).toEqual([process.pid]);
    other.signal('SIGCONT');
    await other.do('flush');
    await other.do('set', 4, 'after');
    await other.do('flush');
    await until(() => present().includes(other.pid));
    expect(await cache.consolidate()).toMatchObject({ failures: 0 });
    await cache.load();
    const expected = [
      [1, undefined],
      [2, undefined],
      [3, 'waiting'],
      [4, 'after'],
    ] as const;
    for (const [key, value] of expected) expect([key, await cache.get('search', key)]).toEqual([key, value]);
    expect(other.messages.filter(([kind]) => kind === 'error')).toEqual([]);
    await other.kill();
    await cache.close();
    const fresh = await open({ mode: 'single' });
    for (const [key, value] of expected) expect([key, await fresh.get('search', key)]).toEqual([key, value]);
  });
});
