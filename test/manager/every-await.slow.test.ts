/**
 * A write, deletion, clearing or invalidation at every single turn of the microtask queue that an operation takes: the
 * long form leaves none out, where `interleaving.slow.test.ts` draws. Files and zlib's thread pool answer within the queue.
 */

import { beforeAll, describe, expect, it, vi } from 'vitest';
import { CacheManager, type CacheOptions } from '../../src/index.js';
import { resolveDiskOptions } from '../../src/persistence/disk-options.js';
import { DiskTier } from '../../src/persistence/disk-tier.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { FaultyFileSystem } from '../helper/faulty-file-system.js';
import { inForm } from '../helper/form.js';
import { settle } from '../helper/gate.js';
import { pool } from './interleaving/stepped-zlib.js';

vi.mock('node:zlib', async (actual) =>
  (await import('./interleaving/stepped-zlib.js')).steppedZlib(await actual()),
);

interface Answer {
  readonly version: number;
}

/** With `npm run test:interleaving`; else the longest operation is not met at every turn. */
const isFull = process.env['TOOLSTASH_INTERLEAVINGS'] !== undefined;
const ttl = 1000;
const options = { ttl, staleWhileRevalidate: 500, maxSize: 2, tags: ['all'] } as const satisfies CacheOptions;

/** One process's cache on a disk, and the source that its tool asks. */
class Process {
  readonly clock: FakeClock;
  readonly cache: CacheManager;
  readonly tier: DiskTier;
  version = 1;

  constructor(files: FaultyFileSystem, clock: FakeClock) {
    this.clock = clock;
    let tier: DiskTier | undefined;
    this.cache = new CacheManager({ ...options, clock }, (wiring) => {
      const disk = { persistDir: '/cache', durability: 'disk', consolidateInterval: null } as const;
      const resolved = resolveDiskOptions({ ...disk, flushOnExit: false, partitionBytes: 1500 });
      tier = new DiskTier({ options: resolved, files, ...wiring });
      return [tier];
    });
    this.tier = tier!;
  }

  readonly load = async (): Promise<Answer> => {
    const { version } = this;
    await null;
    await null;
    return { version };
  };

  ask(): Promise<Answer> {
    return this.cache.getOrSet('tool', 1, this.load);
  }
}

/** What may be under way. */
const operations: Readonly<Record<string, (process: Process) => Promise<unknown>>> = {
  'a lookup on disk': ({ cache }) => cache.lookup('tool', 1),
  'a call that finds a stale value on disk, and its renewal': async (process) => {
    process.clock.advance(ttl + 100);
    await process.ask();
    for (let turn = 0; turn < 20; turn++) await null;
  },
  'a load, and the flush of its answer': async (process) => {
    process.clock.advance(ttl + 600);
    await process.ask();
    await process.cache.flush();
  },
  'a set, and its flush': async ({ cache }) => {
    await cache.set('tool', 1, { version: 1 });
    await cache.flush();
  },
  'a consolidation': ({ tier }) => tier.consolidate(),
  'a lookup, and a load of all files': async ({ cache, tier }) => {
    await cache.lookup('tool', 1);
    await tier.load({ mode: 'full' });
    await cache.lookup('tool', 1);
  },
};

/** What comes between: its effect is there when it returns. */
const writes: Readonly<Record<string, (process: Process) => unknown>> = {
  set: ({ cache, version }) => cache.set('tool', 1, { version }),
  delete: ({ cache }) => cache.delete('tool', 1),
  clear: ({ cache }) => cache.clear('tool'),
  invalidateTags: ({ cache }) => cache.invalidateTags(['all']),
};

let folder: FaultyFileSystem;
let start: number;

/** A folder in which the entry is older than others, and lies in two files. */
beforeAll(async () => {
  pool.step = () => Promise.resolve();
  folder = new FaultyFileSystem();
  const clock = new FakeClock();
  for (const version of [0, 1]) {
    clock.advance(1);
    const { cache } = new Process(folder, clock);
    await cache.set('tool', 1, { version });
    await cache.flush();
    for (const other of [2, 3]) await cache.set('tool', other, { version, text: 'x'.repeat(500) });
    await cache.close();
  }
  start = clock.now() + 1;
});

interface Meeting {
  readonly operation: string;
  readonly write: string;
  /** Who comes right after: one who only looks, or one who would load and so hides what may have come back. */
  readonly after: 'a look' | 'a call';
}

/** Runs an operation with a write at one turn of it; tells what was wrong, and whether the operation was over by then. */
async function runAt(turns: number, { operation, write, after }: Meeting): Promise<[string[], boolean]> {
  const problems: string[] = [];
  const files = folder.afterPowerLoss('dropped');
  const clock = new FakeClock(start);
  const process = new Process(files, clock);
  const check = (answer: Answer | undefined, when: string) => {
    if (answer !== undefined && answer.version < process.version)
      problems.push(`turn ${turns}: ${when} gave version ${answer.version} of ${process.version}`);
  };
  let isOver = false;
  const running = operations[operation]!(process).then(() => {
    isOver = true;
  });
  for (let turn = 0; turn < turns; turn++) await null;
  const wasOver = isOver;
  process.version += 1;
  void writes[write]!(process);
  const answer = after === 'a look' ? await process.cache.get<Answer>('tool', 1) : await process.ask();
  check(answer, `${after} right after`);
  await running;
  await settle();
  check(await process.cache.get<Answer>('tool', 1), 'a look later');
  await process.cache.close();
  clock.advance(1);
  const next = new Process(files, clock);
  check(await next.cache.get<Answer>('tool', 1), 'the next process');
  if (turns % (isFull ? 2 : 10) === 0) {
    await next.tier.consolidate();
    await next.tier.load({ mode: 'full' });
    check(await next.cache.get<Answer>('tool', 1), 'the next process, after a consolidation');
  }
  await next.cache.close();
  for (const { cache } of [process, next]) {
    if (cache.stats().cacheErrors > 0)
      problems.push(`turn ${turns}: ${cache.stats().cacheErrors} cache errors`);
  }
  return [problems, wasOver];
}

describe.each(Object.keys(operations))('%s', (operation) => {
  it.each(Object.keys(writes))('is overtaken by %s at every turn of it', async (write) => {
    const isLongest = operation === 'a consolidation';
    const stride = isFull ? 1 : inForm({ short: isLongest ? 23 : 7, long: isLongest ? 4 : 1 });
    for (let turns = 0; ; turns += stride) {
      const [problems, wasOver] = await runAt(turns, { operation, write, after: 'a look' });
      expect(problems).toEqual([]);
      if (isFull || turns % 3 === 0)
        expect((await runAt(turns, { operation, write, after: 'a call' }))[0]).toEqual([]);
      if (wasOver) {
        // Less would mean that the operation did not wait for anything.
        expect(turns).toBeGreaterThan(20);
        return;
      }
    }
  });
});
