import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { watchInterruption } from '../../src/cli/interrupt.js';
import { startProgress } from '../../src/cli/progress.js';
import { CacheManager } from '../../src/index.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
beforeAll(async () => {
  commandLine = await openCommandLine();
});
afterAll(() => commandLine.remove());

/** A terminal that keeps what is written to it. */
function terminal() {
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    columns: 80,
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  });
  let written = '';
  stream.on('data', (chunk: Buffer) => {
    written += chunk.toString();
  });
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => written };
}

describe('Ctrl-C', () => {
  it('ends a replay with the report of what was done, and what was loaded is on disk', async () => {
    const before = process.listenerCount('SIGINT');
    const args = ['replay', '--persist', '--persist-dir', 'kept', '--time-scale', '0.02', '--json'];
    const running = commandLine.run(args);
    while (process.listenerCount('SIGINT') === before) await sleep(5);
    const own = process.listeners('SIGINT')[before]!;
    // Turns, not time: on a busy machine the replay gets on slower, too.
    for (let turn = 0; turn < 60; turn += 1) await sleep(5);
    // Ours alone: the test runner listens too.
    own('SIGINT');
    const { exitCode, stdout } = await running;
    expect(exitCode).toBe(130);
    const { calls, misses, notes } = JSON.parse(stdout);
    expect(notes[0]).toBe(`Interrupted after ${calls.toLocaleString('en-US')} of 2,881 calls.`);
    expect(process.listeners('SIGINT')).not.toContain(own);
    await using cache = await CacheManager.open({ loadCache: join(commandLine.folder, 'kept') });
    const listed: string[] = [];
    for await (const { key } of cache) listed.push(key);
    expect(listed.length).toBeGreaterThan(0);
    expect(listed.length).toBeLessThanOrEqual(misses);
  });

  it('gives the terminal back its line breaks and its cursor', () => {
    const { stream, written } = terminal();
    vi.stubEnv('TERM', 'xterm');
    const progress = startProgress({ stream, label: 'Replaying', total: 10 });
    const own = process.listeners('SIGINT').at(-1)!;
    process.on('SIGINT', ignore);
    own('SIGINT');
    expect(written().endsWith('\u{1b}[?7h\u{1b}[?25h')).toBe(true);
    progress.stop();
    process.off('SIGINT', ignore);
    vi.unstubAllEnvs();
  });
});

it('a second signal ends the process, once what must be done before is done', () => {
  const done: string[] = [];
  const kill = vi.spyOn(process, 'kill').mockImplementation((_, signal) => {
    done.push(String(signal));
    return true;
  });
  const interruption = watchInterruption({
    signals: ['SIGHUP', 'SIGTERM'],
    beforeEnd: () => done.push('before'),
  });
  const [hangUp, terminate] = (['SIGHUP', 'SIGTERM'] as const).map((name) => process.listeners(name).at(-1)!);
  hangUp!('SIGHUP');
  expect(interruption).toMatchObject({ exitCode: 129, signal: { aborted: true } });
  expect(done).toEqual([]);
  terminate!('SIGTERM');
  expect(done).toEqual(['before', 'SIGTERM']);
  kill.mockRestore();
});

it('a dumb terminal gets no bar', () => {
  const { stream, written } = terminal();
  vi.stubEnv('TERM', 'dumb');
  startProgress({ stream, label: 'Replaying', total: 10 }).stop();
  vi.unstubAllEnvs();
  expect(written()).toBe('');
});

function ignore(): void {}
