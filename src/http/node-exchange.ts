/** One client of Node's server, and its route. */

import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Capture, Captured, Exchange } from './exchange.js';
import { canHideQuery, hideQuery } from './hidden-query.js';
import { type Conditions, captureNode } from './node-capture.js';
import { nodeRenewal } from './node-renewal.js';
import type { NodeRequest } from './node-types.js';
import type { RequestFacts } from './request-key.js';
import type { SharedResponses } from './shared-responses.js';
import {
  answerHeaders,
  isLatin1,
  isNotModified,
  type StoredResponse,
  storedHeader,
} from './stored-response.js';

/** Requests that are run once more, and who waits for them. */
export type NodeRenewals = WeakMap<NodeRequest, (response: ServerResponse, next: () => unknown) => unknown>;

/** A request and what belongs to it. */
export interface NodeExchangeInit {
  readonly request: NodeRequest;
  readonly response: ServerResponse;
  readonly next: (error?: unknown) => unknown;
  readonly shared: SharedResponses;
  readonly renewals: NodeRenewals;
}

/** What is known of a request of Node's server. `query`: the parameters that make a difference, `undefined` for all. */
export function nodeFacts(request: NodeRequest, query: readonly string[] | undefined): RequestFacts {
  let { headers } = request;
  const { url = '/', originalUrl = url } = request;
  const socket = request.socket as (Socket & Partial<TLSSocket>) | null;
  const header = (name: string) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : typeof value === 'string' ? value : undefined;
  };
  return {
    method: request.method ?? 'GET',
    scheme: socket?.encrypted ? 'https' : 'http',
    hasCertificate: socket?.encrypted === true && showsCertificate(socket),
    host: (request.httpVersionMajor === 2 ? header(':authority') : undefined) ?? header('host') ?? '',
    target: originalUrl,
    routed: url === originalUrl ? undefined : url,
    isQueryWhole: query !== undefined && !canHideQuery(request, query),
    hasBody: request.httpVersionMajor === 2 && streamOf(request)?.endAfterHeaders !== true,
    header,
    keepHeaders: () => {
      headers = { ...headers };
    },
  };
}

/** Whether a client has shown a certificate: a route may know it by its fingerprint, whoever has signed it. */
function showsCertificate(socket: Partial<TLSSocket>): boolean {
  if (socket.authorized === true) return true;
  // Told only where one is asked for, and then too where none was shown.
  return Boolean(socket.authorizationError) && socket.getPeerX509Certificate?.() !== undefined;
}

/** An exchange with a client of Node's server. */
export class NodeExchange implements Exchange {
  readonly facts: RequestFacts;
  readonly #init: NodeExchangeInit;
  readonly #conditions: Conditions;

  constructor(init: NodeExchangeInit, facts: RequestFacts) {
    this.#init = init;
    this.facts = facts;
    this.#conditions = {
      noneMatch: facts.header('if-none-match'),
      modifiedSince: facts.header('if-modified-since'),
    };
  }

  async pass(): Promise<void> {
    await this.#init.next();
  }

  async lead(capture: Capture): Promise<Captured> {
    const { request, response, next } = this.#init;
    // It has left during the look-up: nothing more will be heard of its response.
    if (response.destroyed || response.closed || streamOf(response)?.destroyed) return { why: 'aborted' };
    const led = captureNode({
      ...{ response, capture, conditions: this.#conditions },
      send: (stored) => this.send(stored, true),
    });
    this.#hide(request);
    return runRoute(next, led);
  }

  get renew(): Exchange['renew'] {
    const { request, renewals } = this.#init;
    const run = nodeRenewal(request);
    if (run === undefined) return undefined;
    return (capture) =>
      run((copy, take) => {
        renewals.set(copy, (response, next) => {
          const { query } = this.#init.shared.options;
          if (query !== undefined && !this.facts.isQueryWhole && !canHideQuery(copy, query)) {
            take(Promise.resolve({ why: 'aborted' }));
            return response.destroy();
          }
          const send = () => undefined;
          const conditions = { noneMatch: undefined, modifiedSince: undefined };
          const led = captureNode({ response, capture, conditions, send });
          this.#hide(copy);
          const run = runRoute(next, led);
          take(run);
          return run.then(() => undefined);
        });
      });
  }

  send(stored: StoredResponse, isStale: boolean): void {
    const { response, shared } = this.#init;
    if (response.headersSent || response.destroyed) return;
    const { clock, downstream, cacheStatus } = shared.options;
    const isUnmodified = stored.status === 200 && this.#hasAlready(stored);
    const status = cacheStatus ? `toolstash; hit${isStale ? '; detail=stale' : ''}` : undefined;
    const headers = answerHeaders(stored, {
      now: clock.now(),
      downstream,
      isNotModified: isUnmodified,
      status,
    });
    writeHead(response, isUnmodified ? 304 : stored.status, headers);
    const { body } = stored;
    if (isUnmodified || this.facts.method === 'HEAD') response.end();
    else if (!isNodesOwn(response, 'end')) response.end(typeof body === 'string' ? body : body.slice());
    else if (typeof body !== 'string') response.end(body);
    else response.end(body, isLatin1(stored) ? 'latin1' : 'utf8');
  }

  #hasAlready(stored: StoredResponse): boolean {
    const { noneMatch, modifiedSince } = this.#conditions;
    if (noneMatch === undefined && modifiedSince === undefined) return false;
    return isNotModified((name) => storedHeader(stored, name), this.#conditions);
  }

  refuse(): void {
    const { response } = this.#init;
    response.statusCode = 504;
    response.end();
  }

  /** Takes off the request what its route is not to see: it is asked for all of the response, of the URL in the key. */
  #hide(request: NodeRequest): void {
    delete request.headers['if-none-match'];
    delete request.headers['if-modified-since'];
    const { query } = this.#init.shared.options;
    if (query !== undefined && !this.facts.isQueryWhole) hideQuery(request, query);
  }
}

/** The stream of HTTP/2 behind a request or response. */
function streamOf(
  of: object,
): { readonly endAfterHeaders?: boolean; readonly destroyed?: boolean } | undefined {
  return (of as { readonly stream?: { endAfterHeaders?: boolean; destroyed?: boolean } }).stream;
}

/** Runs what comes after the cache. What that throws or rejects with ends the wait for its response. */
async function runRoute(next: () => unknown, led: Promise<Captured>): Promise<Captured> {
  const ran = (async () => await next())();
  const failed = new Promise<never>((_, reject) => void ran.catch(reject));
  return Promise.race([led, failed]);
}

/** Whether a method is Node's own: others may put in what is not Latin-1, change bytes in place, or know of no lists. */
function isNodesOwn(response: ServerResponse, method: 'end' | 'writeHead'): boolean {
  return response[method] === ServerResponse.prototype[method];
}

/** Writes headers that are a name and a value in turn. */
function writeHead(response: ServerResponse, status: number, headers: readonly (string | string[])[]): void {
  // A list is the quickest where nobody else has a say. Beside headers that are set it takes Node longer than setting each.
  if (isNodesOwn(response, 'writeHead') && response.getHeaderNames().length === 0) {
    response.writeHead(status, headers as string[]);
    return;
  }
  for (let at = 0; at < headers.length; at += 2) {
    const value = headers[at + 1] as string | string[];
    // A list becomes the response's own, to which others add.
    response.setHeader(headers[at] as string, typeof value === 'string' ? value : [...value]);
  }
  response.writeHead(status);
}
