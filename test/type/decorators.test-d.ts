/** What the decorators compile on, and what they don't. Checked under both decorator modes by the compiler alone. */

import { expectTypeOf } from 'vitest';
import type { CacheManager } from '../../src/index.js';

declare const cache: CacheManager;
const { cached, cachedSync } = cache;

class Tools {
  readonly tenant: string = 'acme';

  @cache.cached
  async bare(query: string) {
    return [query];
  }

  @cached
  async withoutReceiver(query: string) {
    return [query];
  }

  @cache.cached()
  async called() {}

  @cache.cached({ ttl: '5m', name: 'search', params: ['query'], version: 1 })
  async withOptions(query: string, limit?: number) {
    return [query, limit];
  }

  @cache.cached
  async generic<T extends object>(value: T): Promise<T> {
    return value;
  }

  @cache.cached
  async declaringItsReceiver(this: Tools, query: string) {
    return this.tenant + query;
  }

  @cache.cachedSync
  declaringItsReceiverAtOnce(this: Tools, query: string) {
    return this.tenant + query;
  }

  @cache.cached
  eitherPromise(id: number): Promise<number> | Promise<string> {
    return id > 0 ? Promise.resolve(id) : Promise.resolve('none');
  }

  overloaded(id: number): Promise<number>;
  overloaded(name: string): Promise<string>;
  @cache.cached
  async overloaded(either: number | string): Promise<number | string> {
    return either;
  }

  @cache.cached({ shared: true })
  async genericWithOptions<T, U = T>(value: T, _other: U): Promise<T> {
    return value;
  }

  @cache.cached
  static async ofTheClass(query: string) {
    return query;
  }

  @cache.cached({ scope: (self: Tools) => self.tenant })
  async scoped(query: string) {
    return query;
  }

  @cache.cached({ key: (query: string) => query.trim() })
  async keyed(query: string, _limit: number) {
    return query;
  }

  @cache.cached({ key: (...args) => args })
  async keyedByAnything(query: string) {
    return query;
  }

  @cachedSync
  atOnce(text: string) {
    return text.length;
  }

  @cache.cachedSync({ scope: (self: Tools) => self.tenant })
  genericAtOnce<T>(value: T): T {
    return value;
  }
}

export class Generic<A extends unknown[], R> {
  constructor(readonly run: (...args: A) => Promise<R>) {}

  @cache.cached
  async call(...args: A): Promise<R> {
    return this.run(...args);
  }

  @cache.cached({ shared: true, ttl: '5m' })
  async destructured({ q = 'x' } = {}, limit = 10) {
    return q.repeat(limit);
  }

  @cache.cachedSync
  atOnce(...args: A): number {
    return args.length;
  }
}

// Decorated methods keep their types.
declare const tools: Tools;
expectTypeOf(tools.bare('a')).toEqualTypeOf<Promise<string[]>>();
expectTypeOf(tools.generic({ a: 1 })).toEqualTypeOf<Promise<{ a: number }>>();
expectTypeOf(tools.genericWithOptions(1, 'a')).toEqualTypeOf<Promise<number>>();
expectTypeOf(tools.atOnce('a')).toEqualTypeOf<number>();
expectTypeOf(tools.genericAtOnce('a' as const)).toEqualTypeOf<'a'>();

class Misused {
  // @ts-expect-error a method under `cached` returns a promise
  @cache.cached
  atOnce() {
    return 1;
  }

  // @ts-expect-error so does one under `cached` with options
  @cache.cached({ ttl: 1 })
  atOnceWithOptions() {
    return 1;
  }

  // @ts-expect-error a method under `cachedSync` returns no promise
  @cache.cachedSync
  async promising() {}

  // @ts-expect-error nor does one under `cachedSync` with options
  @cache.cachedSync({ shared: true })
  async promisingWithOptions() {}

  // @ts-expect-error no such option
  @cache.cached({ tttl: 1 })
  async wrongOption() {}

  // @ts-expect-error a ttl is no list
  @cache.cached({ ttl: [] })
  async wrongValue() {}

  // @ts-expect-error this class has no tenant
  @cache.cached({ scope: (self: Tools) => self.tenant })
  async wrongScope() {}

  // @ts-expect-error the key function takes a number, the method text
  @cache.cached({ key: (id: number) => id })
  async wrongKey(_query: string) {}

  // @ts-expect-error a cached answer is a plain promise
  @cache.cached
  notJustAPromise(): Promise<number> & { withResponse(): number } {
    return Object.assign(Promise.resolve(1), { withResponse: () => 1 });
  }

  // @ts-expect-error a field is no method
  @cache.cached
  field = async () => 1;

  // @ts-expect-error a getter is no method
  @cache.cached
  get getter() {
    return 1;
  }
}

// @ts-expect-error a class is no method
@cache.cached
class MisusedAsAWhole {}

export { Misused, MisusedAsAWhole, Tools };
