/** `toolstash replay --compare`, in this process. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';
import { VirtualTime } from '../../../src/cli/replay/virtual-time.js';
import { builtInStores } from '../../../src/store/registry.js';

async function toolstash(...args: string[]) {
  const texts = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof texts) => {
    const through = new PassThrough({ encoding: 'utf8' });
    through.on('data', (text: string) => {
      texts[name] += text;
    });
    return through as unknown as NodeJS.WriteStream;
  };
  const io = { stdout: stream('stdout'), stderr: stream('stderr') };
  const exitCode = await runProgram(['replay', ...args], io);
  await nextTurn();
  return { exitCode, ...texts };
}

interface Comparison {
  readonly policies: readonly {
    readonly eviction: string;
    readonly savedMs: number;
    readonly toolMs: number;
    readonly evicted: number;
    readonly bytes: number;
    readonly hits: number;
    readonly wrong: number;
  }[];
}

async function compare(...args: string[]): Promise<Comparison> {
  const { exitCode, stdout, stderr } = await toolstash('--json', ...args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as Comparison;
}

/** A trace of one rollout a task, one task after the other. */
async function withTrace<T>(calls: readonly object[], use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-compare-'));
  const path = join(folder, 'trace.jsonl');
  const line = (call: object, index: number) =>
    JSON.stringify({ task: `${index}`, rollout: `${index}`, ...call });
  writeFileSync(path, calls.map(line).join('\n'));
  try {
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const call = (id: number, durationMs: number) => ({ tool: 'ask', args: { id }, result: `${id}`, durationMs });

describe('toolstash replay --compare', () => {
  test('shows on the generated workload that gdsf saves more time than lru in the same bytes, in words too', async () => {
    const args = ['--compare', 'lru,gdsf', '--max-bytes', '64KiB'];
    const { policies } = await compare(...args, '--tasks', '24');
    const [lru, gdsf] = policies;
    expect(policies.map(({ eviction }) => eviction)).toEqual(['lru', 'gdsf']);
    expect(gdsf!.savedMs).toBeGreaterThan(lru!.savedMs);
    expect(gdsf!.toolMs).toBe(lru!.toolMs);
    for (const { evicted, bytes, wrong } of policies) {
      expect(evicted).toBeGreaterThan(100);
      expect(bytes).toBeLessThanOrEqual(64 * 1024);
      expect(wrong).toBe(0);
    }
    const { stdout } = await toolstash(...args, '--tasks', '12');
    expect(stdout).toContain('at most 1,000 entries and 64 KiB · in virtual time');
    expect(stdout).toMatch(/^ *eviction +hit rate .* time saved +of tool time$/m);
    expect(stdout).toMatch(/^ *gdsf saves \d.* more tool time than lru in the same bytes\.$/m);
    expect(stdout).toContain('✓ Every answer equals the recorded one.');
  });

  test('takes the same course every time', async () => {
    const args = ['--compare', 'gdsf,lfu,fifo,ttl', '--tasks', '6', '--max-bytes', '16KiB'];
    expect(await compare(...args)).toEqual(await compare(...args));
  });

  test('saves exactly what the calls from the cache had taken, in the time of the trace', async () => {
    // What took 100 s is asked for again after two others, which have room beside it only for one.
    const calls = [call(1, 100_000), call(2, 10), call(3, 10), call(1, 100_000), call(3, 10)];
    const args = ['--max-size', '2', '--concurrency', '1'];
    const { policies } = await withTrace(calls, (path) => compare(path, '--compare', 'lru, gdsf', ...args));
    expect(policies.map(({ savedMs, hits }) => [savedMs, hits])).toEqual([
      [10, 1],
      [100_010, 2],
    ]);
    const expired = await withTrace([call(1, 500), call(2, 1000), call(1, 500), call(1, 500)], (path) =>
      compare(path, '--compare', 'lru', '--ttl', '1s', '--concurrency', '1'),
    );
    expect(expired.policies[0]).toMatchObject({ hits: 1, savedMs: 500 });
  });

  test('says when no policy had anything to decide, and when answers differ', async () => {
    const { stdout } = await toolstash('--compare', 'lru,lfu', '--tasks', '2');
    expect(stdout).toContain('Nothing had to leave, so no policy decided anything');
    const changing = [call(1, 5), { ...call(1, 5), result: 'changed' }];
    const wrong = await withTrace(changing, (path) =>
      toolstash(path, '--compare', 'lru', '--concurrency', '1'),
    );
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stdout).toContain('✗ Under lru 1 answer differs from the recorded one');
    expect(wrong.stdout).toContain('All tools were taken for read-only');
  });

  test.each<[string, readonly string[], string]>([
    [
      'an unknown policy',
      ['--compare', 'lru,mru'],
      `Expected --compare to be ${builtInStores.join(', ')}, got \`mru\``,
    ],
    ['no policy', ['--compare', ''], `Expected --compare to be ${builtInStores.join(', ')}, got \`\``],
    [
      'one policy besides',
      ['--compare', 'lru', '--eviction', 'lfu'],
      "cannot be used with option '--eviction",
    ],
    ['real time', ['--compare', 'lru', '--time-scale', '1'], "cannot be used with option '--time-scale"],
    ['a disk', ['--compare', 'lru', '--persist'], "cannot be used with option '--persist'"],
    ['given files', ['--compare', 'lru', '--load-cache', '.'], "cannot be used with option '--load-cache"],
  ])('refuses %s', async (_name, args, complaint) => {
    const { exitCode, stdout, stderr } = await toolstash(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(complaint);
  });
});

describe('virtual time', () => {
  test('jumps to what is due, in the order of its moments', async () => {
    const time = new VirtualTime();
    const startedAt = time.now();
    const heard: [string, number][] = [];
    const hear = (name: string) => () => void heard.push([name, time.elapsed()]);
    time.schedule(hear('late'), 5000);
    time.schedule(hear('first'), 10);
    time.schedule(hear('beside it'), 10);
    const off = time.schedule(hear('called off'), 20);
    const work = time.sleep(10).then(async () => {
      off.cancel();
      off.cancel();
      await time.sleep(86_400_000);
      return 'done';
    });
    expect(await time.run(work)).toBe('done');
    expect(heard).toEqual([
      ['first', 10],
      ['beside it', 10],
      ['late', 5000],
    ]);
    expect(time.elapsed()).toBe(86_400_010);
    expect(time.now()).toBe(startedAt + 86_400_010);
  });

  test('rejects as the work does, and when there is nothing left to wait for', async () => {
    const time = new VirtualTime();
    await expect(time.run(time.sleep(1).then(() => Promise.reject(new Error('broken'))))).rejects.toThrow(
      'broken',
    );
    await expect(time.run(new Promise(() => {}))).rejects.toThrow('something that will never come');
  });
});
