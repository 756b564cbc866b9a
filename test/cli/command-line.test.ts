import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Run, root } from './built-command-line.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

const fixture = join(root, 'test/fixture/support-desk.jsonl');
/** A real trace that may lie beside the repository; it is not part of it. */
const airline = join(root, '../shared/data/tau-airline.jsonl');
const airlineWrites = 'book_*,cancel_*,send_*,update_*,transfer_*';

interface Summary {
  readonly calls: number;
  readonly hits: number;
  readonly coalesced: number;
  readonly misses: number;
  readonly wrong: number;
  readonly savedMs: number;
  readonly byTool: Record<string, { readonly calls: number }>;
}

let folder: string;

let commandLine: CommandLine;

beforeAll(async () => {
  commandLine = await openCommandLine();
  folder = commandLine.folder;
});
afterAll(() => commandLine.remove());

const toolstash = (args: readonly string[], input?: string): Promise<Run> => commandLine.run(args, input);

async function summaryOf(args: readonly string[], input?: string): Promise<Summary> {
  const { exitCode, stdout, stderr } = await toolstash(['replay', ...args, '--json'], input);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as Summary;
}

describe('toolstash replay', () => {
  test('without a trace replays the generated workload and prints a report without colours into a pipe', async () => {
    const { exitCode, stdout, stderr } = await toolstash(['replay', '--tasks', '4', '--time-scale', '0']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/Answered from the cache {2}\d\d\.\d %/);
    expect(stdout).toContain('✓ Every answer equals the recorded one.');
    expect(stdout).not.toContain('\u{1b}');
  });

  test.each(['1', '2', '8'])(
    'counts the repeats of the fixture with %s tasks at once',
    async (concurrency) => {
      const args = [fixture, '--writes', 'update_*', '--concurrency', concurrency, '--time-scale', '0.01'];
      const summary = await summaryOf(args);
      expect(summary.hits + summary.coalesced).toBe(6);
      expect(summary).toMatchObject({ calls: 19, misses: 10, writes: 3, errors: 6, wrong: 0 });
      expect(summary.savedMs).toBeGreaterThan(0);
      expect(Object.keys(summary.byTool).sort()).toEqual([
        'get_order',
        'get_user',
        'search_docs',
        'update_order',
      ]);
      expect(summary.byTool['get_user']).toMatchObject({ calls: 5, misses: 2, wrong: 0 });
    },
  );

  test('reads a trace from standard input', async () => {
    const summary = await summaryOf(
      ['-', '--writes', 'update_*', '--time-scale', '0'],
      await readFile(fixture, 'utf8'),
    );
    expect(summary.hits + summary.coalesced).toBe(6);
  });

  test('only read-only tools that are named are cached', async () => {
    const summary = await summaryOf([fixture, '--read-only', 'search_*', '--time-scale', '0']);
    expect(summary).toMatchObject({ writes: 14, misses: 3 });
    expect(summary.hits + summary.coalesced).toBe(2);
  });

  test.each(['lru', 'lfu', 'fifo', 'ttl'])('keeps to --max-size under %s', async (eviction) => {
    const args = [
      '--eviction',
      eviction,
      '--max-size',
      '3',
      '--tasks',
      '3',
      '--time-scale',
      '0',
      '--ttl',
      '1h',
    ];
    const summary = await summaryOf(args);
    expect(summary).toMatchObject({ wrong: 0, cache: { eviction, maxSize: 3, entries: 3, ttl: '1h' } });
  });

  test('one seed gives one trace', async () => {
    const counts = async (seed: string) => {
      const args = ['--seed', seed, '--tasks', '3', '--time-scale', '0'];
      const { calls, hits, coalesced, misses } = await summaryOf(args);
      return { calls, misses, answered: hits + coalesced };
    };
    expect(await counts('5')).toEqual(await counts('5'));
    expect(await counts('5')).not.toEqual(await counts('6'));
  });

  test('a wrong answer is counted, shown with its line, and ends in exit code 1', async () => {
    const trace = join(folder, 'changed.jsonl');
    const text = await readFile(fixture, 'utf8');
    const lines = text.trim().split('\n');
    const repeat = lines[0]!.replace('Ada', 'Eve').replaceAll('desk-0', 'desk-9');
    await writeFile(trace, [...lines, repeat].join('\n'));
    const args = ['replay', trace, '--writes', 'update_*', '--time-scale', '0', '--concurrency', '1'];
    const { exitCode, stdout } = await toolstash(args);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('✗ 1 answer differs from the recorded one.');
    expect(stdout).toContain(`line ${lines.length + 1}: get_user {"id":9007199254740993}`);
    const json = await toolstash([...args, '--json']);
    expect(json.exitCode).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ wrong: 1, wrongAnswers: [{ line: lines.length + 1 }] });
  });

  test('errors that are known to be transient may be avoided', async () => {
    const trace = join(folder, 'transient.jsonl');
    const call = { task: 't', rollout: 'r', tool: 'get', args: {}, result: 'fine' };
    const failed = { ...call, result: '503', error: true };
    await writeFile(trace, [call, failed].map((line) => JSON.stringify(line)).join('\n'));
    expect((await toolstash(['replay', trace])).exitCode).toBe(1);
    expect(await summaryOf([trace, '--transient-errors'])).toMatchObject({
      wrong: 0,
      hits: 1,
      avoidedErrors: 1,
    });
  });

  test('says so when no tool was named as writing, and when a glob matches none', async () => {
    const unnamed = await toolstash(['replay', fixture, '--time-scale', '0']);
    expect(unnamed.stdout).toContain('All tools were taken for read-only');
    const misspelt = await toolstash(['replay', fixture, '--writes', 'updaet_*', '--time-scale', '0']);
    expect(misspelt.stdout).toContain('No tool of the trace matches `updaet_*`.');
  });

  test('the airline trace gives 208 answers from the cache, whatever the concurrency', async () => {
    if (!existsSync(airline)) {
      console.warn('The airline trace was not found beside the repository: its counts were not checked.');
      return;
    }
    for (const concurrency of ['1', '8', '25']) {
      const args = [airline, '--writes', airlineWrites, '--concurrency', concurrency, '--time-scale', '0.01'];
      const summary = await summaryOf(args);
      expect(summary.hits + summary.coalesced).toBe(208);
      expect(summary).toMatchObject({ calls: 621, misses: 246, wrong: 0 });
    }
  });
});

