/** Loads that two caches share on a disk that fails: every call is answered all the same. */

import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CacheManager } from '../../../src/index.js';
import { resolveDiskOptions } from '../../../src/persistence/disk-options.js';
import { DiskTier } from '../../../src/persistence/disk-tier.js';
import { hashMethod, randomId } from '../../../src/persistence/format/partition-name.js';
import { ownNote } from '../../../src/persistence/lock/holder-note.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';
import { settle } from '../../helper/gate.js';

/** One process's cache on a disk that both use. */
class Node {
  readonly cache: CacheManager;
  readonly files: FaultyFileSystem;
  readonly errors: string[] = [];
  runs = 0;

  constructor(
    readonly name: string,
    files: FaultyFileSystem,
    clock: FakeClock,
  ) {
    this.files = files;
    this.cache = new CacheManager({ clock }, (wiring) => {
      const disk = {
        persistDir: '/cache',
        mode: 'multi',
        syncInterval: '1h',
        consolidateInterval: null,
      } as const;
      return [
        new DiskTier({ options: resolveDiskOptions({ ...disk, flushOnExit: false }), files, ...wiring }),
      ];
    });
    this.cache.on('error', ({ error }) => this.errors.push(error.message));
  }

  call(key: number): Promise<string> {
    return this.cache.getOrSet('tool', key, async () => {
      this.runs += 1;
      await settle();
      return `${key} by ${this.name}`;
    });
  }
}

async function start(): Promise<{ nodes: readonly [Node, Node]; clock: FakeClock }> {
  const clock = new FakeClock(Date.UTC(2026, 10, 21, 12));
  const disk = new FaultyFileSystem();
  disk.now = () => clock.now();
  disk.plant('/cache/other', Buffer.from(''));
  const nodes = [new Node('a', disk.beside(), clock), new Node('b', disk.beside(), clock)] as const;
  for (const { cache } of nodes) await cache.open();
  return { nodes, clock };
}

/** Lets time pass until something has come to its end. */
async function passing<T>(clock: FakeClock, task: Promise<T>, place = ''): Promise<T> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  task.then(end, end);
  for (let step = 0; step < 500_000 && !isOver; step += 1) {
    await settle();
    if (!isOver) clock.advance(5);
  }
  expect(isOver, place).toBe(true);
  return task;
}

