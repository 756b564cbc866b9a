/** What `inspect --params` and `get` show of what is kept of calls. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { recording } from '../../src/recording/index.js';
import { Rollout } from '../../src/rollout/index.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
let keys: string[];

beforeAll(async () => {
  commandLine = await openCommandLine();
  const dir = join(commandLine.folder, 'tape');
  const tape = recording({ dir, mode: 'record', redact: ['token'] });
  await using cache = await CacheManager.open({ recording: tape, methods: { versioned: { version: 2 } } });
  const calls = [
    ['search', { q: 'mvcc', token: 'hunter2' }],
    ['versioned', { at: new Date(0) }],
    ['odd\u001b[1m', 'text\u0007'],
  ] as const;
  for (const [method, params] of calls) await cache.getOrSet(method, params, () => method.length);
  const rollout = new Rollout(cache, { effects: { read: { reads: ['db'] } }, task: 'airline-3', id: 7 });
  await rollout.call('read', { id: 1 }, () => 'row');
  keys = calls.map(([method, params]) => cache.key(method, params));
});
afterAll(() => commandLine.remove());

const toolstash = (...args: string[]) => commandLine.run(args);

describe('inspect --params', () => {
  it('lists each call with what is kept of it, without control characters', async () => {
    const { exitCode, stdout, stderr } = await toolstash('inspect', 'tape', '--params');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [report = '', calls = ''] = stdout.split(/\n\n(?= {2}odd)/);
    expect(report).toContain('4 entries');
    expect(calls.split('\n')).toEqual([
      expect.stringMatching(/^ {2}odd\S*\[1m {2}[0-9a-f]{32} {2}params "text\\u0007"$/),
      expect.stringMatching(
        /^ {2}read {2}[0-9a-f]{32} {2}params \{"id":1\}, scope "rollout:[0-9a-f]{32}", task "airline-3", rollout "7"$/,
      ),
      `  search  ${keys[0]}  params {"q":"mvcc"}`,
      `  versioned  ${keys[1]}  params { at: 1970-01-01T00:00:00.000Z }, version 2`,
      '',
    ]);
    for (const hidden of ['\u001b', '\u0007', 'hunter2']) expect(stdout).not.toContain(hidden);
  });

  it('gives them as JSON, and nothing of them unless asked', async () => {
    const { calls } = JSON.parse((await toolstash('inspect', 'tape', '--params', '--json')).stdout) as {
      calls: { method: string }[];
    };
    expect(calls.sort((one, other) => (one.method < other.method ? -1 : 1))).toEqual([
      { method: 'odd\u001b[1m', key: keys[2], params: 'text\u0007' },
      {
        ...{ method: 'read', key: expect.any(String), params: { id: 1 }, scope: expect.any(String) },
        ...{ task: 'airline-3', rollout: '7' },
      },
      { method: 'search', key: keys[0], params: { q: 'mvcc' } },
      { method: 'versioned', key: keys[1], params_msgpack: expect.any(String), version: 2 },
    ]);
    expect(JSON.parse((await toolstash('inspect', 'tape', '--json')).stdout)).not.toHaveProperty('calls');
    expect((await toolstash('inspect', 'tape')).stdout).not.toContain('mvcc');
  });
});

describe('get', () => {
  it('finds a key, and shows on the side what is kept of its call', async () => {
    expect(await toolstash('get', 'tape', 'search', '--key', keys[0]!)).toEqual({
      exitCode: 0,
      stdout: '6\n',
      stderr: 'toolstash: Kept with it: params {"q":"mvcc"}\n',
    });
    expect((await toolstash('get', 'tape', 'search', '--key', keys[0]!, '--json')).stderr).toBe('');
    const text = ['get', 'tape', 'odd\u001b[1m', '"text\\u0007"'];
    expect(await toolstash(...text)).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await toolstash(...text, '--params')).stderr).toBe(
      'toolstash: Kept with it: params "text\\u0007"\n',
    );
  });

  it('says where to look for a key that is not there', async () => {
    expect(await toolstash('get', 'tape', 'search', '--key', '0'.repeat(32))).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        'toolstash: No fresh entry of `search` with this key in tape: `toolstash inspect --params` lists what there is\n',
    });
  });
});
