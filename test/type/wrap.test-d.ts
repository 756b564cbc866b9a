/** What `wrap` and `wrapSync` compile to, and what they don't compile. Checked by the compiler alone. */

import { expectTypeOf } from 'vitest';
import type { CacheManager, Wrapped, WrappedSync } from '../../src/index.js';

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
expectTypeOf(cache.wrap(pages)()).toEqualTypeOf<Promise<AsyncGenerator<string>>>();
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
