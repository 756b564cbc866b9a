/** A log of events that only grows, read in pages. */

import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { BloomFilter, CacheManager, type CacheOptions } from '../../src/index.js';
import { PagedLog } from '../../src/source/index.js';
import { gate } from '../helper/gate.js';

const caches: CacheManager[] = [];
afterEach(() => Promise.all(caches.splice(0).map((cache) => cache.close())));

function newCache(options: CacheOptions = {}): CacheManager {
  const cache = new CacheManager({ maxSize: 100_000, ...options });
  caches.push(cache);
  return cache;
}

/** A store that counts how often it is touched. */
function storeOf(count: number) {
  const events = Array.from({ length: count }, (_, at) => at);
  const store = {
    events,
    touched: 0,
    read: async (from: number, limit: number) => {
      store.touched++;
      return events.slice(from, from + limit);
    },
    append: async (more: readonly number[]) => {
      await new Promise((resolve) => setImmediate(resolve));
      return events.push(...more) - more.length;
    },
  };
  return store;
}
const logOf = (store: ReturnType<typeof storeOf>, cache = newCache(), pageSize = 25) =>
  new PagedLog<number>({ cache, method: 'events', read: store.read, append: store.append, pageSize });
async function all(log: PagedLog<number>): Promise<number[]> {
  const events: number[] = [];
  for await (const event of log.events()) events.push(event);
  return events;
}

it.each([1, 24, 25, 26, 50, 51, 1000, 1013])(
  'touches the store once per page for %i events',
  async (count) => {
    const store = storeOf(count);
    const log = logOf(store);
    expect(await all(log)).toEqual(store.events);
    expect(store.touched).toBe(Math.ceil(count / 25));
    store.touched = 0;
    expect(await all(log)).toEqual(store.events);
    // Where the log may have grown since.
    expect(store.touched).toBe(1);
  },
);

it('reads from any index, any number, at pages that begin at multiples of their size', async () => {
  const store = storeOf(100);
  const cache = newCache();
  const starts: number[] = [];
  const read = (from: number, limit: number) => {
    starts.push(from);
    return store.read(from, limit);
  };
  const log = new PagedLog<number>({ cache, method: 'events', read });
  expect(await log.read(37, 20)).toEqual(store.events.slice(37, 57));
  // A restart in mid-page.
  const again = new PagedLog<number>({ cache, method: 'events', read });
  expect(await again.read(60, 3)).toEqual([60, 61, 62]);
  expect(await again.read(99, 5)).toEqual([99]);
  expect(await again.read(500, 5)).toEqual([]);
  expect(await again.read(5, 0)).toEqual([]);
  expect(starts).toEqual([25, 50, 75, 500]);
});

it('caches no page that is not full', async () => {
  const store = storeOf(30);
  const log = logOf(store);
  await all(log);
  store.events.push(30, 31);
  expect(await all(log)).toEqual(store.events);
  expect(caches[0]?.stats('events').entries).toBe(1);
});

it('reads a page anew where an event was rewritten or deleted, and all where others moved', async () => {
  const store = storeOf(100);
  const log = logOf(store);
  await all(log);
  store.events[30] = -30;
  store.touched = 0;
  await log.invalidate(30);
  expect((await log.read(0, 75)).at(30)).toBe(-30);
  expect(store.touched).toBe(1);
  store.events.splice(10, 1);
  await log.invalidateAll();
  expect(await all(log)).toEqual(store.events);
});

it('shows what was appended to who reads then, also while others read', async () => {
  const store = storeOf(10);
  const held = gate();
  let isHeld = true;
  const read = async (from: number, limit: number) => {
    const found = await store.read(from, limit);
    if (isHeld) await held.promise;
    return found;
  };
  const log = new PagedLog<number>({ cache: newCache(), method: 'events', read, append: store.append });
  const early = log.read(0, 100);
  await expect.poll(() => store.touched).toBe(1);
  isHeld = false;
  expect(await log.append(10, 11)).toBe(10);
  expect(await log.read(0, 100)).toHaveLength(12);
  held.open();
  expect(await early).toHaveLength(10);
  expect(await log.read(0, 100)).toHaveLength(12);
});

