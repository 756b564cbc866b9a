/** Which partitions count as closed, and that the one a writer goes on with is never among them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClosingFacts,
  findClosed,
  noWriter,
  type PartitionTraces,
} from '../../../src/persistence/consolidate/closed-partitions.js';
import { encodeTombstone } from '../../../src/persistence/format/member-body.js';
import {
  hashMethod,
  parsePartitionFileName,
  utcDay,
} from '../../../src/persistence/format/partition-name.js';
import { PartitionFiles } from '../../../src/persistence/write/partition-files.js';
import { PartitionWriter } from '../../../src/persistence/write/partition-writer.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';

const [minute, hour] = [60_000, 3_600_000];
const [own, other, third] = ['1', '2', '3'].map((digit) => digit.repeat(16)) as [string, string, string];
const closeAfter = 10 * minute;

function facts(changes: Partial<ClosingFacts> = {}): ClosingFacts {
  return {
    options: { mode: 'multi', closeAfter, networkCloseAfter: hour },
    now: testStart,
    isOnNetwork: false,
    writer: own,
    hasLeft: () => Promise.resolve(false),
    ...changes,
  };
}

function partition(path: string, changes: Partial<PartitionTraces> = {}): PartitionTraces {
  const methodHash = hashMethod('search');
  return { path, day: utcDay(testStart), writer: other, methodHash, modifiedAt: testStart, ...changes };
}

async function closedOf(
  partitions: readonly PartitionTraces[],
  changes: Partial<ClosingFacts> = {},
): Promise<string[]> {
  return [...(await findClosed(partitions, facts(changes)))].sort();
}

describe('a partition of a shared folder', () => {
  it('is closed once it was not appended to for `closeAfter`', async () => {
    const [young, old] = [testStart - closeAfter, testStart - closeAfter - 1];
    const partitions = [
      partition('young', { modifiedAt: young, writer: other }),
      partition('old', { modifiedAt: old, writer: third }),
      partition('plain', { modifiedAt: old, writer: undefined }),
    ];
    expect(await closedOf(partitions)).toEqual(['old', 'plain']);
  });

  it('is closed once its writer has appended to another one of its method', async () => {
    const partitions = [
      partition('first', { modifiedAt: testStart - 3 }),
      partition('second', { modifiedAt: testStart - 2 }),
      partition('last', { modifiedAt: testStart - 1 }),
      partition('of another method', { modifiedAt: testStart - 3, methodHash: hashMethod('fetch') }),
      partition('of another writer', { modifiedAt: testStart - 3, writer: third }),
      partition('plain', { modifiedAt: testStart - 3, writer: undefined }),
    ];
    expect(await closedOf(partitions)).toEqual(['first', 'second']);
  });

  it('is not closed by another one that is dated the same', async () => {
    expect(await closedOf([partition('first'), partition('second')])).toEqual([]);
  });

  it('is closed once its day is over, also where clocks are two hours apart', async () => {
    const partitions = [partition('touched', { modifiedAt: Number.POSITIVE_INFINITY })];
    const midnight = Date.UTC(2026, 10, 22);
    expect(await closedOf(partitions, { now: midnight + 2 * hour - 1 })).toEqual([]);
    expect(await closedOf(partitions, { now: midnight + 2 * hour })).toEqual(['touched']);
  });

  it('is closed when its writer has left, who is asked once and only where that matters', async () => {
    const asked: string[] = [];
    const hasLeft = (writer: string) => {
      asked.push(writer);
      return Promise.resolve(writer === other);
    };
    const partitions = [
      partition('left'),
      partition('left, another method', { methodHash: hashMethod('fetch') }),
      partition('there', { writer: third }),
      partition('old', { writer: '4'.repeat(16), modifiedAt: 0 }),
      partition('plain', { writer: undefined }),
    ];
    expect(await closedOf(partitions, { hasLeft })).toEqual(['left', 'left, another method', 'old']);
    expect(asked).toEqual([other, third]);
  });

  it('is closed when it was finished before it got its name, or is of this very process', async () => {
    const partitions = [partition('product', { writer: noWriter }), partition('own', { writer: own })];
    expect(await closedOf(partitions)).toEqual(['own', 'product']);
  });
});

describe('a partition of a folder that one process has alone', () => {
  it('is closed', async () => {
    const options = { mode: 'single', closeAfter, networkCloseAfter: hour } as const;
    expect(await closedOf([partition('any')], { options })).toEqual(['any']);
  });
});

describe('a partition on a network file system', () => {
  for (const mode of ['single', 'multi'] as const) {
    it(`of another process is closed by time alone, after \`networkCloseAfter\`, with mode: ${mode}`, async () => {
      const partitions = [
        partition('old', { modifiedAt: testStart - hour - 1 }),
        partition('young', { modifiedAt: testStart - hour }),
        partition('product', { writer: noWriter }),
        partition('own', { writer: own }),
      ];
      const options = { mode, closeAfter, networkCloseAfter: hour };
      const changes = { options, isOnNetwork: true, hasLeft: () => Promise.resolve(true) };
      expect(await closedOf(partitions, changes)).toEqual(['old', 'own']);
    });
  }

  it('is never closed before `closeAfter`', async () => {
    const options = { mode: 'multi', closeAfter: 2 * hour, networkCloseAfter: hour } as const;
    const partitions = [partition('any', { modifiedAt: testStart - 2 * hour })];
    expect(await closedOf(partitions, { options, isOnNetwork: true })).toEqual([]);
  });
});

/** A writer on a disk in memory, and what others can see of it. */
class Scene {
  readonly files = new FaultyFileSystem();
  /** Shortly before midnight. */
  readonly clock = new FakeClock(Date.UTC(2026, 10, 21, 23, 58));
  readonly writer: PartitionWriter;
  /** Where each method was appended to, in order. */
  readonly appended = new Map<string, string[]>();
  /** Which file operation of the next write fails. */
  failsAt: number | undefined;
  readonly #fenced = new Set<string>();
  #entries = 0;

