/** `toolstash report --html`: what is in the file. */

import { copyFile, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DashboardFigures } from '../../src/dashboard/figures.js';
import { root } from './built-command-line.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
beforeAll(async () => {
  commandLine = await openCommandLine();
});
afterAll(() => commandLine.remove());

const trace = join(root, 'examples/replay/trace.jsonl');

async function figuresIn(file: string): Promise<DashboardFigures> {
  const page = await readFile(join(commandLine.folder, file), 'utf8');
  const [, json = ''] = /<script type="application\/json" id="figures">(.*?)<\/script>/s.exec(page) ?? [];
  expect(page).not.toMatch(/(src|href)=/);
  return JSON.parse(json) as DashboardFigures;
}

describe('toolstash report', () => {
  test('tells of a trace what replay does', async () => {
    const args = ['--writes', 'update_*'];
    const run = await commandLine.run(['report', trace, '--html', 'trace.html', ...args]);
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
    const { stats, methods } = await figuresIn('trace.html');
    const replayed = await commandLine.run(['replay', trace, '--compare', 'lru', '--json', ...args]);
    const [lru] = (JSON.parse(replayed.stdout) as { policies: Record<string, number>[] }).policies;
    expect(stats.hits).toBe(lru!['hits']);
    expect(stats.coalesced).toBe(lru!['coalesced']);
    // By what the loads took, as a cache knows them, not by what each call had taken when it was recorded.
    expect(stats.savedMs).toBeGreaterThan(0.9 * lru!['savedMs']!);
    expect(stats.savedMs).toBeLessThan(1.1 * lru!['savedMs']!);
    expect(stats.hits + stats.coalesced).toBeGreaterThan(0);
    expect(methods.reduce((sum, each) => sum + each.stats.hits, 0)).toBe(stats.hits);
  });

  test('tells of a folder what inspect does', async () => {
    const lines = [1, 2, 3].map((id) =>
      JSON.stringify({ method: id < 3 ? '<b>few' : 'one', params: id, result: id }),
    );
    await commandLine.run(['import', 'folder'], lines.join('\n'));
    const run = await commandLine.run(['report', 'folder', '--html', 'folder.html']);
    expect(run).toEqual({ exitCode: 0, stdout: '2 methods in folder.html.\n', stderr: '' });
    const { partitions, tiers, title } = await figuresIn('folder.html');
    expect({ title, tiers }).toEqual({ title: 'folder', tiers: [{ name: 'disk', entries: 3 }] });
    expect(partitions?.map(({ method, values }) => [method, values]).sort()).toEqual([
      ['<b>few', 2],
      ['one', 1],
    ]);
  });

  test('never takes the place of what it is made from', async () => {
    await commandLine.run(['import', 'kept'], JSON.stringify({ method: 'search', params: 1, result: 1 }));
    const inFolder = (name: string) => join(commandLine.folder, name);
    const [partition = ''] = (await readdir(inFolder('kept'), { recursive: true })).filter((name) =>
      name.endsWith('.cache'),
    );
    await copyFile(trace, inFolder('own.jsonl'));
    await symlink('own.jsonl', inFolder('link.html'));
    for (const [path, html] of [
      ['own.jsonl', 'own.jsonl'],
      ['own.jsonl', 'link.html'],
      ['kept', join('kept', partition)],
    ] as const) {
      const before = await readFile(inFolder(html));
      const { exitCode, stderr } = await commandLine.run(['report', path, '--html', html]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('which the report is made from')]);
      expect(await readFile(inFolder(html))).toEqual(before);
    }
  });

  test('says what is wrong', async () => {
    const told = async (...args: string[]) => {
      const { exitCode, stderr } = await commandLine.run(['report', ...args]);
      expect(exitCode).toBe(2);
      return stderr;
    };
    expect(await told(trace)).toContain('Expected --html <file> for the trace');
    expect(await told('.')).toContain(
      'No figures of processes in .: they leave them by `shareFigures(cache)`',
    );
    expect(await told('--redis', 'redis://127.0.0.1:1', '--html', 'x.html')).toContain(
      'Expected --redis or --html',
    );
    expect(await told('absent', '--html', 'x.html')).toContain("Can't read absent");
    expect(await told('.', '--html', 'x.html', '--ttl', 'long')).toContain('No partition files');
  });
});
