/** Which HTTP requests are let in, by whom answers may be read, and how all others are answered. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { jsonText } from './json-text.js';
import type { ResolvedListen } from './listen-config.js';

const loopback = ['localhost', '127.0.0.1', '[::1]'];
const preflightMethod = 'access-control-request-method';
const preflightHeaders = 'access-control-request-headers';
/** What of an answer a page can read besides its body. */
const readable = 'mcp-session-id, www-authenticate';
/** For how long a browser need not ask again, in s. */
const preflightAge = '600';

/** Who asks from elsewhere, or without the token, is not let in: pages in a browser may reach a loopback address too. */
export class HttpAccess {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #token: Buffer | undefined;

  constructor({ host, allowedHosts, allowedOrigins, token }: ResolvedListen) {
    this.#hosts = new Set([
      ...loopback,
      host.toLowerCase(),
      ...allowedHosts.map((each) => each.toLowerCase()),
    ]);
    this.#origins = new Set(allowedOrigins);
    this.#token = token === undefined ? undefined : digestOf(`Bearer ${token}`);
  }

  /** Whether it was answered here: it is not let in, or a browser has only asked what it may ask. */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    const { headers, method } = request;
    const named = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    if (!this.#hosts.has(named)) return refused(response, 403, `Forbidden host: ${named}`);
    const { origin } = headers;
    if (origin !== undefined) {
      if (!this.#origins.has(origin) && !isLoopback(origin))
        return refused(response, 403, `Forbidden origin: ${origin}`);
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader('access-control-expose-headers', readable);
      response.setHeader('vary', 'origin');
      if (method === 'OPTIONS' && headers[preflightMethod] !== undefined) {
        // It never holds the token.
        answerPreflight(headers[preflightHeaders], response);
        return true;
      }
    }
    if (this.#token === undefined) return false;
    if (timingSafeEqual(this.#token, digestOf(headers.authorization ?? ''))) return false;
    return refused(response, 401, 'Unauthorized: a bearer token is required');
  }
}

function answerPreflight(asked: string | string[] | undefined, response: ServerResponse): void {
  const headers = typeof asked === 'string' && /^[\w\-, ]+$/.test(asked) ? asked : undefined;
  response
    .writeHead(204, {
      'access-control-allow-methods': 'GET, POST, DELETE',
      ...(headers !== undefined && { 'access-control-allow-headers': headers }),
      'access-control-max-age': preflightAge,
    })
    .end();
}

/** The body of a request; `undefined`: it is too large. */
export async function bodyOf(request: IncomingMessage, most: number): Promise<string | undefined> {
  // Said so at once, while who sends it listens still.
  if (Number(request.headers['content-length'] ?? 0) > most) return undefined;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= most) chunks.push(chunk);
      else resolve(undefined);
      if (length > most) request.pause();
    });
    request.on('end', () => resolve((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString()));
    request.on('error', reject);
  });
}

/** Answers a request with an error. */
export function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  // What is left of the request is not read.
  if (status === 413) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(jsonText({ jsonrpc: '2.0', id: null, error: { code, message } }));
}

function refused(response: ServerResponse, status: number, message: string): true {
  refuse(response, status, -32000, message);
  return true;
}

function isLoopback(origin: string): boolean {
  return URL.canParse(origin) && loopback.includes(new URL(origin).hostname);
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
