/** `--redis` of the commands, on a real server, and where there is none. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { hashKey } from '../../src/index.js';
import { closeMachines, openMachine } from '../helper/redis-caches.js';
import { freePort, RedisServer, stopServers } from '../helper/redis-server.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
let server: RedisServer;
beforeAll(async () => {
  commandLine = await openCommandLine();
  server = await RedisServer.start({ args: ['--user', 'me', 'on', '>se/cret', '~*', '&*', '+@all'] });
});
beforeEach(async () => {
  await server.command('FLUSHALL');
  for (const name of environment) delete process.env[name];
});
afterEach(closeMachines);
afterAll(async () => {
  for (const name of environment) delete process.env[name];
  await commandLine.remove();
  await stopServers();
});

const environment = ['REDIS_URL', 'REDIS_HOST', 'REDIS_PORT', 'REDIS_USERNAME', 'REDIS_PASSWORD'];
const urlOf = () => `redis://me:se%2Fcret@127.0.0.1:${server.port}`;
const machine = () => openMachine(server, { keepParams: true }, { url: urlOf() });
const place = () => `Redis at 127.0.0.1:${server.port}, prefix toolstash`;

async function toolstash(args: readonly string[], input?: string) {
  const run = await commandLine.run(args, input);
  expect(run.stdout + run.stderr).not.toMatch(/se(%2F|\/)cret/);
  return run;
}

async function filled() {
  const cache = await machine();
  await cache.set('search', { q: 1 }, { hits: ['a'] }, { scope: 'a', tags: ['t'] });
  await cache.set('search', { q: 2 }, 'two', { scope: 'a' });
  await cache.set('other', 'x'.repeat(20_000), new Date(5));
  await cache.set('other', 1, 'covered', { tags: ['gone'] });
  await cache.invalidateTags(['gone']);
  await cache.flush();
  return cache;
}

test('get, by url or by what the environment says, before and behind the call', async () => {
  await filled();
  const call = ['search', '{"q":1}', '--scope', 'a'];
  const right = { exitCode: 0, stdout: '{"hits":["a"]}\n', stderr: '' };
  expect(await toolstash(['get', ...call, '--redis', urlOf()])).toEqual(right);
  expect(await toolstash(['get', `--redis=${urlOf()}`, ...call])).toEqual(right);
  process.env['REDIS_URL'] = urlOf();
  expect(await toolstash(['get', '--redis', ...call])).toEqual(right);
  delete process.env['REDIS_URL'];
  Object.assign(process.env, { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port) });
  Object.assign(process.env, { REDIS_USERNAME: 'me', REDIS_PASSWORD: 'se/cret' });
  expect(await toolstash(['get', ...call, '--redis'])).toEqual(right);
  for (const missing of [
    ['search', '{"q":3}'],
    ['other', '1'],
    ['search', '{"q":1}', '--scope', 'a', '--redis-prefix', 'another'],
  ]) {
    const none = await toolstash(['get', '--redis', ...missing]);
    expect(none).toMatchObject({ exitCode: 1, stdout: '' });
    expect(none.stderr).toContain(`in Redis at 127.0.0.1:${server.port}, prefix`);
  }
});

test('inspect, which changes nothing, also where no cache has ever been', async () => {
  const empty = await toolstash(['inspect', '--redis', urlOf()]);
  expect(empty).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('0 entries') });
  expect(await server.command('DBSIZE')).toBe(':0\r\n');
  const cache = await filled();
  const { exitCode, stdout, stderr } = await toolstash(['inspect', '--redis', urlOf()]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain(`toolstash inspect  ${place()}\n`);
  expect(stdout).toMatch(/3 entries {2}of 2 methods, \d+ B of values/);
  const json = await toolstash(['inspect', '--redis', urlOf(), '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    redis: place(),
    values: 3,
    methods: [{ method: 'search', values: 2 }, { method: 'other' }],
  });
  // A cache that was open all the time has noticed nothing.
  expect(await cache.get('search', { q: 2 }, { scope: 'a' })).toBe('two');
});

test('export and import give back what was there, and keep what is newer', async () => {
  const cache = await filled();
  const { stdout: lines } = await toolstash(['export', '--redis', urlOf()]);
  expect(lines.trim().split('\n')).toHaveLength(3);
  await cache.delete('search', { q: 1 }, { scope: 'a' });
  await cache.set('search', { q: 2 }, 'newer', { scope: 'a' });
  await cache.clear('other');
  await cache.flush();
  const imported = await toolstash(['import', '--redis', urlOf()], lines);
  // What was cleared since stays out, and so does what is older than what is there.
  const stayed = '2 entries stayed out, as what is there is as new or newer';
  expect(imported).toEqual({
    exitCode: 0,
    stdout: `Imported 1 entry into ${place()}; ${stayed}.\n`,
    stderr: '',
  });
  await expect.poll(() => cache.get('search', { q: 1 }, { scope: 'a' })).toEqual({ hits: ['a'] });
  expect(await cache.get('search', { q: 2 }, { scope: 'a' })).toBe('newer');
  expect(await cache.get('other', 'x'.repeat(20_000))).toBeUndefined();
  await writeFile(join(commandLine.folder, 'entries.jsonl'), lines);
  const again = await toolstash(['import', 'entries.jsonl', '--redis', urlOf(), '--redis-prefix', 'copy']);
  expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Imported 3 entries') });
  const copied = await toolstash(['export', '--redis', urlOf(), '--redis-prefix', 'copy']);
  expect(copied.stdout.split('\n').sort()).toEqual(lines.split('\n').sort());
});

test('delete, which other machines hear of', async () => {
  const cache = await filled();
  expect(await cache.get('search', { q: 2 }, { scope: 'a' })).toBe('two');
  const call = ['delete', 'search', '--scope', 'a', '--redis', urlOf()];
  const dry = await toolstash([...call, '--dry-run']);
  expect(dry.stdout).toBe(`2 entries of search would be deleted from ${place()}.\n`);
  expect(await toolstash(call)).toMatchObject({
    exitCode: 0,
    stdout: `2 entries of search deleted from ${place()}.\n`,
  });
  await expect.poll(() => cache.get('search', { q: 2 }, { scope: 'a' })).toBeUndefined();
  const key = hashKey('other', 'x'.repeat(20_000));
  expect(await toolstash(['delete', '--redis', urlOf(), 'other', '--key', key])).toMatchObject({
    exitCode: 0,
  });
  expect(await toolstash(['delete', '--redis', urlOf(), 'other', '--key', key])).toMatchObject({
    exitCode: 1,
  });
});

test('replay, whose second run is answered from Redis', async () => {
  const call = ['replay', '--redis', urlOf(), '--tasks', '2', '--time-scale', '0', '--json'];
  const first = JSON.parse((await toolstash(call)).stdout);
  expect(first).toMatchObject({ wrong: 0, remoteHits: 0 });
  const second = JSON.parse((await toolstash(call)).stdout);
  expect(second.wrong).toBe(0);
  expect(second.misses).toBeLessThan(first.misses);
  expect(second.remoteHits).toBeGreaterThan(0);
  expect((await toolstash(call.slice(0, -1))).stdout).toContain('from Redis');
});

test('Redis away, or a wrong password: exit code 2 and why, at once', async () => {
  const away = `redis://:se%2Fcret@127.0.0.1:${await freePort()}`;
  for (const args of [
    ['get', 'm', '1'],
    ['inspect'],
    ['export'],
    ['import'],
    ['delete', 'm', '1'],
    ['replay'],
  ]) {
    const { exitCode, stdout, stderr } = await toolstash([...args, '--redis', away]);
    expect([exitCode, stdout], args[0]).toEqual([2, '']);
    expect(stderr, args[0]).toMatch(/^toolstash: Redis can't be reached: .*ECONNREFUSED/);
  }
  const wrong = await toolstash(['inspect', '--redis', urlOf().replace('se%2Fcret', 'other')]);
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('WRONGPASS') });
});

test('what can not be meant is refused, and no password shown', async () => {
  const refused = async (args: readonly string[], why: string) => {
    expect(await toolstash(args)).toEqual({ exitCode: 2, stdout: '', stderr: expect.stringContaining(why) });
  };
  await refused(
    ['inspect', 'cache', '--redis', urlOf()],
    'Expected --redis or paths, got both: leave out cache',
  );
  await refused(['get', 'cache', 'm', '1', '--redis'], 'with --redis, leave out the path');
  for (const command of ['inspect', 'export', 'import'])
    await refused([command, urlOf()], 'got a URL: name a cache in Redis with --redis <url>');
  await refused(['get', '--redis', 'http://:se%2Fcret@host', 'm', '1'], 'Expected `url` to be as');
  await refused(['replay', '--redis', '--compare', 'lru,lfu'], 'cannot be used with');
  await refused(['verify', '--redis', urlOf()], "unknown option '--redis'");
});
