/** Cached clients of a server, a process of its own, whose tools change, which asks its user, or which dies. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CacheManager, type ToolRules } from '../../src/index.js';
import { cacheClient } from '../../src/mcp/index.js';
import { type Answers, closeAll, isRunning, servers, stdio1, stdio2, stdio2Modern } from './stdio.js';

const rules: ToolRules = { measure: { ttl: '1h' }, greet: { ttl: '1h' }, wait: {}, '*': 'opaque' };

/** Processes take their time on a busy machine. */
const soon = { timeout: 30_000 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-mcp-'));
});
afterEach(async () => {
  await closeAll();
  await rm(folder, { recursive: true });
});

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text;

describe.each([stdio1, stdio2, stdio2Modern])('a cached client of version $name', (sdk) => {
  async function caching(cache: CacheManager, unit = 'meters', options: { answers?: Answers } = {}) {
    const opened = await sdk.open(servers.own(unit), options);
    const client = cacheClient(opened.client, cache, rules, { server: 'own', principal: null });
    const call = async (name: string, args: object = {}) =>
      textOf(await client.callTool({ name, arguments: args }));
    return { ...opened, client, call };
  }

  it('finds after a restart what was stored of the same tool, and not of one by another definition', async () => {
    const answers: unknown[] = [];
    const upstream: unknown[] = [];
    for (const unit of ['meters', 'meters', 'feet', 'feet', 'meters']) {
      await using cache = await CacheManager.open({ persist: true, persistDir: folder });
      const opened = await caching(cache, unit);
      answers.push(await opened.call('measure'));
      upstream.push(opened.upstream['measure'] ?? 0);
      await closeAll();
    }
    expect(upstream).toEqual([1, 0, 1, 0, 0]);
    const [meters, , feet] = answers;
    expect(answers).toEqual([meters, meters, feet, feet, meters]);
    expect(meters).not.toBe(feet);
  });

  it('takes a tool for another once its server says that it has changed', async () => {
    const { call, upstream } = await caching(new CacheManager());
    const before = await call('measure');
    expect(await call('measure')).toBe(before);
    await call('change', { unit: 'feet' });
    const after = await call('measure');
    expect(after).not.toBe(before);
    expect(await call('measure')).toBe(after);
    await call('change', { unit: 'meters' });
    expect(await call('measure')).toBe(before);
    expect(upstream).toEqual({ measure: 2, change: 2 });
  });

  it('gives nobody what another user answered when he was asked', async () => {
    const cache = new CacheManager();
    const userOf = (name: string) => ({
      answers: { elicitation: async () => ({ action: 'accept', content: { name } }) },
    });
    const [ada, bob] = await Promise.all(
      ['ada', 'bob'].map((name) => caching(cache, 'meters', userOf(name))),
    );
    const greeted = await Promise.all([ada!.call('greet'), bob!.call('greet')]);
    greeted.push(await bob!.call('greet'), await ada!.call('greet'));
    expect(greeted.map((text) => text?.split(',')[0])).toEqual([
      ...['hello ada', 'hello bob', 'hello bob', 'hello ada'],
    ]);
    expect(cache.stats('own/greet')).toMatchObject({ hits: 0, entries: 0 });
  });

  it('stores nothing of a call under way when the server asks the user, whatever for', async () => {
    const { call, upstream } = await caching(new CacheManager());
    const waiting = call('wait');
    await expect.poll(() => upstream['wait'], soon).toBe(1);
    await call('measure');
    expect(await call('greet')).toContain('hello ada');
    await call('go');
    expect(await waiting).toContain('waited');
    const again = call('wait');
    await expect.poll(() => upstream['wait'], soon).toBe(2);
    await call('go');
    const answer = await again;
    // This time nobody was asked.
    expect(await call('wait')).toBe(answer);
    await call('measure');
    expect(upstream).toMatchObject({ wait: 2, measure: 1 });
  });

  it('rejects when the server dies during a call, stores nothing of it, and answers over another', async () => {
    const cache = new CacheManager();
    const { call, pid, upstream } = await caching(cache);
    const before = await call('measure');
    const waiting = [call('wait'), call('wait')].map((each) => each.catch(() => 'rejected'));
    await expect.poll(() => upstream['wait'], soon).toBe(1);
    process.kill(pid, 'SIGKILL');
    expect(await Promise.all(waiting)).toEqual(['rejected', 'rejected']);
    await expect.poll(() => isRunning(pid), soon).toBe(false);
    expect(cache.stats('own/wait')).toMatchObject({ entries: 0 });
    const another = await caching(cache);
    expect(await another.call('measure')).toBe(before);
    expect(another.upstream).toEqual({});
  });
});
