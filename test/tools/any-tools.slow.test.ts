/** Whatever objects a set holds: they are refused with a fix, left alone, or answer as they would uncached. */

import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CacheError } from '../../src/errors.js';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

type Fields = Record<string, unknown>;
const runners = ['execute', 'handler', 'func', 'invoke', '_call'] as const;

/** Says what it was asked, and how it was called. */
const functions: readonly (() => unknown)[] = [
  () => async (input: unknown) => ({ asked: input }),
  () => (input: unknown) => JSON.stringify(input),
  () =>
    async function own(this: unknown, input: unknown) {
      return [typeof this, input];
    },
  () =>
    async (input: unknown, { limit = 3 }: { limit?: number } = {}) => [input, limit],
  () => async () => ({ isError: true }),
  () => () => {
    throw new Error('down');
  },
];

const field = fc.oneof(
  { weight: 3, arbitrary: fc.nat(functions.length - 1).map((at) => functions[at]!()) },
  fc.constantFrom(undefined, null, 'text', 7, {}, []),
);
const name = fc.constantFrom('search', 'book', '', '__proto__', 'constructor', undefined);
const fields = fc
  .record(
    {
      ...{ name, id: name, type: fc.constantFrom('function', 'provider', 'dynamic', 7) },
      ...{ description: fc.string(), inputSchema: fc.object(), needsApproval: fc.boolean() },
    },
    { requiredKeys: [] },
  )
  .chain((record) =>
    // Rarely more than one of them, as that is refused.
    fc.tuple(fc.subarray([...runners], { maxLength: 2 }), field, field).map(
      ([names, ...values]): Fields => ({
        ...record,
        ...Object.fromEntries(names.map((each, at) => [each, values[at]])),
      }),
    ),
  );

const make: Readonly<Record<string, (given: Fields) => object>> = {
  plain: (given) => given,
  frozen: (given) => Object.freeze(given),
  'without prototype': (given) => Object.assign(Object.create(null), given) as object,
  'of a class': (given) => Object.assign(new (class Own {})(), given),
  'by its class': (given) => {
    class Own {}
    Object.assign(Own.prototype, given);
    return new Own();
  },
  'behind a proxy': (given) => new Proxy(given, {}),
  'with getters': (given) =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        Object.entries(given).map(([key, value]) => [key, { get: () => value, enumerable: true }]),
      ),
    ),
};

const tool = fc.record({ given: fields, kind: fc.constantFrom(...Object.keys(make)) });

async function outcome(of: object, runner: string): Promise<unknown> {
  try {
    const run = Reflect.get(of, runner) as (...args: unknown[]) => unknown;
    return await Reflect.apply(run, of, [{ query: 'a' }]);
  } catch (error) {
    return String(error);
  }
}

it('each tool of any set is refused with its name, or does what it did', async () => {
  const kinds = { refused: 0, cached: 0, alone: 0 };
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom('a', 'search', 'b'), tool), async (set) => {
      const tools = Object.fromEntries(
        Object.entries(set).map(([key, { given, kind }]) => [key, make[kind]!({ ...given })]),
      );
      const cache = new CacheManager({ clock: new FakeClock() });
      expect(cache.tools(tools, { '*': 'opaque' })).toEqual(tools);
      let cached: Record<string, object>;
      try {
        cached = cache.tools(tools, { '*': {} });
      } catch (error) {
        expect(error).toBeInstanceOf(CacheError);
        expect((error as Error).message).toMatch(/The tool `.*` can't be cached as|Two tools are called `/);
        kinds.refused++;
        return;
      }
      for (const [key, each] of Object.entries(tools)) {
        const other = cached[key]!;
        if (other === each) {
          kinds.alone++;
          continue;
        }
        kinds.cached++;
        expect(
          Object.getPrototypeOf(other) === Object.getPrototypeOf(each) ||
            Object.getPrototypeOf(other) === each,
        ).toBe(true);
        const changed = runners.filter((runner) => Reflect.get(other, runner) !== Reflect.get(each, runner));
        expect(changed).toHaveLength(1);
        for (const runner of runners) {
          if (typeof Reflect.get(each, runner) !== 'function') continue;
          const expected = await outcome(each, runner);
          for (const _ of [1, 2]) expect(await outcome(other, runner)).toEqual(expected);
        }
      }
    }),
    { numRuns: 1_000 },
  );
  for (const count of Object.values(kinds)) expect(count, JSON.stringify(kinds)).toBeGreaterThan(100);
});
