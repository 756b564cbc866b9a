/** The moment at which a response of Node's server begins. */

import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';

type GivenHeaders = OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined;
type LooseHead = (status: number, ...rest: unknown[]) => ServerResponse;

/**
 * Calls `decide` right before the head of a response is written, with all its headers set on the response: once, or again
 * where Node has refused the head and an error's comes in its place.
 */
export function onResponseHead(response: ServerResponse, decide: (status: number) => void): void {
  const original = response.writeHead as LooseHead;
  let isDecided = false;
  response.writeHead = ((status: number, ...rest: unknown[]) => {
    if (isDecided || response.headersSent) return original.call(response, status, ...rest);
    const write = () => {
      isDecided = true;
      const message = setGivenHeaders(response, rest);
      decide(status);
      return message === undefined
        ? original.call(response, status)
        : original.call(response, status, message);
    };
    return orAsBefore(response, write, () => {
      isDecided = false;
    });
  }) as typeof response.writeHead;
}

/**
 * Does something that writes a head. Where Node refuses that, as for a character that no header can have, its headers are
 * taken back, and `undo` is called: they were not for the error page that comes next.
 */
export function orAsBefore<T>(response: ServerResponse, write: () => T, undo: () => void): T {
  if (response.headersSent) return write();
  const { statusCode } = response;
  const before = response.getHeaders();
  try {
    return write();
  } catch (error) {
    if (!response.headersSent) {
      response.statusCode = statusCode;
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      for (const name in before) response.setHeader(name, before[name] as string);
      undo();
    }
    throw error;
  }
}

/**
 * Sets the headers that were given to `writeHead` on the response, where others can see them; gives the status message.
 * In a flat list a name may come more than once.
 */
export function setGivenHeaders(response: ServerResponse, rest: readonly unknown[]): string | undefined {
  const message = typeof rest[0] === 'string' ? rest[0] : undefined;
  const headers = (message === undefined ? (rest[0] ?? rest[1]) : rest[1]) as GivenHeaders;
  if (headers === undefined || headers === null) return message;
  if (!Array.isArray(headers)) {
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (value !== undefined) response.setHeader(name, value);
    }
    return message;
  }
  const pairs = Array.isArray(headers[0])
    ? (headers as unknown as [string, string][])
    : Array.from({ length: headers.length >> 1 }, (_, at) => [headers[at * 2], headers[at * 2 + 1]] as const);
  for (const [name] of pairs) response.removeHeader(String(name));
  for (const [name, value] of pairs) response.appendHeader(String(name), value as string);
  return message;
}
