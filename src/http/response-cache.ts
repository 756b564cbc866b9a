/** A cache of whole responses, before a server's routes. */

import { FetchExchange, fetchFacts } from './fetch-exchange.js';
import { type FetchHandler, type HonoContext, type HonoMiddleware, pathOf } from './fetch-types.js';
import { NodeExchange, type NodeRenewals, nodeFacts } from './node-exchange.js';
import { onResponseHead } from './node-head.js';
import type { NodeMiddleware } from './node-types.js';
import type { RequestFacts } from './request-key.js';
import { type ResponseCacheOptions, resolveResponseCacheOptions } from './response-cache-options.js';
import { SharedResponses } from './shared-responses.js';

/** Answers requests from a cache: a middleware of Express, Connect and bare servers, with the same for others beside it. */
export interface ResponseCache extends NodeMiddleware {
  /** The same around a handler that takes a `Request` and gives a `Response`. */
  fetch<Rest extends unknown[]>(
    handler: FetchHandler<Rest>,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
  /** The same as a middleware of Hono. */
  readonly hono: HonoMiddleware;
  /**
   * Makes void what is stored of a URL's path, whatever its query, and what is on its way there. Other hosts that serve
   * the same are other URLs: for those, and for what many URLs show, use `tags`.
   */
  invalidate(url: string | URL): Promise<void>;
}

/**
 * Caches the responses of GET requests as RFC 9111 has it for caches that many users share. A response is stored if it says
 * how long it is fresh, or by the option `ttl`. Never stored: errors, what is `private`, `no-store`, `no-cache`, sets a cookie,
 * or varies by everything, answers to requests with `Authorization` or a cookie that are not `public`, and what its client
 * did not wait for. Never answered or changed: other methods, ranges, requests with a body.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const pages = responseCache({ cache, ttl: '1m', query: ['page'] });
 * app.use('/api', pages);
 */
export function responseCache(options: ResponseCacheOptions): ResponseCache {
  const resolved = resolveResponseCacheOptions(options);
  const shared = new SharedResponses(resolved);
  const renewals: NodeRenewals = new WeakMap();

  /** Whether a response that changes something on the server has succeeded. */
  const invalidates = ({ method }: RequestFacts, status: number) =>
    resolved.invalidateOnWrite && !safe.has(method) && status >= 200 && status < 400;

  const middleware: NodeMiddleware = (request, response, next) => {
    const renewal = renewals.get(request);
    if (renewal !== undefined) return renewal(response, next);
    const facts = nodeFacts(request, resolved.query);
    if (!shared.isForeign(facts))
      return shared.answer(new NodeExchange({ request, response, next, shared, renewals }, facts));
    if (!safe.has(facts.method) && resolved.invalidateOnWrite) {
      onResponseHead(response, (status) => {
        if (invalidates(facts, status)) void shared.noteWrite(facts);
      });
    }
    return next();
  };

  const answered = async (
    request: Request,
    run: (request: Request) => Promise<Response>,
    canRenew: boolean,
  ) => {
    const facts = fetchFacts(request);
    if (shared.isForeign(facts)) {
      const response = await run(request);
      if (invalidates(facts, response.status)) await shared.noteWrite(facts);
      return response;
    }
    const exchange = new FetchExchange({ request, run, canRenew, shared }, facts);
    // What fails once the client has its head is for the cache to count.
    return Promise.race([
      exchange.answer,
      shared.answer(exchange)?.then(() => exchange.answer) ?? exchange.answer,
    ]);
  };

  return Object.assign(middleware, {
    fetch:
      <Rest extends unknown[]>(handler: FetchHandler<Rest>) =>
      (request: Request, ...rest: Rest) =>
        answered(request, async (each) => handler(each, ...rest), true),
    hono: async (context: HonoContext, next: () => Promise<void>) => {
      let own: Response | undefined;
      const run = async (request: Request) => {
        context.req.raw = request;
        await next();
        own = context.res;
        return own;
      };
      const response = await answered(context.req.raw, run, false);
      if (own === undefined) return response;
      if (response !== own) {
        // Setting `res` merges headers of what was there: without, the new ones are alone.
        context.res = undefined;
        context.res = response;
      }
      return undefined;
    },
    invalidate: async (url: string | URL) => {
      const { host, pathname } = new URL(url);
      // Node's servers have the path as it was sent, Fetch-style ones as `URL` writes it.
      await shared.invalidatePaths(host, [pathname, pathOf(String(url))]);
    },
  });
}

/** Methods that change nothing on the server. */
const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
