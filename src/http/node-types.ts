/** What Node's servers and the frameworks on them give, as far as it is used here. */

import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as Node's server, Express, Connect or Fastify's adapters hand it on. */
export type NodeRequest = IncomingMessage & {
  /** The target before a router cut its mount path off. */
  originalUrl?: string;
};

/** A middleware of Express and Connect, also for a bare server: `middleware(req, res, () => handle(req, res))`. */
export type NodeMiddleware = (
  request: NodeRequest,
  response: ServerResponse,
  next: (error?: unknown) => unknown,
) => unknown;
