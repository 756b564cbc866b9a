/** `Cache-Control` and its relatives on responses, by path, method and status. */

import { InvalidOptionError } from '../errors.js';
import { shown, text } from '../option-checks.js';
import { type CacheControlRule, rulesOf } from './cache-control-rules.js';
import { type FetchHandler, type HonoContext, type HonoMiddleware, pathOf } from './fetch-types.js';
import { onResponseHead } from './node-head.js';
import type { NodeMiddleware } from './node-types.js';

/** Sets headers on the responses of a Node server, a Fetch-style handler or a Hono app. */
export interface CacheControlPolicy extends NodeMiddleware {
  /** The same for a handler that takes a `Request` and gives a `Response`. */
  fetch<Rest extends unknown[]>(
    handler: FetchHandler<Rest>,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
  /** The same as a middleware of Hono. */
  readonly hono: HonoMiddleware;
}

/**
 * The rules of a site whose build names its assets by their content: what lies in the folder may be kept for 30 days by
 * everybody, where it was found (`public, max-age=2592000, immutable`); everything else is asked for again each time
 * (`no-cache, no-store, must-revalidate, max-age=0`, for old caches `Pragma: no-cache` and `Expires: 0`).
 *
 * @param folder the folder's path, which ends with `/`
 * @throws InvalidOptionError for what is no such path
 */
export function assetRules(folder = '/assets/'): readonly CacheControlRule[] {
  if (!/^\/.*\/$|^\/$/.test(text(folder, 'folder'))) {
    throw new InvalidOptionError(`Expected \`folder\` to begin and end with \`/\`, got ${shown(folder)}`);
  }
  return [
    {
      path: folder,
      methods: ['GET', 'HEAD'],
      status: 'success',
      headers: { 'Cache-Control': 'public, max-age=2592000, immutable' },
    },
    {
      headers: {
        'Cache-Control': 'no-cache, no-store, must-revalidate, max-age=0',
        Pragma: 'no-cache',
        Expires: '0',
      },
    },
  ];
}

/**
 * Sets the headers of the first rule that fits, when a response begins. A route's own `Cache-Control` or `Expires` wins:
 * such a response is left as it is. One that sets a cookie is its client's alone: no rule fits that lets others keep it.
 *
 * @param rules tried in their order
 * @default rules assetRules()
 * @throws InvalidOptionError for a malformed rule
 *
 * @example
 * app.use(cacheControl(assetRules('/static/')));
 */
export function cacheControl(rules: readonly CacheControlRule[] = assetRules()): CacheControlPolicy {
  const headersFor = rulesOf(rules);

  const middleware: NodeMiddleware = (request, response, next) => {
    const path = pathOf(request.originalUrl ?? request.url ?? '/');
    const method = request.method ?? 'GET';
    onResponseHead(response, (status) => {
      if (response.hasHeader('cache-control') || response.hasHeader('expires')) return;
      const setsCookie = response.hasHeader('set-cookie');
      const headers = headersFor({ path, method, status, setsCookie });
      for (const name in headers) response.setHeader(name, headers[name] as string);
    });
    return next();
  };
  const laidOver = (request: Request, response: Response) => {
    const own = response.headers;
    // Not a response that a `Response` can be made of: an upgrade, a network error.
    if (response.status < 200 || own.has('cache-control') || own.has('expires')) return response;
    const { method, url } = request;
    const setsCookie = own.has('set-cookie');
    const headers = headersFor({ path: pathOf(url), method, status: response.status, setsCookie });
    if (headers === undefined) return response;
    const changed = new Response(response.body, response);
    for (const name in headers) changed.headers.set(name, headers[name] as string);
    return changed;
  };
  return Object.assign(middleware, {
    fetch:
      <Rest extends unknown[]>(handler: FetchHandler<Rest>) =>
      async (request: Request, ...rest: Rest) =>
        laidOver(request, await handler(request, ...rest)),
    hono: async (context: HonoContext, next: () => Promise<void>) => {
      const request = context.req.raw;
      await next();
      const changed = laidOver(request, context.res);
      if (changed === context.res) return undefined;
      // Setting `res` merges headers of what was there: without, the new ones are alone.
      context.res = undefined;
      context.res = changed;
      return undefined;
    },
  });
}
