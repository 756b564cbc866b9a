/** Abort signals that can't be replaced, since they lie in what the tool has to be given as it is. */

import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { CacheManager, type MethodOptions } from '../../src/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { settle } from '../helper/gate.js';

class Context {
  readonly #signal: AbortSignal;
  readonly user = 'ada';
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }
  get signal() {
    return this.#signal;
  }
}

const reveal = Symbol('signal');
const hidden = (signal: AbortSignal) => Object.defineProperty({}, 'signal', { value: signal });

const places: readonly (readonly [string, (signal: AbortSignal) => object])[] = [
  ['a request', (signal) => new Request('http://localhost/', { signal })],
  ['a getter of a class', (signal) => new Context(signal)],
  ['an instance in a context', (signal) => ({ request: new Context(signal) })],
  ['a map', (signal) => new Map([['signal', signal]])],
  ['a map of another realm', (signal) => runInNewContext('new Map([[1, new Set([signal])]])', { signal })],
  ['a field named by a symbol', (signal) => ({ [reveal]: signal })],
  ['a hidden field', hidden],
  ['five levels deep', (signal) => ({ a: { b: { c: { d: { signal } } } } })],
];

/** A tool whose runs end as the tests say. */
function newTool(options: MethodOptions = {}) {
  const runs: PromiseWithResolvers<string>[] = [];
  const tool = vi.fn((_id: string, _context: object) => {
    const run = withResolvers();
    runs.push(run);
    return run.promise;
  });
  const cache = new CacheManager({ clock: new FakeClock() });
  return { cache, tool, runs, wrapped: cache.wrap(tool, { name: 'tool', key: (id) => id, ...options }) };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function withResolvers(): PromiseWithResolvers<string> {
  let resolve!: (value: string) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<string>((...functions) => {
    [resolve, reject] = functions;
  });
  return { promise, resolve, reject };
}

describe.each(places)('the first caller’s signal in %s', (_, contextWith) => {
  it('ends the load of that caller alone', async () => {
    const { cache, runs, wrapped, tool } = newTool();
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    const leaving = wrapped('W1', contextWith(first.signal));
    const staying = [second, third].map(({ signal }) => wrapped('W1', contextWith(signal)));
    const left = expect(leaving).rejects.toThrow('enough');
    first.abort(new Error('enough'));
    runs[0]?.reject(first.signal.reason);
    await left;
    await settle();
    runs[1]?.resolve('found');
    expect(await Promise.all(staying)).toEqual(['found', 'found']);
    expect(await wrapped('W1', contextWith(new AbortController().signal))).toBe('found');
    expect(tool).toHaveBeenCalledTimes(2);
    expect(cache.stats('tool')).toMatchObject({ misses: 2, hits: 1, hitRate: 0.5 });
  });
});

describe('a load that fails', () => {
  it('fails all who wait where nobody’s signal was aborted', async () => {
    const { runs, wrapped, tool } = newTool();
    const calls = [1, 2, 3].map(() => wrapped('W1', new Context(new AbortController().signal)));
    const failed = Promise.allSettled(calls);
    runs[0]?.reject(new DOMException('timed out', 'TimeoutError'));
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(tool).toHaveBeenCalledTimes(1);
  });

  it('fails each caller whose own signal is aborted, and no other', async () => {
    const { runs, wrapped, tool } = newTool({ cacheErrors: () => '1h' });
    const controllers = [1, 2, 3].map(() => new AbortController());
    const calls = Promise.allSettled(controllers.map(({ signal }) => wrapped('W1', new Context(signal))));
    for (const at of [0, 1]) {
      controllers[at]?.abort(new Error(`enough ${at}`));
      runs[at]?.reject(new Error('stopped', { cause: controllers[at]?.signal.reason }));
      await settle();
    }
    runs[2]?.resolve('found');
    expect((await calls).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(tool).toHaveBeenCalledTimes(3);
  });

  it('of a call that changed meanwhile fails that call alone', async () => {
    const cache = new CacheManager({ clock: new FakeClock() });
    const params = { id: 'W1' };
    const first = withResolvers();
    const changing = cache.getOrSet('tool', params, () => first.promise);
    const other = cache.getOrSet('tool', { id: 'W1' }, () => 'found');
    const failed = expect(changing).rejects.toThrow('no such order');
    params.id = 'W2';
    first.reject(new Error('no such order'));
    await failed;
    expect(await other).toBe('found');
  });
});
