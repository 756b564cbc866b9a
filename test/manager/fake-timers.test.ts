/** Caches under the fake timers of test runners. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'msgpackr';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BloomFilter, CacheManager } from '../../src/index.js';

afterEach(() => void vi.useRealTimers());

describe('under fake timers', () => {
  it('a hard timeout fires when its time has been let pass', async () => {
    vi.useFakeTimers();
    const cache = new CacheManager({ hardTimeout: '5s' });
    const asking = cache.getOrSet('tool', 1, () => new Promise(() => {}));
    const outcome = expect(asking).rejects.toMatchObject({ code: 'ERR_LOADER_TIMEOUT' });
    vi.advanceTimersByTime(5000);
    await outcome;
  });

  it('plain files of many entries are read, and what was set is written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'toolstash-fake-timers-'));
    try {
      const file = join(folder, 'plain.cache');
      const cache = new CacheManager();
      const keys = Array.from({ length: 2000 }, (_, id) => cache.key('tool', id));
      const entry = { result: 'value', metadata: { method: 'tool', created_at: 1, expires_at: null } };
      writeFileSync(file, gzipSync(pack(Object.fromEntries(keys.map((key) => [key, entry])))));
      vi.useFakeTimers();
      const options = { persist: true, persistDir: join(folder, 'cache') };
      const reading = await CacheManager.open({ ...options, loadCache: [file] });
      expect(await reading.get('tool', 1999)).toBe('value');
      await reading.set('tool', 'new', 'value');
      await reading.flush();
      await reading.consolidate();
      await reading.close();
      const next = await CacheManager.open(options);
      expect(await next.get('tool', 'new')).toBe('value');
      await next.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('a date is a date, whatever the timers have made of the class', async () => {
    const real = new Date(1);
    vi.useFakeTimers();
    const cache = new CacheManager();
    let loads = 0;
    const tool = cache.wrap(async (day: Date) => [loads++, new Date(day)], { name: 'tool' });
    expect(await tool(new Date(1))).toEqual([0, new Date(1)]);
    expect(await tool(new Date(1))).toEqual([0, new Date(1)]);
    expect(tool.key(new Date(1))).toBe(tool.key(real));
    vi.useRealTimers();
    expect(await tool(real)).toEqual([0, real]);
    expect(loads).toBe(1);
    class Birthday extends Date {}
    expect(() => tool.key(new Birthday(1))).toThrow('Birthday');
  });

  it('a Bloom filter is rebuilt', async () => {
    vi.useFakeTimers();
    const filter = new BloomFilter({ capacity: 20_000 });
    await filter.rebuild(
      (async function* () {
        for (let key = 0; key < 10_000; key += 1) yield key.toString(16).padStart(32, '0');
      })(),
    );
    expect(filter.mayHave('1'.padStart(32, '0'))).toBe(true);
  });
});
