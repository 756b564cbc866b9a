/** Real processes on one folder, ten seconds apart by their clocks: what one deletes stays deleted for the other. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildScript, Child, killChildren, makeWorkFolder, wait } from '../../helper/child-process.js';
import { dateShifter, makeClock } from '../../helper/shifted-clock.js';
import type { CacheOrder } from './cache-process.js';

let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('fast-clock');
  script = await buildScript(
    fileURLToPath(new URL('cache-process.ts', import.meta.url)),
    join(work, 'built'),
  );
});

afterAll(async () => {
  await killChildren();
  rmSync(work, { recursive: true, force: true });
});

/** A process with a cache, whose clock is off by so many seconds. */
class Node {
  readonly child: Child;

  constructor(folder: string, seconds: number) {
    const clock = makeClock(dateShifter, work, `by ${seconds}`, seconds);
    this.child = new Child({ ...clock.settings, script, args: [folder] });
  }

  async obey(...order: CacheOrder): Promise<unknown> {
    const done = this.child.next('done');
    this.child.send(JSON.stringify(order));
    return (await done)[1];
  }

  async close(): Promise<void> {
    this.child.send(JSON.stringify(['close']));
    await this.child.ended;
  }
}

async function startTwo(first: number, second: number): Promise<readonly [Node, Node]> {
  const folder = mkdtempSync(join(work, 'cache-'));
  const nodes = [new Node(folder, first), new Node(folder, second)] as const;
  await Promise.all(nodes.map(({ child }) => child.next('ready')));
  return nodes;
}

const changes = ['delete', 'clear', 'invalidate'] as const;

describe.each([
  { loader: 10, deleter: 0 },
  { loader: 0, deleter: -10 },
  { loader: -10, deleter: 10 },
])('a load by a clock that is off by $loader s, and a change by one off by $deleter s', (off) => {
  it('that came during the load stay in this order, whether the load heard of it or not', async () => {
    const [loading, changing] = await startTwo(off.loader, off.deleter);
    const found: Record<string, unknown> = {};
    for (const change of changes) {
      // The change is in the folder, and read, before the load has ended.
      const heard = `heard-${change}`;
      await loading.obey('begin', heard);
      await changing.obey(change, heard);
      await changing.obey('flush');
      await loading.obey('load');
      await loading.obey('end', heard);
      await loading.obey('flush');
      await changing.obey('load');
      found[`${heard} by the loader`] = await loading.obey('read', heard);
      found[`${heard} by the other`] = await changing.obey('read', heard);

      // What was loaded is in the folder before the change is.
      const unheard = `unheard-${change}`;
      await loading.obey('begin', unheard);
      await wait(60);
      await changing.obey(change, unheard);
      await loading.obey('end', unheard);
      await loading.obey('flush');
      await changing.obey('flush');
      await loading.obey('load');
      await changing.obey('load');
      found[`${unheard} by the loader`] = await loading.obey('read', unheard);
      found[`${unheard} by the other`] = await changing.obey('read', unheard);

      // What was set is deleted by one that has not heard of it.
      const set = `set-${change}`;
      await loading.obey('set', set, 'before');
      await wait(60);
      await changing.obey(change, set);
      await loading.obey('flush');
      await changing.obey('flush');
      await loading.obey('load');
      await changing.obey('load');
      found[`${set} by the setter`] = await loading.obey('read', set);
      found[`${set} by the other`] = await changing.obey('read', set);
    }
    // A value that was loaded after the change holds.
    await changing.obey('delete', 'after');
    await wait(60);
    await loading.obey('begin', 'after');
    await loading.obey('end', 'after');
    for (const node of [loading, changing]) await node.obey('flush');
    for (const node of [loading, changing]) await node.obey('load');
    const after = [await loading.obey('read', 'after'), await changing.obey('read', 'after')];
    for (const node of [loading, changing]) await node.close();
    expect(Object.entries(found).filter(([, value]) => value !== null)).toEqual([]);
    expect(after).toEqual(['after loaded', 'after loaded']);
    for (const { child } of [loading, changing]) expect(child.of('error')).toEqual([]);
  });
});