describe('loads that two caches share', () => {
  it('run one tool, and leave nothing behind', async () => {
    const { nodes, clock } = await start();
    const [a, b] = nodes;
    const answers = await passing(clock, Promise.all([a.call(1), b.call(1)]));
    expect([new Set(answers).size, a.runs + b.runs]).toEqual([1, 1]);
    await passing(clock, Promise.all(nodes.map(({ cache }) => cache.flush())));
    expect(await passing(clock, b.call(1))).toBe(answers[0]);
    for (const { cache } of nodes) await passing(clock, cache.close());
    expect(a.files.paths().filter((path) => path.includes('.flights'))).toEqual([]);
    expect([a.errors, b.errors, a.files.openFiles, b.files.openFiles]).toEqual([[], [], 0, 0]);
  });

  it('are not made again after the one that loaded has written and gone, for no listing of folders that stay as they are', async () => {
    const { nodes, clock } = await start();
    const [a, b] = nodes;
    await passing(clock, a.call(1));
    await passing(clock, a.cache.flush());
    expect(await passing(clock, b.call(1))).toBe('1 by a');
    const lists = () => b.files.calls.filter((call) => call.startsWith('list ')).length;
    // By then all folders have been as they are for long enough.
    clock.advance(5_000);
    await passing(clock, b.call(2));
    const before = lists();
    await passing(clock, b.call(3));
    expect(lists()).toBe(before);
    // The same file grows, and a new one is made beside it.
    await passing(clock, a.call(4));
    await passing(clock, a.cache.flush());
    expect(await passing(clock, b.call(4))).toBe('4 by a');
    await passing(clock, a.cache.set('other', 1, 'x'));
    await passing(clock, a.cache.clear('tool'));
    await passing(clock, a.cache.flush());
    expect(await passing(clock, b.call(5))).toBe('5 by b');
    expect(await passing(clock, b.cache.get('tool', 1))).toBeUndefined();
    expect(lists()).toBeGreaterThan(before);
    for (const { cache } of nodes) await passing(clock, cache.close());
    expect([a.errors, b.errors]).toEqual([[], []]);
  });

  it('read the files of their own method alone, whatever others have written', async () => {
    const { nodes, clock } = await start();
    const [a, b] = nodes;
    await passing(clock, a.call(1));
    await passing(clock, a.cache.set('other', 1, 'x'));
    await passing(clock, a.cache.flush());
    const before = b.files.calls.length;
    expect(await passing(clock, b.call(1))).toBe('1 by a');
    const paths = b.files.calls.slice(before).map((call) => basename(call.split(' ').at(-1)!));
    const hashes = paths.filter((name) => name.endsWith('.cache')).map((name) => name.slice(0, 32));
    expect(new Set(hashes)).toEqual(new Set([hashMethod('tool')]));
    expect(await passing(clock, b.cache.get('other', 1))).toBe(undefined);
    for (const { cache } of nodes) await passing(clock, cache.close());
  });

  it('leave what the dead have left to who sweeps it, and what lives where it is', async () => {
    const { nodes, clock } = await start();
    const [a, b] = nodes;
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const plant = (name: string, note: object) =>
      a.files.plant(`/cache/.flights/${name}`, Buffer.from(`${JSON.stringify(note)}\n`));
    const [died, lives, silent] = ['1', '2', '3'].map((digit) => digit.repeat(32));
    plant(died!, { ...ownNote(), token: randomId(), pid: dead });
    plant(lives!, { ...ownNote(), token: randomId() });
    plant(silent!, { ...ownNote(), token: randomId(), host: 'elsewhere' });
    plant(`.${'4'.repeat(32)}.tmp`, {});
    const left = () => a.files.paths().flatMap((path) => (path.includes('.flights') ? [basename(path)] : []));
    const sweep = new Node('c', a.files.beside(), clock);
    await sweep.cache.open();
    await passing(clock, settle());
    expect(left()).toEqual([`.${'4'.repeat(32)}.tmp`, lives, silent]);
    clock.advance(6_000_000);
    plant(lives!, { ...ownNote(), token: randomId() });
    const again = new Node('d', a.files.beside(), clock);
    await again.cache.open();
    await passing(clock, settle());
    expect(left()).toEqual([lives]);
    for (const { cache } of [a, b, sweep, again]) await passing(clock, cache.close());
  });

  it('go on alone when the disk does not answer any more', async () => {
    const { nodes, clock } = await start();
    const [a, b] = nodes;
    a.files.create = () => new Promise(() => undefined);
    const began = clock.elapsed();
    expect(await passing(clock, a.call(1))).toBe('1 by a');
    expect(clock.elapsed() - began).toBeLessThan(61_000);
    expect(await passing(clock, b.call(1))).toBe('1 by b');
  });

  for (const fault of ['ENOSPC', 'EIO', 'EMFILE', 'short'] as const) {
    it.each(['once', 'there', 'lastingly'] as const)(
      `answer every call when the disk fails by ${fault} %s`,
      async (how) => {
        for (let at = 0; ; at += 1) {
          const { nodes, clock } = await start();
          const [a, b] = nodes;
          const before = a.files.calls.length;
          a.files.failAt(before + at, fault, how === 'there' ? 'there' : how === 'lastingly');
          const calls = await passing(clock, Promise.all([a.call(1), b.call(1), a.call(2)]));
          const place = `${how} at call ${at}, ${a.files.calls[before + at]}`;
          expect(calls[0], place).toMatch(/^1 by [ab]$/);
          expect(calls[1], place).toMatch(/^1 by [ab]$/);
          expect(calls[2], place).toBe('2 by a');
          const { wasReached } = a.files;
          a.files.heal();
          for (const { cache } of nodes)
            await passing(
              clock,
              cache.flush().catch(() => undefined),
            );
          clock.advance(40_000);
          for (const { cache } of nodes) await passing(clock, cache.flush());
          // And what comes after it is shared again.
          const runs = a.runs + b.runs;
          const [one, two] = await passing(clock, Promise.all([a.call(3), b.call(3)]));
          expect([one, a.runs + b.runs], place).toEqual([two, runs + 1]);
          for (const { cache } of nodes) await passing(clock, cache.close());
          // What is opened before it fails, or can't be closed, is the file system's.
          const isClosable = how === 'once' && fault !== 'short' && !place.includes(', close ');
          if (isClosable) expect([a.files.openFiles, b.files.openFiles], place).toEqual([0, 0]);
          if (!wasReached) break;
          // A read that is cut short is tried again, and the removal of what has gone already is none.
          if (how === 'lastingly') expect(a.errors.length, place).toBeGreaterThan(0);
        }
      },
    );
  }
});
