import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { encode } from '../helper/disk-tier.js';
import { type Run, root } from './built-command-line.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

const fixture = join(root, 'test/fixture/support-desk.jsonl');

let commandLine: CommandLine;
/** A cache folder with entries of every kind. */
let cache: string;
/** Where a test may write; emptied after each. */
let scratch: string;

const rich = new Map<unknown, unknown>([
  ['at', new Date(1_795_000_000_000)],
  [{ id: 1 }, undefined],
]);

beforeAll(async () => {
  commandLine = await openCommandLine();
  cache = join(commandLine.folder, 'kept');
  scratch = join(commandLine.folder, 'scratch');
  await using manager = await CacheManager.open({ persist: true, persistDir: cache, flushOnExit: false });
  await manager.set('search', { q: 'mvcc', limit: 10 }, { hits: ['a', 'b'], total: 2 });
  await manager.set('search', { q: 'gone' }, 'old', { ttl: 1 });
  await manager.set('get_user', { id: 9007199254740993n }, { id: 9007199254740993n, name: 'Ada' });
  await manager.set('get_user', { id: 7 }, { name: 'of a task' }, { scope: 'task-1' });
  await manager.set('rich', {}, rich);
  await manager.set('number', {}, -0, { tags: ['t'], ttl: '365d' });
  await manager.set('nothing', {}, null);
  for (let n = 0; n < 40; n += 1) await manager.set('page', n, `${n}`);
  await manager.delete('page', 3);
});
afterAll(() => commandLine.remove());
afterEach(() => rm(scratch, { recursive: true, force: true }));

const toolstash = (args: readonly string[], input?: string): Promise<Run> => commandLine.run(args, input);

async function partitionsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith('.cache')).map((name) => join(folder, name));
}

async function partitionOf(folder: string, method: string): Promise<string> {
  const hash = createHash('md5').update(method).digest('hex');
  const found = (await partitionsOf(folder)).find((path) => path.includes(`${hash}_`));
  if (found === undefined) throw new Error(`no partition of ${method}`);
  return found;
}

/** Every file of a folder with what would show a change of it. */
async function traces(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const all = names.map(async (name) => {
    const { size, mtimeMs, ino } = await stat(join(folder, name));
    return `${name} ${size} ${mtimeMs} ${ino}`;
  });
  return (await Promise.all(all)).sort();
}

describe('toolstash inspect', () => {
  test('tells methods, entries, sizes and ages, without colours into a pipe, and changes nothing', async () => {
    const before = await traces(cache);
    const { exitCode, stdout, stderr } = await toolstash(['inspect', 'kept']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/toolstash inspect {2}kept\n/);
    expect(stdout).toMatch(/46 entries {2}of 6 methods in 6 partitions, \d/);
    expect(stdout).toMatch(/ {2}page +3\d +█+ .*B +0 % +\d+ [sm] +\d+ [sm]\n/);
    expect(stdout).toMatch(/ {2}search +2 .* 50\.0 % /);
    expect(stdout).toMatch(/expired 1 \(2\.2 %\) · 6 members · 1 deletion/);
    expect(stdout).not.toContain('\u{1b}');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(await traces(cache)).toEqual(before);
  });

  test('prints one JSON object on demand', async () => {
    const { exitCode, stdout } = await toolstash(['inspect', cache, '--json']);
    expect(exitCode).toBe(0);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ partitions: 6, values: 46, expired: 1, deletions: 1, damage: 0 });
    expect(found.methods).toHaveLength(6);
    expect(found.methods[0]).toMatchObject({ method: 'page', values: 39, newest: expect.any(Number) });
    expect(found.files).toHaveLength(6);
    expect(found.files[0]).toMatchObject({ tailBytes: 0, damage: [], isPlain: false });
  });

  test('takes single files, patterns and symbolic links', async () => {
    await mkdir(scratch);
    await symlink(cache, join(scratch, 'link'));
    const values = async (...paths: string[]) =>
      JSON.parse((await toolstash(['inspect', '--json', ...paths])).stdout).values;
    expect(await values(await partitionOf(cache, 'page'))).toBe(39);
    expect(await values('scratch/link')).toBe(46);
    expect(await values('ke?t/*/*.cache')).toBe(46);
    expect(await values('kept', cache)).toBe(46);
  });
});