it('gives what the store has, whatever is appended, read, rewritten and restarted at once', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant('read' as const), from: fc.nat(60), limit: fc.nat(30) }),
    fc.record({ kind: fc.constant('rewrite' as const), at: fc.nat(60) }),
    fc.record({ kind: fc.constant('restart' as const) }),
    fc.record({ kind: fc.constant('appends' as const), count: fc.integer({ min: 2, max: 5 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const store = storeOf(0);
      const cache = newCache();
      let log = logOf(store, cache, 4);
      for (const each of steps) {
        if (each.kind === 'restart') log = logOf(store, cache, 4);
        if (each.kind === 'append') await log.append(...Array.from({ length: each.count }, (_, at) => at));
        if (each.kind === 'appends')
          await Promise.all(
            Array.from({ length: each.count }, (_, at) => Promise.all([log.append(at), log.read(0, 99)])),
          );
        if (each.kind === 'rewrite' && each.at < store.events.length) {
          store.events[each.at] = -1;
          await log.invalidate(each.at);
        }
        if (each.kind === 'read')
          expect(await log.read(each.from, each.limit)).toEqual(
            store.events.slice(each.from, each.from + each.limit),
          );
      }
      expect(await all(log)).toEqual(store.events);
    }),
    { numRuns: 50 },
  );
});

it('rejects with what the store throws, and refuses what makes no sense', async () => {
  const broken = new PagedLog({
    cache: newCache(),
    method: 'events',
    read: async () => {
      throw new Error('disk');
    },
  });
  await expect(broken.read(0, 1)).rejects.toThrow('disk');
  await expect(broken.append(1)).rejects.toThrow(/option `append` of PagedLog/);
  await expect(broken.read(-1, 1)).rejects.toThrow(
    /Expected from to be a whole number of at least 0, got `-1`/,
  );
  const wrong = { cache: newCache(), method: 'events', read: async () => 'rows' as never };
  await expect(new PagedLog(wrong).read(0, 1)).rejects.toThrow(
    /Expected `read` to give a list, got `'rows'`/,
  );
  expect(() => new PagedLog({ ...wrong, pageSize: 0 })).toThrow(
    /Expected `pageSize` to be a positive integer/,
  );
  expect(() => new PagedLog({ ...wrong, pagesize: 5 } as never)).toThrow(/did you mean `pageSize`/);
});

it('says so where `append` stores the list that it is given as one event', async () => {
  const events: unknown[] = [];
  let fails = true;
  const read = async (from: number, limit: number) => {
    if (fails) throw new Error('disk');
    return events.slice(from, from + limit);
  };
  const logWith = (append: (more: readonly unknown[]) => Promise<number>) =>
    new PagedLog<unknown>({ cache: newCache(), method: 'events', read, append });
  const wrong = logWith(async (more) => events.push(more) - 1);
  // What can't be looked at was stored all the same.
  expect(await wrong.append('opened')).toBe(0);
  fails = false;
  await expect(wrong.append('closed')).rejects.toThrow(
    /to store each event of the list it is given, got one that stored the list as a single event/,
  );
  const right = logWith(async (more) => events.push(...more) - more.length);
  expect(await right.append(['a', 'list'])).toBe(2);
  expect(await right.append('closed', 'opened')).toBe(3);
  expect(await right.read(2, 9)).toEqual([['a', 'list'], 'closed', 'opened']);
});

it('gives the index of what was stored, whatever becomes of looking at it and of the cache', async () => {
  const events: string[] = [];
  const append = async (more: readonly string[]) => events.push(...more) - more.length;
  const reads: ((from: number, limit: number) => unknown)[] = [
    (from, limit) => events.slice(from, from + limit),
    () => {
      throw new Error('disk');
    },
  ];
  for (const read of reads) {
    const log = new PagedLog<string>({ cache: newCache(), method: 'events', read: read as never, append });
    expect(await log.append('a')).toBe(events.length - 1);
  }
  const cache = newCache();
  await cache.close();
  const read = async (from: number, limit: number) => events.slice(from, from + limit);
  const log = new PagedLog<string>({ cache, method: 'events', read, append });
  expect(await log.append('b')).toBe(2);
  expect(await log.read(0, 9)).toEqual(['a', 'a', 'b']);
});

it('reads an event anew that was rewritten through a log with pages of another size', async () => {
  const store = storeOf(100);
  const cache = newCache();
  const [small, large] = [logOf(store, cache, 10), logOf(store, cache, 40)];
  await Promise.all([all(small), all(large)]);
  store.events[30] = -30;
  await small.invalidate(30);
  expect(await large.read(30, 1)).toEqual([-30]);
});

it('is no business of the keys that the cache knows, nor of what it takes for an error', async () => {
  const store = storeOf(60);
  const knownKeys = new BloomFilter({ capacity: 10 });
  expect(await all(logOf(store, newCache({ knownKeys })))).toEqual(store.events);
  const log = logOf(store, newCache({ isError: () => true }));
  await all(log);
  store.touched = 0;
  await all(log);
  expect(store.touched).toBe(1);
});

it.each([{ append: null }, { append: 0 }, { pageSize: null }, { ttl: 'soon' }, { ttl: () => 5 }])(
  'refuses %o',
  (option) => {
    const given = { cache: newCache(), method: 'events', read: async () => [], ...option };
    expect(() => new PagedLog(given as never)).toThrow(`Expected \`${Object.keys(option)[0]}\``);
  },
);
