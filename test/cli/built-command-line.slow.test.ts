/** The command line as it is published, in processes of its own: what only shows there, and every command once. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BuiltCommandLine, buildCommandLine, root } from './built-command-line.js';

let commandLine: BuiltCommandLine;

beforeAll(async () => {
  commandLine = await buildCommandLine();
});
afterAll(() => commandLine.remove());

test('every command does its work, says so and ends by itself', async () => {
  const line = (params: number) => JSON.stringify({ method: 'm', params, result: params * 2 });
  const good = { exitCode: 0, stderr: '' };
  const run = async (args: readonly string[], input?: string) => {
    const { stdout, ...rest } = await commandLine.run(args, input);
    expect(rest).toEqual(good);
    return stdout;
  };
  expect(await run(['import', 'one'], `${line(1)}\n${line(2)}`)).toBe('Imported 2 entries into one.\n');
  await writeFile(join(commandLine.folder, 'by-hand.jsonl'), line(3));
  expect(await run(['import', 'one', 'by-hand.jsonl'])).toBe('Imported 1 entry into one.\n');
  expect(await run(['get', 'one', 'm', '-'], '2')).toBe('4\n');
  expect(await run(['inspect', 'one'])).toContain('3 entries');
  expect(await run(['consolidate', 'one', '--close-after', '1ms'])).toContain('✓ 1 group of files merged');
  expect(await run(['merge', 'one', '--into', 'two'])).toContain('✓ 1 folder merged into two.');
  expect(await run(['verify', 'two'])).toContain('✓ ');
  expect((await run(['export', 'two'])).trimEnd().split('\n')).toHaveLength(3);
  const replayed = await run(['replay', '--tasks', '1', '--time-scale', '0']);
  expect(replayed).toContain('✓ Every answer equals the recorded one.');
  expect(replayed).not.toContain('\u{1b}');
  const simulate = ['simulate', join(root, 'examples/simulate/searches.csv')];
  const inThreads = await run([...simulate, '--threads', '3', '--json']);
  expect(inThreads).toBe(await run([...simulate, '--threads', '1', '--json']));
});

test('the dashboard of a folder is a server until it is interrupted', async () => {
  await commandLine.run(['import', 'shown'], '{"method":"find","params":{"id":1},"result":"otters"}');
  const open = async (...args: readonly string[]) => {
    const child = spawn(process.execPath, [commandLine.script, 'dashboard', 'shown', ...args], {
      cwd: commandLine.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const [, address = '', token = ''] =
      /^(http:\/\/127\.0\.0\.1:\d+\/)#token=([0-9a-f]{32})\n$/.exec(line) ?? [];
    const ask = async (name: string, body = {}): Promise<readonly [number, Record<string, never>]> => {
      const init = { method: 'POST', headers: { 'x-toolstash-token': token }, body: JSON.stringify(body) };
      const response = await fetch(address + name, init);
      return [response.status, (await response.json()) as Record<string, never>];
    };
    return {
      ask,
      end: () => {
        child.kill('SIGINT');
        return once(child, 'exit');
      },
    };
  };
  const reading = await open();
  const [status, figures] = await reading.ask('figures');
  expect({ status, ...figures }).toMatchObject({
    ...{ status: 200, title: 'shown', isReadOnly: true, tiers: [{ name: 'disk', entries: 1 }] },
    partitions: [{ method: 'find', partitions: 1, values: 1 }],
  });
  const [, { entries }] = await reading.ask('search', { method: 'find', text: '' });
  expect(entries).toHaveLength(1);
  const entry = { method: 'find', key: (entries as unknown as { key: string }[])[0]!.key };
  expect((await reading.ask('entry', entry))[1]).toMatchObject({ ...entry, tier: 'disk', value: 'otters' });
  expect((await reading.ask('delete', entry))[0]).toBe(403);
  expect(await reading.end()).toEqual([0, null]);
  const changing = await open('--allow-changes');
  expect(await changing.ask('delete', entry)).toEqual([200, { done: true }]);
  expect(await changing.end()).toEqual([0, null]);
  expect((await commandLine.run(['get', 'shown', 'find', '{"id":1}'])).exitCode).toBe(1);
});

test('what is not there and what can not be used end in exit codes of their own', async () => {
  await commandLine.run(['import', 'other'], '{"method":"m","params":1,"result":2}');
  expect(await commandLine.run(['get', 'other', 'm', '5'])).toMatchObject({ exitCode: 1, stdout: '' });
  const misspelt = await commandLine.run(['repaly']);
  expect(misspelt).toMatchObject({ exitCode: 2, stdout: '' });
  expect(misspelt.stderr).toMatch(/^toolstash: unknown command 'repaly': did you mean replay\?\n$/);
});

test('colours the report when asked to', async () => {
  const child = spawn(process.execPath, [commandLine.script, 'replay', '--tasks', '1', '--time-scale', '0'], {
    env: { ...process.env, FORCE_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let stdout = '';
  for await (const text of child.stdout.setEncoding('utf8')) stdout += String(text);
  expect(stdout).toContain('\u{1b}[32m');
});

test('a reader that closes the pipe early is no failure', async () => {
  const args = [commandLine.script, 'replay', '--tasks', '1', '--time-scale', '0', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  for await (const text of child.stderr.setEncoding('utf8')) stderr += String(text);
  expect(stderr).toBe('');
});

test('output that can not be written is told in one sentence, exit code 2', async () => {
  if (!existsSync('/dev/full')) {
    console.warn('There is no /dev/full here: output without room was not checked.');
    return;
  }
  const full = openSync('/dev/full', 'w');
  const args = [commandLine.script, 'replay', '--tasks', '1', '--time-scale', '0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', full, 'pipe'] });
  const exit = once(child, 'exit');
  let stderr = '';
  for await (const text of child.stderr!.setEncoding('utf8')) stderr += String(text);
  closeSync(full);
  expect(stderr).toMatch(/^toolstash: Can't write the output: ENOSPC: .*\n$/);
  expect(await exit).toEqual([2, null]);
});

test('Ctrl-C in a terminal ends a step that waits long, with report, entries and terminal', async () => {
  const call = (id: number, durationMs: number) =>
    JSON.stringify({ task: 't', rollout: 'r', tool: 'm', args: { id }, result: id, durationMs });
  // The third call alone would take a quarter of an hour.
  const trace = [call(1, 1), call(2, 1), call(3, 900_000), call(4, 1)].join('\n');
  await writeFile(join(commandLine.folder, 'long.jsonl'), trace);
  const flags = '--time-scale 1 --persist --persist-dir interrupted --json';
  const command = `"${process.execPath}" cli.js replay long.jsonl ${flags} > report.json`;
  const { FORCE_COLOR: _, ...env } = process.env;
  const hasScript = existsSync('/usr/bin/script');
  // Without a terminal to type in, the signal is sent as it is, and there is no bar.
  const child = hasScript
    ? spawn('/usr/bin/script', ['-qec', `exec ${command}`, '/dev/null'], {
        cwd: commandLine.folder,
        env: { ...env, TERM: 'xterm', SHELL: '/bin/sh' },
      })
    : spawn('/bin/sh', ['-c', `exec ${command}`], { cwd: commandLine.folder, env });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const before = shown;
    shown += text;
    if (!before.includes('2 calls') && shown.includes('2 calls')) child.stdin.write('\u{3}');
  });
  const exit = once(child, 'exit');
  if (!hasScript) {
    const folder = join(commandLine.folder, 'interrupted');
    while (!existsSync(folder)) await sleep(20);
    await sleep(1_000);
    child.kill('SIGINT');
  }
  expect(await exit).toEqual([130, null]);
  const report = JSON.parse(await readFile(join(commandLine.folder, 'report.json'), 'utf8'));
  expect(report).toMatchObject({
    calls: 2,
    misses: 2,
    wrong: 0,
    notes: ['Interrupted after 2 of 4 calls.', expect.anything()],
  });
  const exported = await commandLine.run(['export', 'interrupted']);
  expect(
    exported.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).result)
      .sort(),
  ).toEqual([1, 2]);
  if (!hasScript) return;
  expect(shown).toContain('\u{1b}[?7l');
  // Line breaks and cursor are back, and nothing has taken them away again.
  expect(Math.max(shown.lastIndexOf('\u{1b}[?7l'), shown.lastIndexOf('\u{1b}[?25l'))).toBeLessThan(
    Math.min(shown.lastIndexOf('\u{1b}[?7h'), shown.lastIndexOf('\u{1b}[?25h')),
  );
});

test('--version is the one of the package', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(await commandLine.run(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

test('the licences of all bundled libraries lie beside the bundle', async () => {
  const licences = await readFile(join(commandLine.folder, 'cli.licenses.txt'), 'utf8');
  for (const name of ['commander', 'lossless-json', 'picomatch', 'pure-rand', 'd3-random', 'cli-progress']) {
    expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'));
  }
});
