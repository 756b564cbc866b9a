/** What the HTTP layer compiles to. Checked by the compiler alone. */

import { createServer } from 'node:http';
import { expectTypeOf } from 'vitest';
import { cacheControl, responseCache } from '../../src/http/index.js';
import type { CacheManager } from '../../src/index.js';

declare const cache: CacheManager;
const pages = responseCache({
  cache,
  ttl: '5m',
  query: ['page'],
  tags: ({ target, header }, { status }) => [target, header('host') ?? '', String(status)],
});
createServer((request, response) => void pages(request, response, () => response.end()));
const worker = pages.fetch(
  async (request: Request, env: { name: string }) => new Response(env.name + request.url),
);
expectTypeOf(worker).toEqualTypeOf<(request: Request, env: { name: string }) => Promise<Response>>();
expectTypeOf(cacheControl().fetch(() => new Response())).toEqualTypeOf<
  (request: Request) => Promise<Response>
>();
expectTypeOf(pages.invalidate('http://site.test/')).toEqualTypeOf<Promise<void>>();
// @ts-expect-error no cache
responseCache({ ttl: '5m' });
// @ts-expect-error no such word
responseCache({ cache, downstream: 'public' });
// @ts-expect-error no headers
cacheControl([{ path: '/' }]);
