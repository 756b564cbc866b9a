/** `Cache-Control` and its relatives on responses, by path, method and status. */

import { InvalidOptionError } from '../errors.js';
import { functionOf, objectOf, refuseUnknown, shown, text } from '../option-checks.js';
import { type FetchHandler, type HonoContext, type HonoMiddleware, pathOf } from './fetch-types.js';
import { onResponseHead } from './node-head.js';
import type { NodeMiddleware } from './node-types.js';

/** What a rule is asked about. */
export interface ResponseFacts {
  /** The path as the client sent it, without the query. */
  readonly path: string;
  /** `'GET'`, in upper case. */
  readonly method: string;
  /** The status of the response. */
  readonly status: number;
}

/** Headers for some responses. */
export interface CacheControlRule {
  /**
   * Which paths: `'/assets/'` is everything in that folder, `'/index.html'` that path alone, a pattern or a function
   * anything. A path with `..`, `.`, backslashes or encoded slashes is in no folder: who serves it may read it otherwise.
   * @default every path
   */
  readonly path?: string | RegExp | ((path: string) => boolean) | undefined;
  /** Which methods. @default every method */
  readonly methods?: readonly string[] | undefined;
  /** Which statuses: `'success'` is 200 to 299 and 304. @default every status */
  readonly status?: 'success' | readonly number[] | ((status: number) => boolean) | undefined;
  /** The headers that such a response gets. */
  readonly headers: Readonly<Record<string, string>>;
}

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
 * such a response is left as it is.
 *
 * @param rules tried in their order
 * @default rules assetRules()
 * @throws InvalidOptionError for a malformed rule
 *
 * @example
 * app.use(cacheControl(assetRules('/static/')));
 */
export function cacheControl(rules: readonly CacheControlRule[] = assetRules()): CacheControlPolicy {
  const checked = checkedRules(rules);
  const headersFor = (facts: ResponseFacts) => checked.find((rule) => fits(rule, facts))?.headers;

  const middleware: NodeMiddleware = (request, response, next) => {
    const path = pathOf(request.originalUrl ?? request.url ?? '/');
    const method = request.method ?? 'GET';
    onResponseHead(response, (status) => {
      if (response.hasHeader('cache-control') || response.hasHeader('expires')) return;
      const headers = headersFor({ path, method, status });
      for (const name in headers) response.setHeader(name, headers[name] as string);
    });
    return next();
  };
  const laidOver = (request: Request, response: Response) => {
    const own = response.headers;
    // Not a response that a `Response` can be made of: an upgrade, a network error.
    if (response.status < 200 || own.has('cache-control') || own.has('expires')) return response;
    const { method, url } = request;
    const headers = headersFor({ path: pathOf(url), method, status: response.status });
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

const fields = ['path', 'methods', 'status', 'headers'];

function checkedRules(rules: readonly CacheControlRule[]): readonly CacheControlRule[] {
  if (!Array.isArray(rules)) {
    throw new InvalidOptionError(`Expected \`rules\` to be a list of rules, got ${shown(rules)}`);
  }
  return rules.map((rule: CacheControlRule, at) => {
    const name = `rules[${at}]`;
    refuseUnknown(objectOf(rule, name, 'a rule, as `{ path, headers }`'), fields, {
      of: name,
      noun: 'field',
    });
    const { path, methods, status, headers } = rule;
    if (typeof path === 'string' && !path.startsWith('/')) {
      throw new InvalidOptionError(`Expected \`${name}.path\` to begin with \`/\`, got ${shown(path)}`);
    }
    if (path !== undefined && typeof path !== 'string' && !(path instanceof RegExp))
      functionOf(path, `${name}.path`);
    if (methods !== undefined && !Array.isArray(methods)) {
      throw new InvalidOptionError(
        `Expected \`${name}.methods\` to be a list as \`['GET']\`, got ${shown(methods)}`,
      );
    }
    if (status !== undefined && status !== 'success' && !Array.isArray(status))
      functionOf(status, `${name}.status`);
    for (const [header, value] of Object.entries(objectOf(headers, `${name}.headers`))) {
      // Told now, and not to the first client.
      new Headers([[header, text(value, `${name}.headers.${header}`)]]);
    }
    return { ...rule, ...(methods && { methods: methods.map((each: string) => each.toUpperCase()) }) };
  });
}

function fits({ path, methods, status }: CacheControlRule, facts: ResponseFacts): boolean {
  if (methods !== undefined && !methods.includes(facts.method)) return false;
  if (status !== undefined && !fitsStatus(status, facts.status)) return false;
  if (path === undefined) return true;
  if (typeof path === 'function') return path(facts.path);
  // A pattern with the flag `g` begins where it left off.
  if (path instanceof RegExp) return facts.path.search(path) >= 0;
  return path.endsWith('/') ? isWithin(path, facts.path) : facts.path === path;
}

function fitsStatus(wanted: NonNullable<CacheControlRule['status']>, status: number): boolean {
  if (wanted === 'success') return (status >= 200 && status < 300) || status === 304;
  return typeof wanted === 'function' ? wanted(status) : wanted.includes(status);
}

/** Whether a path lies in a folder, however its server reads it. */
function isWithin(folder: string, path: string): boolean {
  if (!path.startsWith(folder)) return false;
  const rest = path.slice(folder.length);
  return !/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)|\\|%2f|%5c|%25|%00/i.test(rest);
}