  constructor() {
    this.files.now = () => this.clock.now();
    const maker = new PartitionFiles({
      files: this.files,
      folder: '/cache',
      fileMode: 0o600,
      folderMode: 0o700,
      syncsFolders: false,
    });
    this.writer = new PartitionWriter({
      files: this.files,
      maker,
      writer: other,
      durability: 'os',
      partitionBytes: 3_000,
      closeAfter,
      compressionLevel: 1,
      now: () => this.clock.now(),
      elapsed: () => this.clock.elapsed(),
      onWritten: () => undefined,
    });
  }

  async open(): Promise<void> {
    await this.files.makeFolder('/cache', { mode: 0o700, recursive: true });
  }

  /** The files that were appended to although they counted as closed, after another one, or on another day. */
  async write(method: string, count = 1): Promise<string[]> {
    const closed = await findClosed(await this.traces(), facts({ now: this.clock.now() }));
    const from = this.files.calls.length;
    const entries = Array.from({ length: count }, () => {
      this.#entries += 1;
      const key = this.#entries.toString(16).padStart(32, '0');
      return encodeTombstone(key, { time: this.#entries, writer: other });
    });
    if (this.failsAt !== undefined) this.files.failAt(from + this.failsAt, 'ENOSPC');
    this.failsAt = undefined;
    // Its failure is what the scene is about; what comes of it shows in the files.
    await this.writer.write(method, entries).catch(() => undefined);
    this.files.heal();
    const paths = this.files.calls.slice(from).flatMap((call) => /^append (.*)$/.exec(call)?.[1] ?? []);
    const earlier = this.appended.get(method) ?? [];
    this.appended.set(method, [...earlier, ...paths]);
    return paths.filter((path) => {
      const isTakenUpAgain = earlier.includes(path) && earlier.at(-1) !== path;
      const isOfToday = path.includes(`_${utcDay(this.clock.now())}_`);
      return isTakenUpAgain || !isOfToday || (closed.has(path) && !this.#fenced.has(path));
    });
  }

  /** Takes the file away that the writer would append to next. */
  async fence(method: string): Promise<void> {
    const path = this.writer.paths.find((one) => one.includes(hashMethod(method)));
    if (path === undefined || this.#fenced.has(path)) return;
    this.#fenced.add(path);
    await this.files.rename(path, path.replace(/_\d+\.cache$/, `_${900_000 + this.#fenced.size}.cache`));
  }

  async traces(): Promise<PartitionTraces[]> {
    const traces: PartitionTraces[] = [];
    for (const path of this.files.paths()) {
      const { methodHash, day } = parsePartitionFileName(path.slice(path.lastIndexOf('/') + 1))!;
      const { size, modifiedAt } = await this.files.status(path);
      traces.push({ path, day, methodHash, modifiedAt, writer: size === 0 ? undefined : other });
    }
    return traces;
  }
}

type Step = ['write', string, number] | ['fence', string] | ['wait', number] | ['fail', number];

const method = fc.constantFrom('search', 'fetch');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('write' as const), method, fc.integer({ min: 1, max: 40 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('fence' as const), method) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('wait' as const),
      fc.constantFrom(10, minute, closeAfter / 2 - 10, closeAfter / 2, closeAfter + 1, 13 * hour),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('fail' as const), fc.integer({ min: 0, max: 6 })) },
);

describe('a writer', () => {
  it('appends to no partition that counts as closed, and never comes back to an earlier one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const scene = new Scene();
        await scene.open();
        for (const [kind, ...rest] of steps) {
          scene.clock.advance(1);
          if (kind === 'write') expect(await scene.write(...(rest as [string, number]))).toEqual([]);
          else if (kind === 'wait') scene.clock.advance(rest[0] as number);
          else if (kind === 'fence') await scene.fence(rest[0] as string);
          else scene.failsAt = rest[0] as number;
        }
      }),
      { numRuns: 150 },
    );
  });

  it('comes back to its own partition where it closed the file because too many were open', async () => {
    const scene = new Scene();
    await scene.open();
    const methods = Array.from({ length: 258 }, (_, number) => `method ${number}`);
    for (const name of [...methods, ...methods.slice(0, 3)]) {
      scene.clock.advance(1);
      expect(await scene.write(name)).toEqual([]);
    }
    expect(scene.writer.paths).toHaveLength(258);
    const opened = methods.slice(0, 3).map((name) => new Set(scene.appended.get(name)).size);
    expect(opened).toEqual([1, 1, 1]);
  });
});
