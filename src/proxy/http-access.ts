/** Which HTTP requests are let in, and how all others are answered. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { jsonText } from './json-text.js';
import type { ResolvedListen } from './listen-config.js';

const loopback = ['localhost', '127.0.0.1', '[::1]'];

/** Why a request is not let in. */
export type Refusal = readonly [status: number, code: number, message: string];

/** Who asks from elsewhere, or without the token: pages in a browser may reach a loopback address too. */
export function refusalOf(
  { headers }: IncomingMessage,
  { host, allowedHosts, allowedOrigins, token }: ResolvedListen,
): Refusal | undefined {
  const named = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  const hosts = [...loopback, host.toLowerCase(), ...allowedHosts.map((each) => each.toLowerCase())];
  if (!hosts.includes(named)) return [403, -32000, `Forbidden host: ${named}`];
  const { origin } = headers;
  if (origin !== undefined && !allowedOrigins.includes(origin) && !isLoopback(origin))
    return [403, -32000, `Forbidden origin: ${origin}`];
  if (token === undefined || isEqual(headers.authorization ?? '', `Bearer ${token}`)) return undefined;
  return [401, -32000, 'Unauthorized: a bearer token is required'];
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
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
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

function isLoopback(origin: string): boolean {
  return URL.canParse(origin) && loopback.includes(new URL(origin).hostname);
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [one, other].map((each) => createHash('sha256').update(each).digest());
  return timingSafeEqual(a as Buffer, b as Buffer);
}