describe('toolstash verify', () => {
  test('finds whole files whole', async () => {
    const { exitCode, stdout, stderr } = await toolstash(['verify', 'kept']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('✓ All 6 files are whole: 6 members with 46 entries');
  });

  test('tells what is damaged with file and byte, exit code 1, and changes nothing', async () => {
    await cp(cache, scratch, { recursive: true });
    const flipped = await partitionOf(scratch, 'page');
    const bytes = await readFile(flipped);
    bytes[bytes.length - 20]! ^= 1;
    await writeFile(flipped, bytes);
    const cut = await partitionOf(scratch, 'search');
    await truncate(cut, (await stat(cut)).size - 3);
    const foreign = await partitionOf(scratch, 'rich');
    await writeFile(foreign, 'no partition at all');
    const before = await traces(scratch);

    const { exitCode, stdout, stderr } = await toolstash(['verify', 'scratch']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toContain('✗ 3 of 6 files are damaged.');
    for (const [path, line] of [
      [flipped, /^ {4}byte 0: .+$/],
      [cut, /^ {4}byte 0: an incomplete last member of \d+ bytes: cut off, or its writer was killed$/],
      [foreign, /^ {4}byte 0: .+$/],
    ] as const) {
      const lines = stdout.split('\n');
      const at = lines.indexOf(`  scratch${path.slice(scratch.length)}`);
      expect(lines[at + 1]).toMatch(line);
    }
    expect(await traces(scratch)).toEqual(before);

    const json = await toolstash(['verify', 'scratch', '--json']);
    expect(json.exitCode).toBe(1);
    const { faults } = JSON.parse(json.stdout);
    expect(faults.map((fault: { path: string }) => fault.path).sort()).toEqual(
      [flipped, cut, foreign].sort(),
    );
  });
});

describe('toolstash get', () => {
  test.each<[string, readonly string[], string]>([
    ['an entry', ['search', '{"limit": 10, "q": "mvcc"}'], '{"hits":["a","b"],"total":2}'],
    [
      'integers beyond 2^53',
      ['get_user', '{"id": 9007199254740993}'],
      '{"id":9007199254740993,"name":"Ada"}',
    ],
    ['an entry of a scope', ['get_user', '{"id": 7}', '--scope', 'task-1'], '{"name":"of a task"}'],
    [
      'an entry whatever the ignored params',
      ['search', '{"q":"mvcc","limit":10,"trace":1,"meta":{"id":2}}', '--ignore', 'trace,meta'],
      '{"hits":["a","b"],"total":2}',
    ],
    ['null', ['nothing', '{}'], 'null'],
  ])('prints %s', async (_name, args, value) => {
    expect(await toolstash(['get', 'kept', ...args])).toEqual({
      exitCode: 0,
      stdout: `${value}\n`,
      stderr: '',
    });
  });

  test('reads params from standard input', async () => {
    expect((await toolstash(['get', 'kept', 'nothing', '-'], '{}')).stdout).toBe('null\n');
  });

  test('tells versions of a tool apart, numbers from texts', async () => {
    await using manager = await CacheManager.open({
      persist: true,
      persistDir: scratch,
      methods: { number: { version: 3 }, text: { version: '3' }, tag: { version: 'v3' } },
    });
    for (const method of ['number', 'text', 'tag']) await manager.set(method, {}, method);
    await manager.flush();
    const get = async (method: string, version: string) =>
      (await toolstash(['get', 'scratch', method, '{}', '--tool-version', version])).stdout;
    expect(await get('number', '3')).toBe('"number"\n');
    expect(await get('text', '"3"')).toBe('"text"\n');
    expect(await get('text', '3')).toBe('"text"\n');
    expect(await get('number', '"3"')).toBe('');
    expect(await get('tag', 'v3')).toBe('"tag"\n');
  });

  test('prints what JSON can not say as its bytes, and describes it on the side', async () => {
    const { exitCode, stdout, stderr } = await toolstash(['get', 'kept', 'rich', '{}']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ result_msgpack: expect.any(String) });
    expect(stderr).toMatch(/JSON can't say this value.* It is Map\(2\) \{ 'at' => 2026-11-18T/);
  });

  test('prints the whole entry on demand', async () => {
    const { stdout } = await toolstash(['get', 'kept', 'nothing', '{}', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ method: 'nothing', result: null, metadata: {}, stamp: {} });
  });

  test.each<[string, readonly string[]]>([
    ['other params', ['search', '{"q": "nothing"}']],
    ['another method', ['no_such_tool', '{}']],
    ['an expired entry', ['search', '{"q": "gone"}']],
    ['a deleted entry', ['page', '3']],
    ['a missing scope', ['get_user', '{"id": 7}']],
  ])('finds nothing for %s: a sentence, exit code 1', async (_name, args) => {
    const { exitCode, stdout, stderr } = await toolstash(['get', 'kept', ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^toolstash: No fresh entry of `.*` with these params in kept: .+\?\n$/);
  });

  test('says that a file is damaged that may have held the entry', async () => {
    await cp(cache, scratch, { recursive: true });
    const path = await partitionOf(scratch, 'page');
    const bytes = await readFile(path);
    bytes[bytes.length - 20]! ^= 1;
    await writeFile(path, bytes);
    const { exitCode, stdout, stderr } = await toolstash(['get', 'scratch', 'page', '5']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(path);
    expect(stderr).toMatch(/No fresh entry of `page` .*: it may have been in what is damaged\n$/);
  });
});

describe('toolstash export and import', () => {
  test('carry every fresh entry over exactly, whatever JSON can say', async () => {
    const exported = await toolstash(['export', 'kept']);
    expect(exported).toMatchObject({ exitCode: 0, stderr: '' });
    const lines = exported.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(45);
    expect(await toolstash(['import', 'scratch'], exported.stdout)).toEqual({
      exitCode: 0,
      stdout: 'Imported 45 entries into scratch.\n',
      stderr: '',
    });
    const again = await toolstash(['export', 'scratch']);
    expect(again.stdout.trimEnd().split('\n').sort()).toEqual(lines.sort());
    await using copy = await CacheManager.open({ loadCache: scratch });
    expect(await copy.get('rich', {})).toEqual(rich);
    expect(await copy.get('number', {})).toBe(-0);
    expect(await copy.get('get_user', { id: 9007199254740993n })).toEqual({
      id: 9007199254740993n,
      name: 'Ada',
    });
  });

  test('importing twice changes no answer, and what is newer stays', async () => {
    const { stdout } = await toolstash(['export', 'kept']);
    {
      await using manager = await CacheManager.open({ persist: true, persistDir: scratch });
      await manager.set('nothing', {}, 'newer');
    }
    for (const told of [
      'Imported 44 entries into scratch; 1 entry',
      'Imported 0 entries into scratch; 45 entries',
    ]) {
      expect(await toolstash(['import', 'scratch'], stdout)).toEqual({
        exitCode: 0,
        stdout: `${told} stayed out, as what is there is as new or newer.\n`,
        stderr: '',
      });
      expect((await toolstash(['get', 'scratch', 'nothing', '{}'])).stdout).toBe('"newer"\n');
      expect((await toolstash(['get', 'scratch', 'page', '5'])).exitCode).toBe(0);
    }
  });

  test('lines written by hand need method, params and result', async () => {
    await writeFile(
      join(commandLine.folder, 'by-hand.jsonl'),
      '{"method":"add","params":{"a":12345678901234567890},"result":[1.5,"x"]}\n\n' +
        '{"method":"add","params":2,"result":3,"metadata":{"expires_at":5}}\n',
    );
    const imported = await toolstash(['import', 'scratch', 'by-hand.jsonl', '--json']);
    expect(JSON.parse(imported.stdout)).toEqual({ imported: 1, expired: 1, errors: 0 });
    const { stdout } = await toolstash(['get', 'scratch', 'add', '{"a": 12345678901234567890}']);
    expect(stdout).toBe('[1.5,"x"]\n');
  });

  test('an imported entry answers its own scope and version alone, for its own ttl', async () => {
    const lines = [
      { scope: 'task-1', result: 'of task 1' },
      { version: 2, result: 'of version 2' },
      { scope: 'old', ttl: '1s', metadata: { created_at: Date.now() - 5_000 }, result: 'expired' },
    ].map((fields) => JSON.stringify({ method: 'm', params: { q: 1 }, ...fields }));
    const imported = await toolstash(['import', 'scratch', '--json'], lines.join('\n'));
    expect(JSON.parse(imported.stdout)).toEqual({ imported: 2, expired: 1, errors: 0 });
    const get = async (...flags: string[]) =>
      (await toolstash(['get', 'scratch', 'm', '{"q": 1}', ...flags])).stdout;
    expect(await get()).toBe('');
    expect(await get('--scope', 'task-1')).toBe('"of task 1"\n');
    expect(await get('--tool-version', '2')).toBe('"of version 2"\n');
    const exported = (await toolstash(['export', 'scratch'])).stdout.trim().split('\n');
    const scopes = exported.map((line) => JSON.parse(line).scope).sort();
    expect(scopes).toEqual(['task-1', undefined]);
  });

  test('a line with an unknown field is refused', async () => {
    const line = JSON.stringify({ method: 'm', params: 1, result: 2, scopes: ['a'] });
    const { exitCode, stderr } = await toolstash(['import', 'scratch'], line);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('standard input:1: unknown field `scopes`. Known: key, method,');
  });

  test('a plain file of another program is exported like any other', async () => {
    await mkdir(scratch);
    const metadata = { created_at: 1_795_000_000_000, expires_at: null, access_count: 1, method: 'py' };
    const body = encode({ ['a'.repeat(32)]: { result: { n: 1.5 }, metadata } });
    await writeFile(join(scratch, 'from-python.cache'), gzipSync(body));
    const { exitCode, stdout } = await toolstash(['export', 'scratch']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ key: 'a'.repeat(32), method: 'py', result: { n: 1.5 } });
  });

  test('what is damaged is told and left out of an export, exit code 1', async () => {
    await cp(cache, scratch, { recursive: true });
    const path = await partitionOf(scratch, 'page');
    const bytes = await readFile(path);
    bytes[bytes.length - 20]! ^= 1;
    await writeFile(path, bytes);
    const { exitCode, stdout, stderr } = await toolstash(['export', 'scratch']);
    expect(exitCode).toBe(1);
    expect(stdout.trimEnd().split('\n')).toHaveLength(6);
    expect(stderr).toContain(path);
    expect(stderr).toContain('Exported 6 entries; what could not be read was left out');
  });
});

describe('toolstash consolidate and merge', () => {
  const line = (params: number, result: unknown) => JSON.stringify({ method: 'm', params, result });
  const into = async (folder: string, ...lines: string[]) => {
    expect((await toolstash(['import', folder], lines.join('\n'))).exitCode).toBe(0);
  };

  test('closed partitions become one, and every entry stays', async () => {
    for (const n of [1, 2, 3]) await into('scratch', line(n, `${n}`));
    expect(await partitionsOf(scratch)).toHaveLength(3);
    const args = ['consolidate', 'scratch', '--close-after', '1ms'];
    const { exitCode, stdout, stderr } = await toolstash(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/✓ 1 group of files merged in scratch, .*\n {2}read {6}3 files with 3 entries/);
    expect(await partitionsOf(scratch)).toHaveLength(1);
    for (const n of [1, 2, 3]) {
      expect((await toolstash(['get', 'scratch', 'm', `${n}`])).stdout).toBe(`"${n}"\n`);
    }
    const again = await toolstash([...args, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ merged: 0, failures: 0 });
  });

  test('what could not be read is told instead of a tick', async () => {
    for (const n of [1, 2]) await into('scratch', line(n, `${n}`));
    await writeFile(join(scratch, '2020-01'), 'no folder');
    const { exitCode, stdout, stderr } = await toolstash(['consolidate', 'scratch', '--close-after', '1ms']);
    expect(exitCode).toBe(1);
    expect(stdout).not.toContain('✓');
    expect(stdout).toMatch(/✗ Not everything could be read or merged\. 1 group of files merged/);
    expect(stderr).toContain('2020-01');
  });

  test('merged folders answer with the newest of each, and are only read', async () => {
    await into('scratch/one', line(1, 'old'), line(2, 'two'));
    await into('scratch/two', line(1, 'new'));
    const before = [await traces(join(scratch, 'one')), await traces(join(scratch, 'two'))];
    for (let round = 0; round < 2; round += 1) {
      const merged = await toolstash(['merge', 'scratch/two', 'scratch/one', '--into', 'scratch/all']);
      expect(merged).toMatchObject({ exitCode: 0, stderr: '' });
      expect(merged.stdout).toContain('✓ 2 folders merged into scratch/all.');
      expect((await toolstash(['get', 'scratch/all', 'm', '1'])).stdout).toBe('"new"\n');
      expect((await toolstash(['get', 'scratch/all', 'm', '2'])).stdout).toBe('"two"\n');
    }
    expect([await traces(join(scratch, 'one')), await traces(join(scratch, 'two'))]).toEqual(before);
  });

  test('a damaged file is told and left out of a merge, exit code 1', async () => {
    await into('scratch/one', line(1, 'one'));
    const [path = ''] = await partitionsOf(join(scratch, 'one'));
    await writeFile(path, 'no partition at all');
    const { exitCode, stderr } = await toolstash(['merge', 'scratch/one', '--into', 'scratch/all']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'was left out: a plain file (`export` and `import` take those over), or one that `toolstash verify` finds fault with',
    );
  });
});

describe('toolstash replay with entries on disk', () => {
  // The fixture has a call that failed at first and succeeded later.
  const replay = ['replay', fixture, '--writes', 'update_*', '--transient-errors', '--time-scale', '0'];
  /** Read-only calls that succeeded, and those that failed and never had an answer. */
  let succeeded: number;
  let failing: number;
  beforeAll(async () => {
    const lines = (await readFile(fixture, 'utf8')).trim().split('\n');
    const reads = lines
      .map((line) => JSON.parse(line) as { tool: string; args: unknown; error?: boolean })
      .filter(({ tool }) => !tool.startsWith('update_'))
      .map(({ tool, args, error = false }) => ({ call: JSON.stringify([tool, args]), error }));
    const answered = new Set(reads.filter(({ error }) => !error).map(({ call }) => call));
    succeeded = reads.filter(({ error }) => !error).length;
    failing = reads.filter(({ call }) => !answered.has(call)).length;
  });

  const summary = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await toolstash([...replay, ...args, '--json']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return JSON.parse(stdout);
  };

  test('a second replay is answered wholly from disk, but for errors, which are never stored', async () => {
    const args = ['--persist', '--persist-dir', 'scratch'];
    expect(await summary(...args)).toMatchObject({ misses: 10, diskHits: 0, wrong: 0 });
    const second = await summary(...args);
    expect(second).toMatchObject({ calls: 19, writes: 3, misses: failing, coalesced: 0, wrong: 0 });
    expect(second.hits - second.avoidedErrors).toBe(succeeded);
    expect(second.diskHits).toBeGreaterThan(0);
    expect(second.disk).toEqual({ persistDir: 'scratch', loadCache: [] });
    // Holding one entry, memory helps little: the disk has them all the same.
    const small = await summary(...args, '--max-size', '1', '--concurrency', '1');
    expect(small.hits).toBe(second.hits);
    expect(small.diskHits).toBeGreaterThanOrEqual(second.diskHits);
  });

  test.each(['--load-cache', '-loadCache'])('%s reads, and writes nothing', async (flag) => {
    await summary('--persist', '--persist-dir', 'scratch');
    const before = await traces(scratch);
    const around = await readdir(commandLine.folder);
    for (const path of ['scratch', 'scratch/*/*.cache', 'scratch/20??-*']) {
      const found = await summary(flag, path);
      expect(found.misses).toBe(failing);
    }
    const files = (await partitionsOf(scratch)).flatMap((path) => [flag, path]);
    const found = await summary(...files);
    expect(found.misses).toBe(failing);
    expect(await traces(scratch)).toEqual(before);
    expect(await readdir(commandLine.folder)).toEqual(around);
  });

  test('the report tells memory from disk, and that a ttl runs in real time', async () => {
    await toolstash([...replay, '--persist', '--persist-dir', 'scratch']);
    const args = [...replay, '--persist', '--persist-dir', 'scratch', '--ttl', '1h'];
    const { stdout } = await toolstash(args);
    expect(stdout).toMatch(/█ \d+ from memory {3}▒ \d+ from disk {3}░ 4 misses/);
    expect(stdout).toContain('entries in scratch');
    expect(stdout).toContain('The ttl ran in real time');
  });

  test('times in the files are real ones, however fast the trace goes by', async () => {
    const before = Date.now();
    await toolstash([...replay, '--time-scale', '0.0001', '--persist', '--persist-dir', 'scratch']);
    const { stdout } = await toolstash(['inspect', 'scratch', '--json']);
    const { oldest, newest } = JSON.parse(stdout);
    expect(oldest).toBeGreaterThanOrEqual(before);
    expect(newest).toBeLessThanOrEqual(Date.now());
  });

  test('a folder that another cache holds is refused, and shared with --cache multi', async () => {
    const persistDir = scratch;
    const holder = await CacheManager.open({ persist: true, persistDir, flushOnExit: false });
    const refused = await toolstash([...replay, '--persist', '--persist-dir', 'scratch']);
    expect(refused.exitCode).toBe(2);
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toMatch(/^toolstash: .*scratch.*\n$/);
    await holder.close();
    const sharing = await CacheManager.open({ persist: true, persistDir, mode: 'multi', flushOnExit: false });
    await summary('--persist', '--persist-dir', 'scratch', '--cache', 'multi');
    await sharing.close();
  });
});

describe('what can not be used is told in one sentence with the fix, exit code 2', () => {
  beforeAll(() => mkdir(join(commandLine.folder, 'empty')));

  const paths = (command: string): [string, readonly string[], RegExp][] => [
    [
      `${command}: a missing folder`,
      [command, 'nowhere'],
      /Can't read nowhere: there is no such file or folder: /,
    ],
    [
      `${command}: a pattern that matches nothing`,
      [command, 'no*where'],
      /No file or folder matches no\*where: /,
    ],
    [`${command}: a folder without partitions`, [command, 'empty'], /No partition files in empty: name a /],
    [`${command}: no path`, [command], /missing required argument 'paths': /],
    [
      `${command}: an unknown flag`,
      [command, 'kept', '--jsn'],
      /unknown option '--jsn': (did you mean --json|`toolstash )/,
    ],
  ];
  test.each<[string, readonly string[], RegExp]>([
    ...paths('inspect'),
    ...paths('verify'),
    ...paths('export'),
    [
      'get: params that are no JSON',
      ['get', 'kept', 'search', '{q: 1}'],
      /Expected <params> to be JSON .* such as '\{"query": "mvcc"\}'$/,
    ],
    ['get: no params', ['get', 'kept', 'search'], /Expected <params> or --key, got none: name one$/],
    [
      'get: a malformed key',
      ['get', 'kept', 'search', '--key', 'x'],
      /Expected --key to be 32 hex digits, .* got 'x'$/,
    ],
    [
      'get: a key and params',
      ['get', 'kept', 'search', '{}', '--key', 'a'.repeat(32)],
      /Expected --key or what makes a key .* got both: name one$/,
    ],
    ['get: an empty method', ['get', 'kept', '', '{}'], /Expected `method` to be a non-empty string/],
    ['get: a missing folder', ['get', 'nowhere', 'a', '{}'], /Can't read nowhere: /],
    ['get: a malformed path to ignore', ['get', 'kept', 'a', '{}', '--ignore', 'a..b'], /Expected .*a\.\.b/],
    [
      'import: a missing file',
      ['import', 'scratch', 'nowhere.jsonl'],
      /Can't read nowhere\.jsonl: there is no such file/,
    ],
    ['import: a folder for a file', ['import', 'scratch', 'kept'], /Can't read kept: this is a folder/],
    ['import: no folder', ['import'], /missing required argument 'dir': /],
    ['import: a file for a folder', ['import', 'cli.js', '-'], /Opening .*cli\.js failed: EEXIST/],
    ['consolidate: a missing folder', ['consolidate', 'nowhere'], /Can't read nowhere: /],
    [
      'consolidate: a malformed duration',
      ['consolidate', 'kept', '--max-disk-age', '5x'],
      /Expected `maxDiskAge` to be a duration .* got `'5x'`$/,
    ],
    [
      'consolidate: a malformed duration for network file systems',
      ['consolidate', 'kept', '--network-close-after', 'soon'],
      /Expected `networkCloseAfter` to be a duration .* got `'soon'`$/,
    ],
    [
      'consolidate: a malformed size',
      ['consolidate', 'kept', '--max-disk-bytes', 'x'],
      /such as 64MiB, got `x`$/,
    ],
    ['merge: a missing folder', ['merge', 'nowhere', '--into', 'scratch'], /Can't read nowhere: /],
    ['merge: into nothing', ['merge', 'kept'], /required option '--into <dir>' not specified: /],
    [
      'merge: a folder into itself',
      ['merge', 'kept', '--into', 'kept'],
      /Expected folders other than the one to merge into, got /,
    ],
    ['replay: a missing cache to load', ['replay', '--load-cache', 'nowhere'], /Can't read nowhere: /],
    [
      'replay: a folder without --persist',
      ['replay', '--persist-dir', 'scratch'],
      /Expected --persist with --persist-dir: without it, nothing is written$/,
    ],
    [
      'replay: sharing without --persist',
      ['replay', '--cache', 'multi'],
      /Expected --persist with --cache multi: /,
    ],
    ['replay: an unknown mode', ['replay', '--cache', 'both'], /--cache to be single, multi, got `both`$/],
  ])('%s', async (_name, args, sentence) => {
    const { exitCode, stdout, stderr } = await toolstash(args, '');
    expect(stderr.trimEnd()).toMatch(sentence);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/^toolstash: /);
  });

  test('import: a malformed line, with file and line number; what came before it is in', async () => {
    const good = '{"method": "m", "params": 1, "result": 2}';
    const { exitCode, stdout, stderr } = await toolstash(['import', 'scratch'], `${good}\n{"method": 1}\n`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toBe("toolstash: standard input:2: expected `method` to be the method's name, got 1\n");
    expect((await toolstash(['get', 'scratch', 'm', '1'])).stdout).toBe('2\n');
  });
});

test('--help of every command lists its arguments and flags', async () => {
  const overview = await toolstash(['--help']);
  for (const command of [
    'replay',
    'inspect',
    'verify',
    'get',
    'export',
    'import',
    'delete',
    'consolidate',
    'merge',
  ]) {
    expect(overview.stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    const { exitCode, stdout } = await toolstash([command, '--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Usage: toolstash ${command}`);
  }
});
