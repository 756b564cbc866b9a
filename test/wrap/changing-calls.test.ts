/** A call whose arguments or scope change while it is under way: its answer is its own, never somebody else's. */

import { describe, expect, it, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';
import { MapTier } from '../helper/map-tier.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

interface Query {
  page: number;
  trace?: string;
}

/** Reads its argument late, as tools do that wait for a connection first. */
const readLate = async (query: Query) => {
  await settle();
  return query.page;
};

describe('arguments that are not all in the key, changed while the tool runs', () => {
  it.each([
    ['a key function', { key: ({ page }: Query) => page }],
    ['ignored paths', { ignore: ['trace'] }],
  ])('give their answer to their caller alone: %s', async (_, options) => {
    const cache = newCache();
    const tool = vi.fn(readLate);
    const wrapped = cache.wrap(tool, { name: 'search', ...options });
    const query: Query = { page: 1, trace: 'a' };
    const first = wrapped(query);
    const joined = wrapped({ page: 1, trace: 'b' });
    query.page = 2;
    expect(await first).toBe(2);
    expect(await joined).toBe(1);
    expect(await wrapped({ page: 1, trace: 'c' })).toBe(1);
    expect(await wrapped({ page: 2, trace: 'd' })).toBe(2);
    expect(tool).toHaveBeenCalledTimes(4);
  });

  it('are counted, and what was stored before stays', async () => {
    const cache = newCache();
    const reasons: string[] = [];
    cache.on('uncached', ({ reason }) => reasons.push(reason));
    const wrapped = cache.wrap(readLate, { name: 'search', ignore: ['trace'] });
    await wrapped({ page: 1 });
    const query: Query = { page: 1 };
    const renewal = wrapped.refresh(query);
    query.page = 2;
    expect(await renewal).toBe(2);
    expect(reasons).toEqual(['a call that changes']);
    expect(await cache.get('search', { page: 1 })).toBe(1);
  });

  it('are cached when only what makes no difference has changed', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(readLate, { name: 'search', ignore: ['trace'] });
    const query: Query = { page: 1, trace: 'a' };
    const call = wrapped(query);
    query.trace = 'b';
    await call;
    expect(cache.stats('search')).toMatchObject({ uncached: 0, entries: 1 });
  });

  it('are noticed too when the key function fails on what they have become', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(async (query: { page?: { number: number } }) => query.page?.number, {
      name: 'search',
      key: ({ page }) => page!.number,
    });
    const query: { page?: { number: number } } = { page: { number: 1 } };
    const call = wrapped(query);
    delete query.page;
    expect(await call).toBe(1);
    expect(cache.stats('search')).toMatchObject({ uncached: 1, entries: 0 });
  });
});

describe('a scope that changes', () => {
  class Session {
    tenant: string;
    constructor(tenant: string) {
      this.tenant = tenant;
    }
  }

  async function orders(this: Session, id: string) {
    await settle();
    return `${this.tenant}:${id}`;
  }

  it.each([
    ['in memory', []],
    ['with a slower tier', [new MapTier()]],
  ])('while the tool runs: its answer is for its caller alone, %s', async (_, tiers) => {
    const cache = new CacheManager({ clock: new FakeClock() }, tiers);
    const wrapped = cache.wrap(orders, { scope: (self) => self.tenant });
    const session = new Session('acme');
    const call = wrapped.call(session, 'W1');
    const joined = wrapped.call(new Session('acme'), 'W1');
    session.tenant = 'globex';
    expect(await call).toBe('globex:W1');
    expect(await joined).toBe('acme:W1');
    expect(await wrapped.call(new Session('acme'), 'W1')).toBe('acme:W1');
    expect(await wrapped.call(session, 'W1')).toBe('globex:W1');
  });

  it('counts as changed when it can not be told any more', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(orders, { scope: (self) => self.tenant.toUpperCase() });
    const session = new Session('acme');
    const call = wrapped.call(session, 'W1');
    session.tenant = undefined as unknown as string;
    await call;
    expect(cache.stats('orders')).toMatchObject({ uncached: 1, entries: 0 });
  });

  it('is the same at the end of most calls, which are cached', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(orders, { scope: (self) => self.tenant });
    await wrapped.call(new Session('acme'), 'W1');
    expect(cache.stats('orders')).toMatchObject({ uncached: 0, entries: 1 });
  });
});

describe('a getter that says something else each time', () => {
  it('gives its answer to its caller alone, who may have been joined', async () => {
    const answers = gate<void>();
    const tool = vi.fn(async (query: { page: number }) => {
      const { page } = query;
      await answers.promise;
      return page;
    });
    const wrapped = newCache().wrap(tool, { name: 'search' });
    let page = 1;
    const unsteady = {
      get page() {
        return page++;
      },
    };
    const first = wrapped(unsteady);
    const asked = tool.mock.calls.length;
    const joined = [1, 2, 3, 4].map((number) => wrapped({ page: number }));
    answers.open();
    expect(await first).toBeGreaterThan(1);
    expect(await Promise.all(joined)).toEqual([1, 2, 3, 4]);
    expect(asked).toBe(1);
  });

  it('does no harm to a synchronous tool either', () => {
    const cache = newCache();
    let page = 1;
    const wrapped = cache.wrapSync((query: { page: number }) => query.page, { name: 'search' });
    wrapped({
      get page() {
        return page++;
      },
    });
    // The copy that the tool was given has made the key.
    expect(cache.stats('search')).toMatchObject({ uncached: 0, entries: 1 });
    expect([1, 2, 3, 4].map((number) => wrapped({ page: number }))).toEqual([1, 2, 3, 4]);
  });
});

describe('the arguments of a synchronous tool', () => {
  it('are a copy: what the tool does to them is the same on a hit and on a miss', () => {
    const tool = vi.fn((query: { text: string; limit?: number }) => {
      query.limit ??= 10;
      return query.limit;
    });
    const wrapped = newCache().wrapSync(tool, { name: 'search' });
    const query = { text: 'mvcc' };
    expect([wrapped(query), wrapped(query)]).toEqual([10, 10]);
    expect(query).toEqual({ text: 'mvcc' });
    expect(tool).toHaveBeenCalledTimes(1);
  });

  it('are the caller’s own with a key function or ignored paths', () => {
    const cache = newCache();
    const seen: unknown[] = [];
    const tool = (query: Query) => seen.push(query);
    const query = { page: 1 };
    cache.wrapSync(tool, { name: 'a', key: ({ page }) => page })(query);
    cache.wrapSync(tool, { name: 'b', ignore: ['trace'] })(query);
    expect(seen[0]).toBe(query);
    expect(seen[1]).toBe(query);
  });
});

describe('a renewal whose arguments answer otherwise each time they are read', () => {
  const unsteady = (): Query => {
    let reads = 0;
    return Object.defineProperty({}, 'page', { enumerable: true, get: () => ++reads }) as Query;
  };
  const pages = [1, 2, 3, 4, 5, 6];

  it('stores no answer under the key of others', async () => {
    const cache = newCache();
    const wrapped = cache.wrap(async ({ page }: Query) => page, { name: 'search' });
    await wrapped.refresh(unsteady());
    expect(await Promise.all(pages.map((page) => wrapped({ page })))).toEqual(pages);
  });

  it('stores none of a tool that returns at once', () => {
    const cache = newCache();
    const wrapped = cache.wrapSync(({ page }: Query) => page, { name: 'search' });
    wrapped.refresh(unsteady());
    expect(pages.map((page) => wrapped({ page }))).toEqual(pages);
  });
});
