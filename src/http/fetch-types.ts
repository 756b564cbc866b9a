/** What Fetch-style servers give and take, as far as it is used here. */

/** A handler that takes a `Request` and gives a `Response`: the `fetch` of Hono, Bun, Deno and workers. */
export type FetchHandler<Rest extends unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>;

/** What is used of the context of Hono. */
export interface HonoContext {
  /** The request. */
  readonly req: {
    /** As the server got it. */
    raw: Request;
  };
  /** The response, once there is one. */
  get res(): Response;
  /** Replaces it. */
  set res(response: Response | undefined);
}

/** A middleware of Hono. */
export type HonoMiddleware = (
  context: HonoContext,
  next: () => Promise<void>,
) => Promise<Response | undefined>;

/** The path of a URL or request target, as it was sent, without its query. */
export function pathOf(url: string): string {
  const start = url.startsWith('/') ? 0 : afterAuthority(url);
  const end = url.slice(start).search(/[?#]/);
  const path = end < 0 ? url.slice(start) : url.slice(start, start + end);
  return path === '' ? '/' : path;
}

function afterAuthority(url: string): number {
  const scheme = url.indexOf('://');
  if (scheme < 0) return 0;
  const slash = url.slice(scheme + 3).search(/[/?#]/);
  return slash < 0 ? url.length : scheme + 3 + slash;
}
