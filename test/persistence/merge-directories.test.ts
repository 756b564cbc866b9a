/** Folders of other nodes flow into one: the newest of each key wins, in any order, any number of times. */

import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mergeDirectories } from '../../src/persistence/merge-directories.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier, testStart } from '../helper/disk-tier.js';

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

  it('refuses to merge a folder into itself', async () => {
    await expect(mergeDirectories([at('one')], `${at('one')}/`)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });
});
