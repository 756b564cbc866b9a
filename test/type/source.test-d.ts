/** What the sources compile to. Checked by the compiler alone. */

import { expectTypeOf } from 'vitest';
import type { CacheManager } from '../../src/index.js';
import { cacheAside, PagedLog, polledSource } from '../../src/source/index.js';

declare const cache: CacheManager;
interface Settings {
  readonly theme: string;
}

const settings = cacheAside({
  ...{ cache, method: 'settings' },
  load: async (id: string, signal) => (signal.aborted ? undefined : ({ theme: id } as Settings)),
  store: async (id, record) => [id, record.theme],
});
expectTypeOf(settings.get('ada')).toEqualTypeOf<Promise<Settings | undefined>>();
settings.update('ada', { theme: 'dark' });
// @ts-expect-error no such record
settings.update('ada', { colour: 'dark' });
// @ts-expect-error no such id
settings.get(5);

const prices = polledSource({ cache, method: 'prices', poll: async () => [1, 2] });
void prices.read().then(({ rows }) => expectTypeOf(rows).toEqualTypeOf<readonly number[]>());

const log = new PagedLog({ cache, method: 'events', read: async (from, limit) => [from + limit] });
expectTypeOf(log.read(0, 5)).toEqualTypeOf<Promise<number[]>>();
// @ts-expect-error no event of this log
log.append('opened');