describe('what can not be used is told in one sentence with the fix, exit code 2', () => {
  test.each<[string, readonly string[], RegExp]>([
    [
      'a missing file',
      ['replay', 'nowhere.jsonl'],
      /Can't read nowhere\.jsonl: there is no such file: check the path$/,
    ],
    ['a folder', ['replay', '.'], /Can't read \.: this is a folder: name a JSONL file in it$/],
    [
      'an unknown flag',
      ['replay', '--evictoin', 'lru'],
      /unknown option '--evictoin': did you mean --eviction\?$/,
    ],
    [
      'a flag like no other',
      ['replay', '--zzz'],
      /unknown option '--zzz': `toolstash replay --help` lists what there is$/,
    ],
    ['an unknown command', ['repaly'], /unknown command 'repaly': did you mean replay\?$/],
    ['a flag without its value', ['replay', '--max-size'], /'--max-size <entries>' argument missing: /],
    ['a second trace', ['replay', 'a', 'b'], /too many arguments for 'replay'/],
    [
      'size zero',
      ['replay', '--max-size', '0'],
      /--max-size to be a whole number from 1 to 16,777,216, got `0`$/,
    ],
    ['a size beyond any map', ['replay', '--max-size', '16777217'], /--max-size to be .*, got `16777217`$/],
    [
      'a negative size in bytes',
      ['replay', '--max-bytes', '-1'],
      /--max-bytes to be .* such as 64MiB, got `-1`$/,
    ],
    ['an unknown policy', ['replay', '--eviction', 'mru'], /--eviction to be lru, .*, got `mru`$/],
    ['a ttl without a unit', ['replay', '--ttl', '5x'], /Expected `ttl` to be a duration .*got `'5x'`$/],
    [
      'an unknown distribution',
      ['replay', '--latency', 'normal:1,2'],
      /--latency to be recorded \| .*, got `normal:1,2`$/,
    ],
    [
      'concurrency zero',
      ['replay', '--concurrency', '0'],
      /--concurrency to be a whole number from 1 to 10,000, got `0`$/,
    ],
  ])('%s', async (_name, args, sentence) => {
    const { exitCode, stdout, stderr } = await toolstash(args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr.trimEnd()).toMatch(sentence);
    expect(stderr).toMatch(/^toolstash: /);
  });

  test('a malformed line, with file and line number', async () => {
    await writeFile(
      join(folder, 'broken.jsonl'),
      `${(await readFile(fixture, 'utf8')).trim()}\n{"task": "t"}\n`,
    );
    const { exitCode, stderr } = await toolstash(['replay', 'broken.jsonl']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^toolstash: broken.jsonl:20: `tool` is missing: a call has .*\n$/);
  });
});

describe('flags without a command', () => {
  test('are those of replay', async () => {
    const flags =
      '--cache multi --persist --eviction lru --max-size 1000 --persist-dir kept --time-scale 0 --tasks 2';
    const first = await toolstash([...flags.split(' '), '--json']);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    const again = await toolstash([...flags.split(' '), '--load-cache', 'kept', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ calls: JSON.parse(first.stdout).calls, wrong: 0 });
    expect(JSON.parse(again.stdout).hits).toBeGreaterThan(JSON.parse(first.stdout).hits);
  });

  test('are complained about as those of replay', async () => {
    const { exitCode, stderr } = await toolstash(['--evictoin', 'lru']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: "toolstash: unknown option '--evictoin': did you mean --eviction?\n",
    });
  });
});

