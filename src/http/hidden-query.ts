/** Query parameters that make no difference to a response, taken off a request of Node's server wherever its route could read them. */

import { parse } from 'node:querystring';
import { isDeepStrictEqual } from 'node:util';
import type { NodeRequest } from './node-types.js';
import { chosenTarget, isChosen } from './request-key.js';

type Parsed = Record<string, unknown>;

/**
 * Whether all that a route can read of the query can be brought down to the chosen parameters. Express 4 and Fastify have
 * parsed it by now: where what they made of it isn't plain names and texts, it can't be told which of it came from what.
 */
export function canHideQuery(request: NodeRequest, chosen: readonly string[]): boolean {
  const { url = '', originalUrl = url } = request;
  const [own, original] = [chosenTarget(url, chosen), chosenTarget(originalUrl, chosen)];
  if (own === url && original === originalUrl) return true;
  const parsed = Object.getOwnPropertyDescriptor(request, 'query');
  // Fastify's adapters set `ips`; one that keeps the parsed query to itself leaves nothing to take it off.
  if (parsed === undefined) return !Object.hasOwn(request, 'ips');
  const { value } = parsed as { value?: unknown };
  if (!('value' in parsed)) return false;
  if (value === undefined || value === null) return true;
  if (typeof value !== 'object' || Object.isSealed(value)) return false;
  const kept = Object.entries(value).filter(([name]) => isChosen(name, chosen));
  return [own, original].every((target) =>
    isDeepStrictEqual(Object.fromEntries(kept), { ...parsedQuery(target) }),
  );
}

/** Takes off what is not chosen. Only after `canHideQuery`. */
export function hideQuery(request: NodeRequest, chosen: readonly string[]): void {
  const { url, originalUrl } = request;
  if (url !== undefined) request.url = chosenTarget(url, chosen);
  if (originalUrl !== undefined) request.originalUrl = chosenTarget(originalUrl, chosen);
  if (!Object.hasOwn(request, 'query')) return;
  const { query } = request as { query?: Parsed | null };
  for (const name of Object.keys(query ?? {})) if (!isChosen(name, chosen)) delete query?.[name];
}

function parsedQuery(target: string): Parsed {
  const start = target.indexOf('?');
  return start < 0 ? {} : parse(target.slice(start + 1), '&', '=', { maxKeys: 0 });
}
