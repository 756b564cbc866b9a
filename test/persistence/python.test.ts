/** A real Python reads what we write, we read what it writes, and `zcat` reads every file. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { makeDiskTier } from '../helper/disk-tier.js';
import { runPython } from '../helper/python.js';

const script = (name: string) => fileURLToPath(new URL(`../../examples/python/${name}`, import.meta.url));
const modules = ['msgpack'];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('Python', () => {
  it('reads the folder as we see it: newest entries, deletions, markers, tags and expiry', async () => {
    // Python has the real time.
    const one = makeDiskTier({ persistDir: folder, clock: new FakeClock(Date.now()) });
    const value = { text: 'é ☃ 😀', list: [1, -2.5, null, true], nested: { deep: [[]] } };
    one.set('search', { q: 'a' }, 'old');
    one.set('search', { q: 'b' }, 'deleted');
    one.set('cleared', 1, 'gone');
    one.set('tagged', 1, 'gone', { tags: ['t'] });
    one.set('expired', 1, 'gone', { expiresAt: one.clock.now() - 1 });
    await one.tier.flush();
    one.set('search', { q: 'a' }, value);
    one.delete('search', { q: 'b' });
    one.tier.clear('cleared', one.stamps.next());
    one.tier.invalidateTag('t', one.stamps.next());
    one.set('with\0zero', 1, 'odd name', { tags: ['other'] });
    await one.tier.close();
    const lines = runPython([script('read_cache.py'), folder], { modules })
      .trim()
      .split('\n');
    const entries = lines.map(
      (line) => JSON.parse(line) as { method: string; result: unknown; metadata: object },
    );
    expect(entries.map(({ method, result }) => [method, result]).sort()).toEqual([
      ['search', value],
      ['with\0zero', 'odd name'],
    ]);
    expect(entries.find(({ method }) => method === 'search')?.metadata).toMatchObject({
      created_at: one.clock.now(),
      expires_at: null,
      load_ms: 12.5,
    });
    expect(
      JSON.parse(runPython([script('read_cache.py'), folder, 'search', '{"q": "a"}'], { modules })),
    ).toEqual(value);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.cache'),
    );
    expect(files.length).toBeGreaterThanOrEqual(6);
    for (const file of files) execFileSync('zcat', [join(folder, file)], { stdio: 'ignore' });
  });

  it('writes plain files that we load, list, replace and delete', async () => {
    const calls = [
      { method: 'search', params: { q: 'x', n: 1.5 }, result: { hits: ['ü', 2 ** 40, 1e300] } },
      { method: 'search', params: { q: 'y' }, result: null },
      { method: 'fetch', params: ['a'], result: 'b'.repeat(100_000) },
      { method: 'fetch', params: ['late'], result: 1, ttl_ms: 60_000 },
    ];
    const input = calls.map((call) => JSON.stringify(call)).join('\n');
    runPython([script('write_cache.py'), folder], { modules, input });
    runPython([script('write_cache.py'), folder], {
      modules,
      input: `{"method":"search","params":3,"result":4}`,
    });
    const one = makeDiskTier({ persistDir: folder, clock: new FakeClock(Date.now() + 10) });
    await one.tier.open();
    expect(one.tier.size).toBe(5);
    for (const { method, params, result } of calls) {
      expect(await one.tier.lookup(await keyOf(method, params), method)).toBeDefined();
      expect(await one.get(method, params)).toEqual(result);
    }
    const listed: string[] = [];
    for await (const { method } of one.tier.entries()) listed.push(method);
    expect(listed.sort()).toEqual(['fetch', 'fetch', 'search', 'search', 'search']);
    one.set('search', { q: 'y' }, 'replaced');
    one.delete('fetch', ['a']);
    one.clock.advance(60_000);
    expect(await one.get('fetch', ['late'])).toBeUndefined();
    await one.tier.close();
    const two = makeDiskTier({ persistDir: folder, clock: one.clock });
    expect(await two.get('search', { q: 'y' })).toBe('replaced');
    expect(await two.get('fetch', ['a'])).toBeUndefined();
    await two.tier.close();
    expect([...one.errors, ...two.errors]).toEqual([]);
  });
});

async function keyOf(method: string, params: unknown): Promise<string> {
  const { hashKey } = await import('../../src/key/key-hasher.js');
  return hashKey(method, params);
}