describe('help and version', () => {
  const commands = ['replay', 'inspect', 'verify', 'get', 'export', 'import', 'consolidate', 'merge'];

  test.each(commands)('help %s shows what its --help does, with examples', async (command) => {
    const { exitCode, stdout } = await toolstash(['help', command]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe((await toolstash([command, '--help'])).stdout);
    expect(stdout).toMatch(new RegExp(`Examples:\\n {2}toolstash ${command} `));
  });

  test('help alone lists the commands, with examples', async () => {
    const { exitCode, stdout } = await toolstash(['help']);
    expect(exitCode).toBe(0);
    for (const command of commands) expect(stdout).toContain(`\n  ${command} `);
    expect(stdout).toMatch(/Examples:\n {2}toolstash replay /);
  });

  test('help of a command that is not there says so, below the help of all', async () => {
    const { exitCode, stdout, stderr } = await toolstash(['help', 'nosuch']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/toolstash: unknown command 'nosuch'\n$/);
  });

  test('toolstash alone shows the help', async () => {
    const { exitCode, stderr } = await toolstash([]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Usage: toolstash');
  });

  test('--help lists every flag of replay with its default', async () => {
    const { exitCode, stdout } = await toolstash(['replay', '--help']);
    expect(exitCode).toBe(0);
    for (const flag of [
      '--eviction',
      '--max-size',
      '--max-bytes',
      '--ttl',
      '--writes',
      '--read-only',
      '--latency',
    ]) {
      expect(stdout).toContain(flag);
    }
    for (const value of ['"lru"', '1000', '256MiB', 'recorded'])
      expect(stdout.replace(/\s+/g, ' ')).toContain(`(default: ${value})`);
  });
});
