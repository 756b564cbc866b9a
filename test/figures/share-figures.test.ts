import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { shareFigures } from '../../src/metrics/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

let folder: string;
let clock: FakeClock;
const caches: CacheManager[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-figures-'));
  clock = new FakeClock();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  rmSync(folder, { recursive: true, force: true });
});

function open(options: ConstructorParameters<typeof CacheManager>[0] = {}): CacheManager {
  const cache = new CacheManager({ clock, ...options });
  caches.push(cache);
  return cache;
}

async function load(cache: CacheManager, tool: string, ms: number, times = 1): Promise<void> {
  for (let call = 0; call < times; call += 1)
    await cache.getOrSet(tool, call, async () => void (await clock.advance(ms)));
}

const notes = () => readdirSync(join(folder, '.figures')).sort();

describe('figures that processes share', () => {
  it('are those of a cache once, however often it shares them', async () => {
    const cache = open();
    await load(cache, 'search', 10, 3);
    const place = join(folder, '.figures');
    const first = shareFigures(cache, { folder: place });
    const second = shareFigures(cache, { folder: place });
    await clock.advance(1);
    await vi.waitFor(() => expect(notes()).toHaveLength(1));
    await first.stop();
    await second.stop();
    const { stats, processes } = await shareFigures(cache, { folder: place }).sum();
    expect([stats.loads, processes.length]).toEqual([3, 1]);
  });

  it('are summed up: counts, and times of loads as if one had recorded all', async () => {
    const [one, two] = [open(), open()];
    await load(one, 'search', 10, 3);
    await load(two, 'search', 900, 2);
    await load(two, 'fetch', 50);
    await one.getOrSet('search', 0, () => 1);
    const place = join(folder, '.figures');
    const shares = [one, two].map((cache, at) =>
      shareFigures(cache, { folder: place, name: `worker ${at}` }),
    );
    await clock.advance(1);
    await vi.waitFor(() => expect(notes()).toHaveLength(2));

    const sum = await shares[0]!.sum();
    const [a, b] = [one.stats(), two.stats()];
    for (const field of ['hits', 'misses', 'loads', 'savedMs', 'entries', 'bytes', 'sets'] as const)
      expect([field, sum.stats[field]]).toEqual([field, a[field] + b[field]]);
    expect(sum.stats.hitRate).toBeCloseTo(1 / 7, 9);
    const { loadTime } = sum.stats;
    expect(loadTime).toMatchObject({ count: 6, max: 900 });
    expect(loadTime.mean).toBeCloseTo((3 * 10 + 2 * 900 + 50) / 6, 6);
    expect(Math.abs(loadTime.p50 - 10) / 10).toBeLessThan(0.01);
    expect([...sum.methods.keys()]).toEqual(['search', 'fetch']);
    expect(sum.methods.get('search')!.loads).toBe(5);
    expect(sum.processes.map(({ name, pid, isRunning }) => [name, pid, isRunning]).sort()).toEqual([
      ['worker 0', process.pid, true],
      ['worker 1', process.pid, true],
    ]);
  });

  it('count on after their process has ended, until keepFor is over; what it held does not', async () => {
    const [gone, other] = [open(), open()];
    await load(gone, 'search', 10, 3);
    shareFigures(gone, { folder: join(folder, '.figures'), keepFor: '1h' });
    await gone.close();
    const figures = shareFigures(other, { folder: join(folder, '.figures') });
    expect((await figures.sum()).stats).toMatchObject({ loads: 3, entries: 0, bytes: 0 });
    expect((await figures.sum()).processes.map(({ isRunning }) => isRunning)).toEqual([true, false]);

    const now = Date.now();
    vi.spyOn(Date, 'now').mockImplementation(() => now + 3_600_001);
    expect((await figures.sum()).stats.loads).toBe(0);
  });

  it('of a process that has fallen silent are of the past, and are removed in time', async () => {
    const place = join(folder, '.figures');
    const [silent, later] = [open(), open()];
    await load(silent, 'search', 1);
    shareFigures(silent, { folder: place, interval: '10s' });
    await clock.advance(1);
    await vi.waitFor(() => expect(notes()).toHaveLength(1));
    const [note = ''] = notes();
    const now = Date.now();
    vi.spyOn(Date, 'now').mockImplementation(() => now + 31_000);
    const figures = shareFigures(later, { folder: place });
    const { stats, processes } = await figures.sum();
    expect([stats.loads, stats.entries]).toEqual([1, 0]);
    expect(processes.map(({ isRunning }) => isRunning)).toEqual([true, false]);

    const old = now / 1000 - 8 * 86_400;
    utimesSync(join(place, note), old, old);
    writeFileSync(join(place, `${'0'.repeat(16)}.half`), 'x');
    utimesSync(join(place, `${'0'.repeat(16)}.half`), old, old);
    await figures.stop();
    expect(notes()).not.toContain(note);
    expect(notes().filter((name) => name.endsWith('.half'))).toEqual([]);
  });

  it('are left out where they are not whole, hostile, or no file of ours', async () => {
    const place = join(folder, '.figures');
    const cache = open();
    await load(cache, 'search', 1);
    const figures = shareFigures(cache, { folder: place });
    await figures.stop();
    const [note = ''] = notes();
    const text = readFileSync(join(place, note), 'utf8');
    const plant = (at: number, content: string) =>
      writeFileSync(join(place, `${String(at).repeat(16)}.json`), content);
    plant(1, '');
    plant(2, text.slice(0, -20));
    plant(3, text.replace(/"loads":1/, '"loads":"1"'));
    plant(4, text.replace(/"buckets":\[\[\d+/, '"buckets":[[1e9'));
    plant(5, text.replace('"version":1', '"version":2'));
    plant(6, 'null');
    symlinkSync(join(place, note), join(place, `${'7'.repeat(16)}.json`));
    mkdirSync(join(place, `${'8'.repeat(16)}.json`));
    writeFileSync(join(place, 'readme.json'), text);
    expect((await shareFigures(open(), { folder: place }).sum()).stats.loads).toBe(1);
  });

  it('that can not be left cost no call anything: one error event, and another try', async () => {
    const cache = open();
    const errors: string[] = [];
    cache.on('error', ({ error }) => errors.push(error.message));
    const place = join(folder, 'file', 'figures');
    writeFileSync(join(folder, 'file'), '');
    const figures = shareFigures(cache, { folder: place, interval: 1000 });
    for (let turn = 0; turn < 3; turn += 1) {
      await clock.advance(1001);
      await vi.waitFor(() => expect(errors).toHaveLength(1));
      await new Promise(setImmediate);
    }
    expect(errors).toEqual(['Leaving figures for other processes failed']);
    await load(cache, 'search', 1);
    expect(cache.stats()).toMatchObject({ loads: 1, cacheErrors: 1 });
    await expect(figures.sum()).rejects.toThrow('ENOTDIR');
    rmSync(join(folder, 'file'));
    await figures.stop();
    expect(readdirSync(place)).toHaveLength(1);
  });

  it('do not follow a symlink out of the cache folder', async () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const persistDir = join(folder, 'cache');
    mkdirSync(persistDir);
    symlinkSync(outside, join(persistDir, '.figures'));
    const cache = open({ persist: true, persistDir, mode: 'multi', clock: undefined as never });
    const errors: unknown[] = [];
    cache.on('error', ({ error }) => errors.push(error));
    await shareFigures(cache).stop();
    expect(errors).toHaveLength(1);
    expect(readdirSync(outside)).toEqual([]);
  });

  it('say of wrong options what they should be', () => {
    expect(() => shareFigures(open())).toThrow(
      'Expected a cache with `persistDir` or Redis as `remote`, got one of this process alone: give `folder`',
    );
    expect(() => shareFigures(open(), { folder, interval: 'soon' as never })).toThrow('Expected `interval`');
    expect(() => shareFigures(open(), { foldr: folder } as never)).toThrow('did you mean `folder`?');
    expect(() => shareFigures({} as never)).toThrow('Expected `cache`');
  });
});
