import { beforeEach, describe, expect, it } from 'vitest';
import { batches, type PlannedGroup } from '../../../src/persistence/consolidate/plan.js';
import { hashMethod } from '../../../src/persistence/format/partition-name.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';

const persistDir = '/data/cache';
const hour = 3_600_000;

let files: FaultyFileSystem;
let clock: FakeClock;
beforeEach(() => {
  files = new FaultyFileSystem();
  clock = new FakeClock(testStart);
  files.now = () => clock.now();
});

const open = () => makeDiskTier({ persistDir, files, clock, tombstoneTtl: hour, durability: 'disk' });

/** Two partitions of each method: a value in the first; in the second another value, and a deletion of a third. */
async function fill(methods: number): Promise<void> {
  for (const part of [0, 1]) {
    const { tier, set, delete: remove } = open();
    for (let method = 0; method < methods; method += 1) {
      set(`tool ${method}`, part, `${method} ${part}`);
      if (part === 1) remove(`tool ${method}`, 'gone');
    }
    await tier.close();
    clock.advance(2 * hour);
  }
}

const partitions = () => files.paths().filter((path) => path.endsWith('.cache'));

/** File operations of a consolidation by their names. */
async function callsFor(methods: number): Promise<Map<string, number>> {
  files = new FaultyFileSystem();
  files.now = () => clock.now();
  await fill(methods);
  const { tier } = open();
  await tier.open();
  const before = files.calls.length;
  await tier.consolidate();
  const counts = new Map<string, number>();
  for (const call of files.calls.slice(before)) {
    const name = call.split(' ')[0]!;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  await tier.close();
  expect(partitions()).toHaveLength(methods);
  return counts;
}

describe('a consolidation of many methods', () => {
  it('merges each for itself, and drops the deletions of all that cover nothing any more', async () => {
    await fill(40);
    const { tier, get, errors } = open();
    const { merged, writtenEntries, failures, dropped } = await tier.consolidate();
    expect({ merged, writtenEntries, failures }).toEqual({ merged: 40, writtenEntries: 80, failures: 0 });
    expect(dropped.deletions).toBe(40);
    for (const method of [0, 17, 39])
      for (const part of [0, 1]) expect(await get(`tool ${method}`, part)).toBe(`${method} ${part}`);
    expect(partitions()).toHaveLength(40);
    await tier.close();
    expect(errors).toEqual([]);
  });

  it('lists and syncs its folder a few times for many of them, and does no more for each where there are more', async () => {
    const few = await callsFor(40);
    const many = await callsFor(160);
    const sum = (counts: Map<string, number>) => [...counts.values()].reduce((all, count) => all + count, 0);
    expect(many.get('list')).toBeLessThan(50);
    expect(many.get('syncFolder')).toBeLessThan(50);
    expect(sum(many)).toBeLessThan(sum(few) * 4.2);
  });

  it('leaves no further names behind where it fails at the first step, however often', async () => {
    await fill(3);
    const { tier } = open();
    await tier.open();
    const { syncFolder } = files;
    files.syncFolder = (path) =>
      path.endsWith('2026-11')
        ? Promise.reject(Object.assign(new Error('No'), { code: 'EIO' }))
        : syncFolder.call(files, path);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect((await tier.consolidate()).merged).toBe(0);
      expect(partitions()).toHaveLength(6);
    }
    files.syncFolder = syncFolder;
    expect((await tier.consolidate()).merged).toBe(3);
    expect(partitions()).toHaveLength(3);
    await tier.close();
  });

  it('merges the others where one of them fails', async () => {
    await fill(5);
    const { tier, get, errors } = open();
    await tier.open();
    const { openToRead } = files;
    const broken = hashMethod('tool 2');
    let isBroken = true;
    files.openToRead = (path) =>
      isBroken && path.includes(broken)
        ? Promise.reject(Object.assign(new Error('No'), { code: 'EIO' }))
        : openToRead.call(files, path);
    const { merged, failures } = await tier.consolidate();
    expect(merged).toBe(4);
    expect(failures).toBeGreaterThan(0);
    expect(partitions().filter((path) => path.includes(broken))).toHaveLength(2);
    expect(errors.length).toBeGreaterThan(0);
    isBroken = false;
    clock.advance(60_000);
    for (const part of [0, 1]) expect(await get('tool 2', part)).toBe(`2 ${part}`);
    await tier.close();
  });
});

describe('batches', () => {
  const group = (method: string, day = '20261121', count = 2, size = 100): PlannedGroup => ({
    methodHash: hashMethod(method),
    day,
    files: Array.from({ length: count }, (_, partition) => ({
      path: `${method} ${day} ${partition}`,
      name: { methodHash: hashMethod(method), day, partition },
      size,
      isClosed: true,
      isWasteful: false,
    })),
  });
  const sizes = (groups: PlannedGroup[]) => [...batches(groups)].map((batch) => batch.length);

  it('never hold two groups of one method', () => {
    expect(sizes([group('a'), group('b'), group('a', '20261122'), group('c')])).toEqual([2, 2]);
  });

  it('leave the markers for all methods to themselves', () => {
    expect(sizes([group('a'), group(''), group('b'), group('c')])).toEqual([1, 1, 2]);
  });

  it('hold no more files, nor bytes, than a large group alone', () => {
    expect(sizes([group('a', '20261121', 100), group('b', '20261121', 100), group('c')])).toEqual([1, 2]);
    const large = 2 ** 24;
    expect(sizes([group('a', '20261121', 1, large), group('b', '20261121', 1, large)])).toEqual([1, 1]);
    expect(sizes(Array.from({ length: 100 }, (_, number) => group(`tool ${number}`)))).toEqual([64, 36]);
  });
});
