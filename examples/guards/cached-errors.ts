/**
 * Problem: a call that is sure to fail (a page that doesn't exist) is made again by every caller. `cacheErrors` throws an
 * equal error for a while. Run it with `npx tsx examples/guards/cached-errors.ts`.
 */

import { CacheManager } from 'toolstash';

class HttpError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

const cache = new CacheManager({
  cacheErrors: (error) => (error instanceof HttpError && error.status === 404 ? '10m' : false),
});
let requests = 0;
const fetchPage = (status: number) =>
  cache
    .getOrSet('page', status, async () => {
      requests++;
      throw new HttpError(status);
    })
    .catch((error: HttpError) => `${error.constructor.name}: ${error.message}`);

for (let call = 0; call < 5; call++) await fetchPage(404);
console.log(`5 calls that fail with 404: ${requests} request, ${await fetchPage(404)}`);
for (let call = 0; call < 5; call++) await fetchPage(503);
console.log(`5 calls that fail with 503: ${requests - 1} requests, since that may pass`);
