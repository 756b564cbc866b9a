/** Real processes on one folder that share their loads. */

import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { verifyFiles } from '../../../src/persistence/offline/inspection.js';
import { mergeDirectories } from '../../../src/persistence/offline/merge-directories.js';
import { killChildren, makeWorkFolder, wait } from '../../helper/child-process.js';
import { buildProcess, expectQuiet, hold, startCrew, until } from './crew.js';
import type { FlightOrder } from './process.js';

let work: string;
let script: string;

beforeAll(async () => {
  work = makeWorkFolder('flights');
  script = await buildProcess(work);
});

afterEach(() => killChildren());
afterAll(() => rmSync(work, { recursive: true, force: true }));

const start = (count: number, options = {}) => startCrew({ work, script, count, options });

describe('processes that share a folder', () => {
  it.each([4, 8])('run a tool once for 64 callers of a cold key in each of %d', async (count) => {
    const crew = await start(count);
    for (const key of [1, 2, 3]) {
      await Promise.all(crew.members.map((member) => member.obey('call', key, { callers: 64, ms: 300 })));
      const answers = await Promise.all(crew.members.map((member) => member.answer(key)));
      expect(crew.runs(key)).toHaveLength(1);
      expect(new Set(answers).size).toBe(1);
    }
    const stats = (await Promise.all(crew.members.map((member) => member.obey('stats')))) as Record<
      string,
      number
    >[];
    const sum = (name: string) => stats.reduce((total, each) => total + each[name]!, 0);
    expect({ loads: sum('loads'), misses: sum('misses'), hits: sum('hits') }).toEqual({
      ...{ loads: 3, misses: 3, hits: 3 * (count - 1) },
    });
    await expectQuiet(crew);
  });

  it('run a tool once also where it is quick, and some come when others have long had the answer', async () => {
    const crew = await start(4);
    for (let key = 0; key < 40; key += 1) {
      for (const member of crew.members) {
        await member.obey('call', key, { ms: 0 });
        if (key % 4 === 0) await wait(key * 5);
      }
    }
    for (let key = 0; key < 40; key += 1) {
      const answers = await Promise.all(crew.members.map((member) => member.answer(key)));
      expect([key, new Set(answers).size, crew.runs(key).length]).toEqual([key, 1, 1]);
    }
    await expectQuiet(crew);
  });

  it('have results over 1 MiB from their partition', async () => {
    const crew = await start(4);
    await Promise.all(crew.members.map((member) => member.obey('call', 1, { ms: 200, bytes: 3_000_000 })));
    const answers = await Promise.all(crew.members.map((member) => member.answer(1)));
    expect([new Set(answers).size, crew.runs(1).length]).toEqual([1, 1]);
    await expectQuiet(crew);
  });

  it('renew a stale value once', async () => {
    const crew = await start(8, { ttl: 600, staleWhileRevalidate: 600_000 });
    await crew.members[0]!.obey('call', 1, { ms: 0 });
    await crew.members[0]!.answer(1);
    await crew.members[0]!.obey('flush');
    await Promise.all(crew.members.map((member) => member.obey('load')));
    await wait(700);
    await Promise.all(crew.members.map((member) => member.obey('call', 1, { callers: 64, ms: 400 })));
    const stale = await Promise.all(crew.members.map((member, at) => member.answer(1, at === 0 ? 2 : 1)));
    expect(new Set(stale)).toEqual(new Set(['1 by p0, run 1']));
    await until(() => crew.runs(1).length > 1);
    const [, renewer] = crew.runs(1);
    await wait(800);
    expect(crew.runs(1)).toHaveLength(2);
    // Stale again by now, but the renewed one.
    const reads = await Promise.all(crew.members.map((member) => member.obey('read', 1)));
    expect(new Set(reads).size).toBe(1);
    expect(reads[0]).toContain(`by ${renewer}`);
    await expectQuiet(crew);
  });

  it('load for themselves, one at first, where the one that loads fails, and share no error', async () => {
    const crew = await start(3);
    await hold(crew, 0, 1, { fails: true });
    await crew.members[1]!.obey('call', 1, { ms: 200 });
    await crew.members[2]!.obey('call', 1, { ms: 200 });
    await crew.members[0]!.obey('finish', 1);
    const [failed, ...answers] = await Promise.all(crew.members.map((member) => member.answer(1)));
    expect(failed).toBe('failed: 1 failed in p0');
    expect([new Set(answers).size, crew.runs(1).length]).toEqual([1, 2]);
    await expectQuiet(crew);
  });

  it('load for themselves without `shareLoads`', async () => {
    const crew = await start(3, { shareLoads: false });
    await Promise.all(crew.members.map((member) => member.obey('call', 1, { ms: 300 })));
    await Promise.all(crew.members.map((member) => member.answer(1)));
    expect(crew.runs(1)).toHaveLength(3);
    expect(readdirSync(crew.folder)).not.toContain('.flights');
    await expectQuiet(crew);
  });

  it('wait no longer than their own deadline, nor than `shareLoadsTimeout`', async () => {
    const crew = await start(3, { shareLoadsTimeout: 1_500 });
    await hold(crew, 0, 1);
    await crew.members[1]!.obey('call', 1, { ms: 0, hardTimeout: 300 });
    await crew.members[2]!.obey('call', 1, { ms: 0 });
    expect(await crew.members[1]!.answer(1)).toMatch(/^failed: .* took longer than 300 ms$/);
    expect(await crew.members[2]!.answer(1)).toBe('1 by p2, run 1');
    await crew.members[0]!.obey('finish', 1);
    expect(await crew.members[0]!.answer(1)).toBe('1 by p0, run 1');
    await expectQuiet(crew);
  });

  it('do not wait for each other for ever where their loads do', async () => {
    const crew = await start(2);
    const [one, two] = crew.members;
    await one!.obey('nest', 1, 2);
    await two!.obey('nest', 2, 1);
    await until(() => crew.runs(1).length + crew.runs(2).length === 2);
    await one!.obey('finish', 1);
    await two!.obey('finish', 2);
    expect(await one!.answer(1)).toMatch(/^1 of 2/);
    expect(await two!.answer(2)).toMatch(/^2 of 1/);
    await expectQuiet(crew);
  });
});

