/** What `wrap` and `wrapSync` compile to, and what they don't compile. Checked by the compiler alone. */

import { expectTypeOf } from 'vitest';
import type { CacheManager, SyncOnly, Wrapped, WrappedSync } from '../../src/index.js';

declare const cache: CacheManager;
declare function search(query: string, limit?: number): Promise<string[]>;
declare function parse(text: string): number;
declare function echo<T>(value: T): Promise<T>;
declare function overloaded(id: number): Promise<number>;
declare function overloaded(name: string): Promise<string>;
declare function onTenant(this: { tenant: string }, query: string): Promise<string>;

// The parameters stay, the result becomes a promise.
const wrapped = cache.wrap(search);
expectTypeOf(wrapped).toEqualTypeOf<Wrapped<typeof search>>();
expectTypeOf(wrapped('mvcc', 10)).toEqualTypeOf<Promise<string[]>>();
expectTypeOf(cache.wrap(parse)('a')).toEqualTypeOf<Promise<number>>();
expectTypeOf(cache.wrap(echo)(1 as const)).toEqualTypeOf<Promise<1>>();
expectTypeOf(cache.wrap(overloaded)(1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(cache.wrap(overloaded)('a')).toEqualTypeOf<Promise<string>>();
expectTypeOf(cache.wrap(() => ({}) as PromiseLike<number>, { name: 'a' })()).toEqualTypeOf<Promise<number>>();
// @ts-expect-error a number is no query
void wrapped(1);
// @ts-expect-error there is no third argument
void wrapped('mvcc', 10, true);
// @ts-expect-error `this` has to be what the function wants
void cache.wrap(onTenant)('mvcc');
expectTypeOf(cache.wrap(onTenant).call({ tenant: 'acme' }, 'mvcc')).toEqualTypeOf<Promise<string>>();

declare function fails(): never;
expectTypeOf(cache.wrap(fails)()).toEqualTypeOf<Promise<never>>();
declare function maybeAtOnce(id: number): Promise<number> | number;
expectTypeOf(cache.wrap(maybeAtOnce)(1)).toEqualTypeOf<Promise<number>>();
declare function pages(): AsyncGenerator<string>;
// What a generator yields can't be cached: `wrap` throws, and there is nothing to call.
expectTypeOf(cache.wrap(pages)).toBeNever();
expectTypeOf(
  cache.wrap(async function* lines() {
    yield 'a';
  }),
).toBeNever();
// With `collect` an async one stays what it is, and streams stay streams.
const collected = cache.wrap(pages, { collect: true, ttl: '1h' });
expectTypeOf(collected()).toEqualTypeOf<AsyncGenerator<string>>();
expectTypeOf(collected.refresh()).toEqualTypeOf<AsyncGenerator<string>>();
declare function stream(url: string): Promise<ReadableStream<Uint8Array>>;
expectTypeOf(cache.wrap(stream, { collect: true })('a')).toEqualTypeOf<Promise<ReadableStream<Uint8Array>>>();
expectTypeOf(cache.wrap(pages, { collect: false })).toBeNever();
expectTypeOf(cache.wrap(search, { collect: true, key: (query) => query.length })).toBeCallableWith('a');
// @ts-expect-error: what it gathers comes in time
cache.wrapSync(parse, { collect: true });
// @ts-expect-error: a generator
cache.wrapSync(function* lines() {
  yield 'a';
});
declare function optional(query: string, limit?: number, ...flags: boolean[]): Promise<number>;
expectTypeOf(cache.wrap(optional)('mvcc', 1, true, false)).toEqualTypeOf<Promise<number>>();
declare function listed(...args: readonly [query: string, limit: number]): Promise<number>;
expectTypeOf(cache.wrap(listed)('mvcc', 1)).toEqualTypeOf<Promise<number>>();

// A cached answer is a plain promise, whatever the function's own promises can do.
interface ApiPromise<T> extends Promise<T> {
  withResponse(): Promise<Response>;
}
declare function callApi(query: string): ApiPromise<number>;
expectTypeOf(cache.wrap(callApi)('a')).toEqualTypeOf<Promise<number>>();
// @ts-expect-error it is no ApiPromise any more
cache.wrap(callApi)('a').withResponse();

// What it carries.
const described = Object.assign(async (query: string) => query, { description: 'Searches.' });
expectTypeOf(cache.wrap(described, { name: 'a' }).description).toEqualTypeOf<string>();
const describedSync = Object.assign((query: string) => query, { description: 'Searches.' });
expectTypeOf(cache.wrap(describedSync, { name: 'a' }).description).toEqualTypeOf<string>();
expectTypeOf(cache.wrapSync(describedSync, { name: 'a' }).description).toEqualTypeOf<string>();
expectTypeOf(wrapped.key('mvcc')).toEqualTypeOf<string>();
expectTypeOf(wrapped.invalidate('mvcc')).toEqualTypeOf<Promise<boolean>>();
expectTypeOf(wrapped.refresh('mvcc')).toEqualTypeOf<Promise<string[]>>();
expectTypeOf(wrapped.original).toEqualTypeOf<typeof search>();
// @ts-expect-error a number is no query
wrapped.key(1);

// Options.
cache.wrap(search, { ttl: '5m', params: ['query', 'limit'], version: 2, ignore: ['traceId'] });
cache.wrap(search, { key: (query, limit) => [query.toUpperCase(), limit?.toFixed()] });
cache.wrap(onTenant, { scope: (self) => self.tenant });
cache.wrap(onTenant, { scope: 'task-1', shared: true });
// @ts-expect-error no such option
cache.wrap(search, { tttl: 1 });
// @ts-expect-error a scope is text
cache.wrap(onTenant, { scope: (self) => self.tenant.length });
// @ts-expect-error no such field
cache.wrap(onTenant, { scope: (self) => self.user });
// @ts-expect-error the second argument is a number
cache.wrap(search, { key: (_query, limit: string) => limit });
// @ts-expect-error not a function
cache.wrap('search');

// Synchronous functions.
const sync = cache.wrapSync(parse);
expectTypeOf(sync).toEqualTypeOf<WrappedSync<typeof parse>>();
expectTypeOf(sync('a')).toEqualTypeOf<number>();
expectTypeOf(sync.invalidate('a')).toEqualTypeOf<boolean>();
expectTypeOf(sync.refresh('a')).toEqualTypeOf<number>();
expectTypeOf(cache.wrapSync(<T>(value: T) => value, { name: 'same' })(1 as const)).toEqualTypeOf<1>();
expectTypeOf(cache.wrapSync(fails)()).toEqualTypeOf<never>();
cache.wrapSync(parse, { ttl: '5m', staleIfError: '1h', circuitBreaker: true });
// @ts-expect-error nothing can end the wait for a function that returns at once
cache.wrapSync(parse, { hardTimeout: '5s' });
// @ts-expect-error it returns a promise
cache.wrapSync(search);
expectTypeOf<
  SyncOnly<typeof search>
>().toEqualTypeOf<'Use `wrap` or `cached`: this is for functions that return their result at once'>();
expectTypeOf<SyncOnly<typeof parse>>().toEqualTypeOf<unknown>();

// Functions written in place keep the types they have by themselves.
const withDefault = cache.wrap(async (query: string, limit = 10) => [query, limit] as const, { name: 'a' });
expectTypeOf(withDefault('mvcc')).toEqualTypeOf<Promise<readonly [string, number]>>();
expectTypeOf(withDefault('mvcc', 5)).toEqualTypeOf<Promise<readonly [string, number]>>();
expectTypeOf(withDefault.key('mvcc', 5)).toEqualTypeOf<string>();
// @ts-expect-error the default is a number
void withDefault('mvcc', '5');
const expression = cache.wrap(
  async function search(query: string, limit: number = 10) {
    return query.length + limit;
  },
  { key: (query, limit) => [query.trim(), limit?.toFixed()] },
);
expectTypeOf(expression('mvcc')).toEqualTypeOf<Promise<number>>();
const destructured = cache.wrap(async ({ q = 'x', limit = 10 } = {}) => q.repeat(limit), { name: 'a' });
expectTypeOf(destructured({ q: 'mvcc' })).toEqualTypeOf<Promise<string>>();
expectTypeOf(destructured()).toEqualTypeOf<Promise<string>>();
expectTypeOf(cache.wrapSync((text: string, at = 0) => text[at], { name: 'a' })('mvcc')).toEqualTypeOf<
  string | undefined
>();
const genericInPlace = cache.wrap(async <T extends object>(value: T) => [value], { name: 'a' });
expectTypeOf(genericInPlace({ a: 1 })).toEqualTypeOf<Promise<{ a: number }[]>>();
expectTypeOf(genericInPlace.key({ a: 1 })).toEqualTypeOf<string>();
const receiving = cache.wrap(async function find(this: { tenant: string }, id = 1) {
  return this.tenant + id;
});
expectTypeOf(receiving.call({ tenant: 'acme' }, 2)).toEqualTypeOf<Promise<string>>();

class Tools {
  readonly tenant: string = 'acme';
  readonly find = cache.wrap(async (id: string, limit = 10) => [this.tenant, id, limit].join(), {
    name: 'a',
  });
  readonly parse = cache.wrapSync((text: string, radix = 10) => Number.parseInt(text, radix), { name: 'a' });
  static readonly all = cache.wrap(
    async function all({ page = 1 } = {}) {
      return page;
    },
    { ttl: '5m' },
  );
}
declare const tools: Tools;
expectTypeOf(tools.find('W1')).toEqualTypeOf<Promise<string>>();
expectTypeOf(tools.find.invalidate('W1', 5)).toEqualTypeOf<Promise<boolean>>();
expectTypeOf(tools.parse('7')).toEqualTypeOf<number>();
expectTypeOf(Tools.all({ page: 2 })).toEqualTypeOf<Promise<number>>();

// Helpers over any function.
export function cachedTool<A extends unknown[], R>(name: string, run: (...args: A) => Promise<R>) {
  const tool = cache.wrap(run, { name, ttl: '5m', key: (...args) => args });
  const asFunction: (...args: A) => Promise<R> = tool;
  return (...args: A): Promise<R> => {
    tool.key(...args);
    void tool.invalidate(...args);
    const renewed: Promise<Awaited<R>> = tool.refresh(...args);
    void renewed;
    return args.length > 0 ? asFunction(...args) : tool(...args);
  };
}
expectTypeOf(cachedTool('search', search)('mvcc', 10)).toEqualTypeOf<Promise<string[]>>();
export function wrapAny<F extends (...args: never[]) => Promise<unknown>>(run: F): Wrapped<F> {
  return cache.wrap(run, { name: 'a' });
}
expectTypeOf(wrapAny(search)('mvcc', 10)).toEqualTypeOf<Promise<string[]>>();

// Overloads and type parameters reach what a wrapped function carries.
const either = cache.wrap(overloaded);
either.key(1);
either.key('a');
void either.invalidate(1);
void either.invalidate('a');
expectTypeOf(either.refresh(1)).toEqualTypeOf<Promise<number>>();
expectTypeOf(either.refresh('a')).toEqualTypeOf<Promise<string>>();
// @ts-expect-error neither a number nor text
either.key(true);
cache.wrap(overloaded, { key: (id) => (typeof id === 'number' ? id.toFixed() : id.trim()) });
cache.wrap(echo).key({ a: 1 });
interface Eight {
  (kind: 'a'): Promise<1>;
  (kind: 'b'): Promise<2>;
  (kind: 'c'): Promise<3>;
  (kind: 'd'): Promise<4>;
  (kind: 'e'): Promise<5>;
  (kind: 'f'): Promise<6>;
  (kind: 'g'): Promise<7>;
  (kind: 'h'): Promise<8>;
}
declare const eight: Eight;
const anyOfEight = cache.wrap(eight);
anyOfEight.key('a');
void anyOfEight.invalidate('d');
expectTypeOf(anyOfEight.refresh('a')).toEqualTypeOf<Promise<1>>();
expectTypeOf(anyOfEight.refresh('h')).toEqualTypeOf<Promise<8>>();
// @ts-expect-error none of the eight
anyOfEight.key('i');
declare function parseEither(text: string): number;
declare function parseEither(bytes: Uint8Array): string;
const parsed = cache.wrapSync(parseEither);
expectTypeOf(parsed.refresh('a')).toEqualTypeOf<number>();
expectTypeOf(parsed.refresh(new Uint8Array())).toEqualTypeOf<string>();
expectTypeOf(cache.wrap(parseEither)('a')).toEqualTypeOf<Promise<number>>();
expectTypeOf(cache.wrap(parseEither)(new Uint8Array())).toEqualTypeOf<Promise<string>>();

// Agent SDKs' shape.
const forAgents = cache.wrap(
  async ({ query, limit = 10 }: { query: string; limit?: number }, _context: { abortSignal?: AbortSignal }) =>
    query.length + limit,
  { name: 'search', key: (input) => input },
);
expectTypeOf(forAgents({ query: 'mvcc' }, {})).toEqualTypeOf<Promise<number>>();
