/** Servers that are processes, and what can go wrong between them and the proxy. */

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { killServers } from '../../src/proxy/index.js';
import { closeAll, configOf, isRunning, RawClient } from './raw-client.js';

/** How often no process can be started, as with too many open files: it has no pipes then. */
let failures = 0;
vi.mock('node:child_process', async (importOriginal) => {
  const actual = await importOriginal<typeof import('node:child_process')>();
  const spawn = (...args: unknown[]) => {
    if (failures === 0) return (actual.spawn as (...args: unknown[]) => unknown)(...args);
    failures -= 1;
    const child = new EventEmitter();
    process.nextTick(() => child.emit('error', new Error('spawn node EMFILE')));
    return child;
  };
  return { ...actual, spawn };
});

afterEach(async () => {
  failures = 0;
  vi.unstubAllEnvs();
  await closeAll();
});

async function connected() {
  const client = await RawClient.connect(configOf());
  return { client, pid: (await client.ask('test/pid')).result.pid as number };
}

it('dies while much is sent to it, and takes nobody along', async () => {
  const { client, pid } = await connected();
  await client.ask('test/stall');
  const ids = ['a', 'b', 'c'];
  for (const id of ids) client.request('vendor/x', { text: 'x'.repeat(200_000) }, id);
  // They are in the pipe.
  await sleep(200);
  process.kill(pid, 'SIGKILL');
  for (const id of ids) expect((await client.answer(id)).value.error.code).toBe(-32000);
  await expect.poll(async () => (await client.ask('test/pid')).result?.pid).not.toBe(pid);
});

it.each([1, 3])('can not be started again for lack of files, %d times, and is then', async (times) => {
  const { client, pid } = await connected();
  failures = times;
  process.kill(pid, 'SIGKILL');
  await expect.poll(async () => (await client.ask('ping')).result, { timeout: 10_000 }).toEqual({});
});

it('can not be started again, for what `spawn` throws, and is then', async () => {
  const { client, pid } = await connected();
  // Too long a variable.
  vi.stubEnv('TOOLSTASH_LONG', 'x'.repeat(2 ** 20));
  process.kill(pid, 'SIGKILL');
  await expect.poll(async () => (await client.ask('ping')).error?.message).toContain('E2BIG');
  vi.unstubAllEnvs();
  await expect.poll(async () => (await client.ask('ping')).result, { timeout: 10_000 }).toEqual({});
});

it('is ended and started again when it closes its input', async () => {
  const { client, pid } = await connected();
  await client.ask('test/deaf');
  await expect
    .poll(async () => (await client.ask('ping')).error?.message, { timeout: 20_000 })
    .toContain('signal SIGTERM');
  await expect.poll(async () => (await client.ask('test/pid')).result?.pid).not.toBe(pid);
}, 30_000);

it('that can not be started fails each request of a batch', async () => {
  const client = new RawClient(configOf({ command: 'no-such-program' }));
  await client.ask('initialize');
  // It is away for longer than messages wait.
  await expect
    .poll(async () => (await client.ask('ping')).error.message, { timeout: 20_000 })
    .toMatch(/in \d s$/);
  client.send('[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":"b","method":"ping"}]');
  // At once, not only when it fails to start again.
  await client.ask('ping');
  const answers = client.received.filter(({ value }) => ['a', 'b'].includes(value.id));
  expect(answers.map(({ value }) => value.error.code)).toEqual([-32000, -32000]);
}, 30_000);

it('is ended at once for a proxy that has no time', async () => {
  const { client, pid } = await connected();
  await client.ask('test/stall');
  killServers();
  await expect.poll(() => isRunning(pid)).toBe(false);
});