describe('a process that loads for others', () => {
  it('is followed at once by one of them when it is killed', async () => {
    const crew = await start(4);
    await hold(crew, 0, 1);
    const others = crew.members.slice(1);
    await Promise.all(others.map((member) => member.obey('call', 1, { ms: 300 })));
    await wait(100);
    await crew.members[0]!.child.kill();
    const answers = await Promise.all(others.map((member) => member.answer(1)));
    expect([new Set(answers).size, crew.runs(1).length]).toEqual([1, 2]);
    await Promise.all(others.map((member) => member.close()));
    expect([crew.flights(), crew.errors()]).toEqual([[], []]);
  });
});

describe('a change that arrives while another process loads', () => {
  const changes: readonly { readonly change: FlightOrder }[] = [
    { change: ['delete', 1] },
    { change: ['clear'] },
    { change: ['invalidate', 'tag'] },
    { change: ['set', 1] },
  ];

  it.each(changes)('wins over what is handed over: $change by a third', async ({ change }) => {
    const crew = await start(3);
    const [, waiting, changing] = crew.members;
    await hold(crew, 0, 1, { tags: ['tag'] });
    await waiting!.obey('call', 1, { ms: 0, tags: ['tag'] });
    await wait(100);
    await changing!.obey(...change);
    await changing!.obey('flush');
    await crew.members[0]!.obey('finish', 1);
    const isSet = change[0] === 'set';
    expect(await waiting!.answer(1)).toBe(isSet ? '1 set by p2' : '1 by p1, run 1');
    expect(crew.runs(1)).toEqual(isSet ? ['p0'] : ['p0', 'p1']);
    for (const member of crew.members) await member.obey('flush');
    for (const member of crew.members) await member.obey('load');
    const reads = await Promise.all(crew.members.map((member) => member.obey('read', 1)));
    expect(new Set(reads)).toEqual(new Set([isSet ? '1 set by p2' : '1 by p1, run 1']));
    await expectQuiet(crew);
  });

  it.each(changes)('wins over what is handed over: $change by one that waits itself', async ({ change }) => {
    const crew = await start(2);
    const [, waiting] = crew.members;
    await hold(crew, 0, 1, { tags: ['tag'] });
    await waiting!.obey('call', 1, { ms: 0, tags: ['tag'] });
    await wait(100);
    await waiting!.obey(...change);
    await waiting!.obey('call', 1, { ms: 0, tags: ['tag'] });
    await crew.members[0]!.obey('finish', 1);
    const isSet = change[0] === 'set';
    expect(await waiting!.answer(1, 2)).toBe(isSet ? '1 set by p1' : '1 by p1, run 1');
    await waiting!.obey('flush');
    await crew.members[0]!.obey('flush');
    for (const member of crew.members) await member.obey('load');
    const reads = await Promise.all(crew.members.map((member) => member.obey('read', 1)));
    expect(new Set(reads)).toEqual(new Set([isSet ? '1 set by p1' : '1 by p1, run 1']));
    await expectQuiet(crew);
  });

  it.each([{ change: ['delete', 1] }, { change: ['clear'] }, { change: ['invalidate', 'tag'] }] as const)(
    'is not one that the loading process made before, though it is read only now: $change',
    async ({ change }) => {
      const crew = await start(2);
      const [loading, waiting] = crew.members;
      await loading!.obey('set', 1);
      await loading!.obey('flush');
      await loading!.obey('delete', 1);
      await loading!.obey(...change);
      await loading!.obey('flush');
      await hold(crew, 0, 1, { tags: ['tag'] });
      await waiting!.obey('call', 1, { ms: 0, tags: ['tag'] });
      await wait(100);
      await loading!.obey('finish', 1);
      expect(await waiting!.answer(1)).toBe('1 by p0, run 1');
      expect(crew.runs(1)).toEqual(['p0']);
      await expectQuiet(crew);
    },
  );

  it('is not undone by what was handed over before it', async () => {
    const crew = await start(2, { flushInterval: 60_000 });
    const [loading, other] = crew.members;
    await loading!.obey('call', 1, { ms: 0 });
    await loading!.answer(1);
    await until(() => crew.flights().length === 1);
    await loading!.obey('delete', 1);
    await until(() => crew.flights().length === 0);
    await other!.obey('call', 1, { ms: 0 });
    expect(await other!.answer(1)).toBe('1 by p1, run 1');
    await expectQuiet(crew);
  });
});

