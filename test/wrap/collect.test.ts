/** `collect: true`: generators and streams are gathered, stored and played back. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { gate, settle } from '../helper/gate.js';

const newCache = () => new CacheManager({ clock: new FakeClock() });

let warn: MockInstance;
beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});
afterEach(() => warn.mockRestore());

let runs = 0;
beforeEach(() => {
  runs = 0;
});
async function* count(to: number): AsyncGenerator<{ at: number }, string, void> {
  runs++;
  for (let at = 1; at <= to; at++) yield { at };
  return `counted ${to}`;
}

/** All that a generator yields, then what it returns. */
async function read(generator: AsyncGenerator<unknown, unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for (;;) {
    const { done, value } = await generator.next();
    all.push(value);
    if (done === true) return all;
  }
}

async function itemsOf(iterable: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

describe('a generator that is gathered', () => {
  const counted = [{ at: 1 }, { at: 2 }, 'counted 2'];

  it('gives each caller the same items and the same end, from one run', async () => {
    const cache = newCache();
    const cached = cache.wrap(count, { collect: true });
    const first = cached(2);
    expect(Object.prototype.toString.call(first)).toBe('[object AsyncGenerator]');
    expect(runs).toBe(0);
    expect(await Promise.all([read(first), read(cached(2))])).toEqual([counted, counted]);
    expect(await read(cached(2))).toEqual(counted);
    expect(runs).toBe(1);
    expect(await read(cached(1))).toEqual([{ at: 1 }, 'counted 1']);
    expect(cache.stats('count')).toMatchObject({ loads: 2, hits: 1, coalesced: 1 });
  });

  it('gives each caller items of its own', async () => {
    const cached = newCache().wrap(count, { collect: true });
    for await (const item of cached(1)) item.at = 99;
    expect(await read(cached(1))).toEqual([{ at: 1 }, 'counted 1']);
  });

  it('may be left early by who reads it', async () => {
    const cached = newCache().wrap(count, { collect: true });
    for await (const { at } of cached(3)) if (at === 1) break;
    expect(await read(cached(3))).toHaveLength(4);
    expect(runs).toBe(1);
  });

  it('fails all who read it where it fails, and is not stored', async () => {
    let isDown = true;
    const cached = newCache().wrap(
      async function* search() {
        yield 1;
        if (isDown) throw new Error('down');
        yield 2;
      },
      { collect: true },
    );
    await expect(read(cached())).rejects.toThrow('down');
    isDown = false;
    expect(await read(cached())).toEqual([1, 2, undefined]);
  });

  it('ends for the caller that aborts, and for all when the last has', async () => {
    const seen: AbortSignal[] = [];
    const cached = newCache().wrap(
      async function* wait({ signal }: { signal: AbortSignal }) {
        seen.push(signal);
        yield 1;
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      { collect: true },
    );
    const callers = [new AbortController(), new AbortController()];
    const [leaving, staying] = callers.map(({ signal }) => read(cached({ signal })));
    await settle();
    callers[0]!.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(seen.map(({ aborted }) => aborted)).toEqual([false]);
    callers[1]!.abort(new Error('too'));
    await expect(staying).rejects.toThrow('too');
    expect(seen.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('keeps its receiver, name and members', async () => {
    const cached = newCache().wrap(count, { collect: true });
    expect([cached.name, cached.length, cached.original]).toEqual(['count', 1, count]);
    await read(cached(1));
    expect(await read(cached.refresh(1))).toEqual([{ at: 1 }, 'counted 1']);
    expect(runs).toBe(2);
    expect(await cached.invalidate(1)).toBe(true);
    expect(cached.key(1)).toMatch(/^[0-9a-f]{32}$/);
    class Counter {
      readonly step = 2;
      async *from(this: Counter, at: number) {
        yield at + this.step;
      }
    }
    const counter = new Counter();
    const own = newCache().wrap(counter.from, { name: 'from', collect: true, shared: true });
    expect(await read(own.call(counter, 1))).toEqual([3, undefined]);
  });

  it('is judged by `{ items, returned }`', async () => {
    const isError = vi.fn((value: unknown) => (value as { returned: string }).returned === 'counted 1');
    const cached = newCache().wrap(count, { collect: true, isError });
    for (let i = 0; i < 2; i++) await read(cached(1));
    expect(runs).toBe(2);
    expect(isError.mock.calls[0]?.[0]).toMatchObject({ items: [{ at: 1 }], returned: 'counted 1' });
  });

  it('that yields what can’t be stored is each caller’s own', async () => {
    const cached = newCache().wrap(
      async function* search() {
        runs++;
        yield () => runs;
      },
      { collect: true },
    );
    const all = await Promise.all([read(cached()), read(cached())]);
    expect(all.map(([item]) => typeof item)).toEqual(['function', 'function']);
    expect(runs).toBe(2);
  });
});

describe('what else may be gathered', () => {
  it('is a stream of the web', async () => {
    const fetched = vi.fn(async () => new Blob(['a page']).stream());
    const cached = newCache().wrap(fetched, { name: 'fetch', collect: true });
    for (let i = 0; i < 2; i++) {
      const stream = await cached();
      expect(stream).toBeInstanceOf(ReadableStream);
      expect(await new Response(stream).text()).toBe('a page');
    }
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it('is a stream of Node', async () => {
    const opened = vi.fn(async () => Readable.from([Buffer.from('a'), Buffer.from('b')]));
    const cached = newCache().wrap(opened, { name: 'open', collect: true });
    for (let i = 0; i < 2; i++) {
      const stream = await cached();
      expect(stream).toBeInstanceOf(Readable);
      expect(await itemsOf(stream)).toEqual([Buffer.from('a'), Buffer.from('b')]);
    }
    expect(opened).toHaveBeenCalledTimes(1);
  });

  it('is a generator that a function resolves to', async () => {
    const cached = newCache().wrap(async (to: number) => count(to), { name: 'count', collect: true });
    for (let i = 0; i < 2; i++) expect(await read(await cached(1))).toEqual([{ at: 1 }, 'counted 1']);
    expect(runs).toBe(1);
  });

  it('is nothing in a result that is neither', async () => {
    const plain = vi.fn(async () => ({ items: [1] }));
    const cached = newCache().wrap(plain, { name: 'plain', collect: true });
    for (let i = 0; i < 2; i++) expect(await cached()).toEqual({ items: [1] });
    expect(plain).toHaveBeenCalledTimes(1);
  });

  it('is in partition files too', async () => {
    const persistDir = await mkdtemp(join(tmpdir(), 'toolstash-collect-'));
    for (let run = 0; run < 2; run++) {
      await using cache = await CacheManager.open({ persist: true, persistDir });
      const cached = cache.wrap(count, { collect: true });
      expect(await read(cached(2))).toEqual([{ at: 1 }, { at: 2 }, 'counted 2']);
    }
    expect(runs).toBe(1);
    await rm(persistDir, { recursive: true });
  });
});

describe('what can’t be gathered is refused with the fix', () => {
  const collect = { name: 'search', collect: true };

  it('an async generator without `collect`', () => {
    expect(() => newCache().wrap(count)).toThrow(/the generator `count`.*`collect: true`/);
    expect(() => newCache().tools([{ name: 'a', execute: count }], { a: {} })).toThrow(/`collect: true`/);
  });

  it('a generator that is not async', () => {
    const message = /the generator `search`.*: wrap one that collects it/;
    expect(() => newCache().wrap(function* search() {}, collect)).toThrow(message);
  });

  it('a function that returns a generator at once', async () => {
    const cached = newCache().wrap((to: number) => count(to) as unknown, collect);
    await expect(cached(1)).rejects.toThrow(/wrap an `async function\*` with `yield\*` of it/);
  });

  it('a function that returns at once, and another word', () => {
    expect(() => newCache().wrapSync(() => 1, collect as object)).toThrow(/`collect` can't work/);
    expect(() => newCache().wrap(count, { collect: 'yes' as never })).toThrow(
      /`collect` to be true or false/,
    );
  });
});

describe('a tool of a set that yields preliminary results', () => {
  const status = async function* (input: { query: string }) {
    runs++;
    yield { status: 'loading' };
    await settle();
    yield { status: input.query === 'down' ? 'error' : 'done' };
  };
  const tools = { search: { inputSchema: {}, execute: status } };

  it('plays them back', async () => {
    const { search } = newCache().tools(tools, { search: { collect: true } });
    const all = await Promise.all([1, 2, 3].map(() => read(search.execute({ query: 'mvcc' }))));
    expect(all).toEqual(Array(3).fill([{ status: 'loading' }, { status: 'done' }, undefined]));
    expect(runs).toBe(1);
  });

  it('is never stored when the last is an error', async () => {
    const { search } = newCache().tools(tools, { search: { collect: true } });
    for (let i = 0; i < 2; i++) await read(search.execute({ query: 'down' }));
    expect(runs).toBe(2);
  });

  it('has no abort of one end it for the others', async () => {
    const started = gate<void>();
    const { search } = newCache().tools(
      {
        search: {
          async *execute(_: object, options: { abortSignal: AbortSignal }) {
            await started.promise;
            yield options.abortSignal.aborted;
          },
        },
      },
      { search: { collect: true } },
    );
    const leaving = new AbortController();
    const left = read(search.execute({}, { abortSignal: leaving.signal }));
    const stays = read(search.execute({}, { abortSignal: new AbortController().signal }));
    await settle();
    leaving.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    started.open();
    expect(await stays).toEqual([false, undefined]);
  });
});
