/** What has to work in projects whose libraries are old: packed, it is compiled without the types of Node and of ES2018. */

import { expectTypeOf } from 'vitest';
import { CacheManager } from '../../src/index.js';

const cache = new CacheManager({ ttl: '5m' });

class Tools {
  @cache.cached({ shared: true })
  async find(id: number): Promise<string> {
    return `order ${id}`;
  }

  @cache.cachedSync({ shared: true })
  normalize(text: string): string {
    return text.trim();
  }
}

const search = cache.wrap(async function search(query: string): Promise<readonly string[]> {
  return [query];
});
const count = cache.wrapSync(function count(query: string): number {
  return query.length;
});

expectTypeOf(search('mvcc')).toEqualTypeOf<Promise<readonly string[]>>();
expectTypeOf(count('mvcc')).toEqualTypeOf<number>();
expectTypeOf(new Tools().find(1)).toEqualTypeOf<Promise<string>>();
expectTypeOf(new Tools().normalize(' a ')).toEqualTypeOf<string>();
