import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildScript, Child, killChildren, makeWorkFolder, wait } from '../helper/child-process.js';
import { compilePrograms, root } from '../helper/compiled-programs.js';
import { freePort, RedisServer, stopServers } from '../helper/redis-server.js';

describe('machines in processes of their own', () => {
  let server: RedisServer;
  let script: string;
  const work = makeWorkFolder('remote');

  beforeAll(async () => {
    server = await RedisServer.start();
    script = await buildScript(fileURLToPath(new URL('./cache-process.ts', import.meta.url)), work);
  });
  afterAll(async () => {
    await killChildren();
    await stopServers();
    rmSync(work, { recursive: true, force: true });
  });

  async function machines(role: string, param: string, folders: readonly string[] = []): Promise<Child[]> {
    const children = Array.from(
      { length: 8 },
      (_, at) =>
        new Child({
          script,
          args: [
            String(server.port),
            role,
            param,
            ...folders.slice(at % folders.length, (at % folders.length) + 1),
          ],
        }),
    );
    await Promise.all(children.map((child) => child.next('ready')));
    return children;
  }

  async function ask(children: readonly Child[]): Promise<{ answers: Set<string>; loads: number }> {
    const told = children.map((child) => child.next('answers'));
    for (const child of children) child.send('ask');
    const all = (await Promise.all(told)) as [string, string[], number][];
    return {
      answers: new Set(all.flatMap(([, answers]) => answers)),
      loads: sum(all.map(([, , loads]) => loads)),
    };
  }

  async function end(children: readonly Child[]): Promise<void> {
    for (const child of children) child.send('end');
    await Promise.all(children.map((child) => child.ended));
  }

  it('8 processes with 64 callers each load a cold key once', async () => {
    const children = await machines('cold', 'cold');
    const { answers, loads } = await ask(children);
    expect([answers.size, loads]).toEqual([1, 1]);
    await end(children);
  });

  it('4 processes on each of two machines, which share folders and Redis, load a cold key once', async () => {
    const folders = ['one', 'two'].map((name) => join(work, name));
    const children = await machines('cold', 'shared', folders);
    const { answers, loads } = await ask(children);
    expect([answers.size, loads]).toEqual([1, 1]);
    await server.command('FLUSHALL');
    await end(children);
    // What lies in the folders is confirmed in Redis, which has lost it, and loaded once more.
    const later = await machines('cold', 'shared', folders);
    const again = await ask(later);
    expect([again.answers.size, again.loads]).toEqual([1, 1]);
    expect([...again.answers]).not.toEqual([...answers]);
    await end(later);
  });

  it('one that ends without closing leaves on disk what a Redis that is away has not heard', async () => {
    const folder = join(work, 'forgetful');
    const child = new Child({ script, args: [String(await freePort()), 'forgetful', folder] });
    await child.next('deleted');
    await child.ended;
    expect(readdirSync(join(folder, '.remote')).join()).toContain('.outbox');
  });

  it('8 processes renew a stale key once', async () => {
    const children = await machines('stale', 'stale');
    expect((await ask(children)).loads).toBe(1);
    await wait(3_200);
    await ask(children);
    // Long enough for the tool, and not for the new value to become stale on a busy machine.
    await wait(1_000);
    const told = children.map((child) => child.next('loads'));
    for (const child of children) child.send('loads');
    const counts = (await Promise.all(told)) as [string, number][];
    expect(sum(counts.map(([, loads]) => loads))).toBe(2);
    await end(children);
  });

  it('another process loads when the one that does is killed', async () => {
    const children = await machines('cold', 'killed');
    const [first, ...others] = children as [Child, ...Child[]];
    first.send('ask');
    await expect.poll(() => server.command('DBSIZE')).not.toBe(':2\r\n');
    await wait(50);
    await first.kill();
    const { answers, loads } = await ask(others);
    expect([answers.size, loads]).toEqual([1, 1]);
    await end(others);
  });

  it.each(['alive', 'dead'])('an idle client of a Redis that is %s keeps no process', async (state) => {
    const other = await RedisServer.start();
    const { port } = other;
    if (state === 'dead') await other.stop();
    const child = new Child({ script, args: [String(port), 'idle'] });
    await child.next('opened');
    await child.ended;
  });

  it('the example of two machines runs', async () => {
    const programs = await compilePrograms([`${root}/examples/redis/two-machines.ts`], {
      experimentalDecorators: false,
      formats: ['esm', 'cjs'],
    });
    process.env['REDIS_URL'] = server.url;
    try {
      for (const format of ['mjs', 'cjs']) {
        const { stdout, stderr } = await programs.run('two-machines', format);
        expect(stderr).toBe('');
        expect(stdout).toBe(
          'the parent got: loaded by the parent\nthe child got: loaded by the parent\nthe parent has let go of it\n',
        );
      }
    } finally {
      delete process.env['REDIS_URL'];
      programs.remove();
    }
  });
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
