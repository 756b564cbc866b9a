/** Folders of other nodes flow into one: the newest of each key wins, in any order, any number of times. */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../src/persistence/file-system.js';
import { mergeDirectories } from '../../../src/persistence/offline/merge-directories.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../../helper/disk-tier.js';
import { FaultyFileSystem } from '../../helper/faulty-file-system.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toolstash-merge-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (name: string) => join(root, name);

/** Three folders in which each key's newest entry lies elsewhere. */
async function makeNodes(): Promise<string[]> {
  const clock = new FakeClock(testStart);
  const names = ['a', 'b', 'c'];
  const nodes = names.map((name) => makeDiskTier({ persistDir: at(name), clock }));
  for (let step = 0; step < 60; step += 1) {
    clock.advance(1);
    const node = nodes[(step * 7) % 3]!;
    if (step % 11 === 10) node.delete('search', step % 9);
    else
      node.set(
        step % 5 === 0 ? 'fetch' : 'search',
        step % 9,
        `${step}`,
        step % 4 === 0 ? { tags: ['t'] } : {},
      );
    if (step === 40) node.tier.clear('fetch', node.stamps.next());
    if (step === 50) node.tier.invalidateTag('t', node.stamps.next());
    if (step % 6 === 0) await node.tier.flush();
  }
  for (const { tier } of nodes) await tier.close();
  return names.map(at);
}

async function contents(folder: string): Promise<unknown[]> {
  const one = makeDiskTier({ persistDir: folder, clock: new FakeClock(testStart) });
  const found: unknown[] = [];
  for (const method of ['search', 'fetch']) {
    for (let key = 0; key < 9; key += 1) found.push([method, key, await one.get(method, key)]);
  }
  expect(one.errors).toEqual([]);
  await one.tier.close();
  return found;
}

describe('merging folders', () => {
  it('comes to the same in every order, at once or one by one, and writes nothing the second time', async () => {
    const nodes = await makeNodes();
    const before = nodes.map((folder) => readdirSync(folder, { recursive: true }).sort());
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    const results: unknown[] = [];
    for (const [number, order] of orders.entries()) {
      for (const node of order) await mergeDirectories([nodes[node]!], at(`one-by-one-${number}`));
      results.push(await contents(at(`one-by-one-${number}`)));
    }
    const first = await mergeDirectories(nodes, at('at-once'));
    expect(first.writtenEntries).toBeGreaterThan(9);
    results.push(await contents(at('at-once')));
    for (const result of results) expect(result).toEqual(results[0]);
    expect(
      new Set((results[0] as [string, number, unknown][]).map(([, , value]) => value)).size,
    ).toBeGreaterThan(4);
    const files = readdirSync(at('at-once'), { recursive: true }).sort();
    expect(await mergeDirectories([...nodes].reverse(), at('at-once'))).toMatchObject({
      writtenFiles: 0,
      writtenEntries: 0,
      skipped: [],
    });
    expect(readdirSync(at('at-once'), { recursive: true }).sort()).toEqual(files);
    expect(nodes.map((folder) => readdirSync(folder, { recursive: true }).sort())).toEqual(before);
  });

  it('takes nothing over that the folder has something newer of', async () => {
    const clock = new FakeClock(testStart);
    const one = makeDiskTier({ persistDir: at('one'), clock });
    one.set('search', 1, 'old');
    one.set('search', 2, 'old');
    await one.tier.flush();
    cpSync(at('one'), at('copy'), { recursive: true });
    clock.advance(1);
    one.set('search', 1, 'new');
    one.delete('search', 2);
    await one.tier.close();
    expect(await mergeDirectories([at('copy')], at('one'))).toMatchObject({ writtenEntries: 0 });
    const after = makeDiskTier({ persistDir: at('one'), clock });
    expect(await after.get('search', 1)).toBe('new');
    expect(await after.get('search', 2)).toBeUndefined();
    await after.tier.close();
  });

  it('leaves out a file in which reading finds damage, tells it, and merges the rest', async () => {
    const clock = new FakeClock(testStart);
    const one = makeDiskTier({ persistDir: at('one'), clock });
    one.set('search', 1, `old ${'x'.repeat(100)}`);
    one.set('fetch', 1, 'of another method');
    await one.tier.close();
    clock.advance(1);
    const two = makeDiskTier({ persistDir: at('two'), clock });
    two.delete('search', 1);
    await two.tier.flush();
    two.set('search', 2, 'lost');
    await two.tier.close();
    const [month] = readdirSync(at('two')).filter((name) => name.startsWith('2026'));
    const [name] = readdirSync(join(at('two'), month!));
    const damaged = join(at('two'), month!, name!);
    const bytes = readFileSync(damaged);
    const second = bytes.indexOf(Buffer.of(0x1f, 0x8b, 8), 10);
    bytes[second - 10]! ^= 0xff;
    writeFileSync(damaged, bytes);
    const report = await mergeDirectories([at('one'), at('two')], at('into'));
    expect(report).toMatchObject({ skipped: [damaged], writtenEntries: 2, readFiles: 2 });
    const into = makeDiskTier({ persistDir: at('into'), clock });
    expect(await into.get('fetch', 1)).toBe('of another method');
    // Nothing is taken from the file, its deletion neither: as if it were not there.
    expect(await into.get('search', 1)).toMatch(/^old/);
    expect(await into.get('search', 2)).toBeUndefined();
    await into.tier.close();
    expect(readFileSync(damaged)).toEqual(bytes);
  });

  it('looks again where the owner of a folder has merged its files meanwhile', async () => {
    const files = new FaultyFileSystem();
    const clock = new FakeClock(testStart);
    files.now = () => clock.now();
    for (let round = 0; round < 3; round += 1) {
      const writer = makeDiskTier({ persistDir: '/data/node', files, clock });
      writer.set('search', round, `value ${round}`);
      writer.set('fetch', round, `value ${round}`);
      await writer.tier.close();
      clock.advance(1_000);
    }
    let opened = 0;
    const owner = makeDiskTier({ persistDir: '/data/node', files: files.beside(), clock });
    const view = files.beside();
    const openToRead = async (path: string) => {
      if (path.startsWith('/data/node')) opened += 1;
      if (opened === 8) await owner.tier.consolidate();
      return view.openToRead(path);
    };
    const moving: FileSystem = {
      openToRead,
      openToAppend: (path) => view.openToAppend(path),
      create: (path, mode) => view.create(path, mode),
      list: (path) => view.list(path),
      status: (path) => view.status(path),
      makeFolder: (path, options) => view.makeFolder(path, options),
      link: (path, newPath) => view.link(path, newPath),
      rename: (path, newPath) => view.rename(path, newPath),
      unlink: (path) => view.unlink(path),
      syncFolder: (path) => view.syncFolder(path),
    };
    const report = await mergeDirectories(['/data/node'], '/data/into', { files: moving, clock });
    expect(opened).toBeGreaterThan(8);
    expect(report.skipped).toEqual([]);
    const into = makeDiskTier({ persistDir: '/data/into', files, clock });
    for (const method of ['search', 'fetch'])
      for (let round = 0; round < 3; round += 1) expect(await into.get(method, round)).toBe(`value ${round}`);
    await into.tier.close();
    await owner.tier.close();
  });

  it('refuses to merge a folder into itself', async () => {
    await expect(mergeDirectories([at('one')], `${at('one')}/`)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });
});