describe('a folder of flights', () => {
  it('that is a symlink is not followed: each process loads for itself, and says so', async () => {
    const folder = mkdtempSync(join(work, 'cache-'));
    const elsewhere = mkdtempSync(join(work, 'elsewhere-'));
    symlinkSync(elsewhere, join(folder, '.flights'));
    const crew = await startCrew({ work, script, count: 2, folder });
    await Promise.all(crew.members.map((member) => member.obey('call', 1, { ms: 100 })));
    await Promise.all(crew.members.map((member) => member.answer(1)));
    expect([crew.runs(1).length, readdirSync(elsewhere)]).toEqual([2, []]);
    expect(crew.errors()[0]).toMatchObject([
      'error',
      'ERR_STORAGE',
      expect.stringContaining('Expected a folder'),
    ]);
    await crew.close();
  });

  it('with symlinks in the place of files breaks no call', async () => {
    const crew = await start(2);
    await crew.members[0]!.obey('call', 1, { ms: 0 });
    await crew.members[0]!.answer(1);
    const { CacheManager } = await import('../../../src/index.js');
    const keyOf = (key: number) => new CacheManager().key('tool', key);
    const secret = join(work, 'secret');
    writeFileSync(secret, '{"host":"secret"}\n');
    symlinkSync(secret, join(crew.folder, '.flights', keyOf(2)));
    symlinkSync(join(work, 'nowhere'), join(crew.folder, '.flights', keyOf(3)));
    for (const key of [2, 3]) {
      await crew.members[1]!.obey('call', key, { ms: 0 });
      expect(await crew.members[1]!.answer(key)).toBe(`${key} by p1, run ${key - 1}`);
      // Until it tries again.
      await wait(1_100);
    }
    expect(crew.errors()).toHaveLength(2);
    await crew.close();
  });

  it('is nothing to those who look into the folder, merge or consolidate it', async () => {
    const crew = await start(2, { flushInterval: 60_000 });
    const [loading, other] = crew.members;
    await other!.obey('call', 1, { ms: 0 });
    await other!.answer(1);
    await other!.obey('flush');
    await loading!.obey('call', 2, { ms: 0 });
    await loading!.answer(2);
    await until(() => crew.flights().length === 1);
    await hold(crew, 0, 3);
    writeFileSync(join(crew.folder, '.flights', 'f'.repeat(32)), 'garbage');
    expect(crew.flights()).toHaveLength(3);

    const { files, unlisted } = await verifyFiles([crew.folder]);
    expect([files.map(({ values, damage }) => [values, damage]), unlisted]).toEqual([[[1, []]], []]);
    const merged = mkdtempSync(join(work, 'merged-'));
    expect(await mergeDirectories([crew.folder], merged)).toMatchObject({ readFiles: 1, skipped: [] });
    expect(readdirSync(merged).filter((name) => !/^\d{4}-\d{2}$/.test(name))).toEqual([]);
    await other!.obey('consolidate');
    expect(crew.flights()).toHaveLength(3);
    await loading!.obey('finish', 3);
    await loading!.answer(3);
    expect(crew.errors()).toEqual([]);
    await crew.close();
    expect(crew.flights()).toEqual(['f'.repeat(32)]);
  });
});
