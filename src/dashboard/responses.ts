/** Answers of the dashboard: files, JSON, and figures that go on coming. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../errors.js';
import type { DashboardFigures } from './figures.js';
import type { PastFigures } from './history.js';
import { contentSecurityPolicy, type PageFile, pageFiles } from './page.js';

/** A request that makes no sense, told to whoever sent it. */
export class MalformedRequest extends Error {}

/** More is no request of ours. */
const longestBody = 10_000;

const headers = {
  'content-security-policy': contentSecurityPolicy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** The last part of a path, wherever the handler is mounted. */
export function nameIn(url = '/'): string {
  return url.replace(/[?#].*$/s, '').replace(/^.*\//s, '');
}

/**
 * Where the page is instead, when the path that it is mounted under was asked for without the slash at its end, from
 * which the page finds its files. Express and Connect tell of that path. Relative: proxies may lead here by another.
 */
export function placeOfPage({
  url,
  originalUrl,
}: IncomingMessage & { originalUrl?: string }): string | undefined {
  if (originalUrl === undefined || nameIn(url) !== '') return undefined;
  const last = nameIn(originalUrl);
  return last === '' ? undefined : `./${last}/${/[?].*$/s.exec(originalUrl)?.[0] ?? ''}`;
}

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { ...headers, 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body, asJson));
}

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(307, { ...headers, location }).end();
}

export function sendFile(response: ServerResponse, name: string): void {
  const { type, text } = pageFiles[name] as PageFile;
  response.writeHead(200, { ...headers, 'content-type': type }).end(text);
}

/** What JSON has no words for is a text. */
export function asJson(_name: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Figures as a text, read once for all who ask within nine tenths of an interval: their timers don't keep step. */
export function sharedFigures(
  figures: () => Promise<DashboardFigures>,
  interval: number,
): () => Promise<string> {
  let latest: Promise<string> | undefined;
  let until = 0;
  return () => {
    const now = performance.now();
    if (latest === undefined || now >= until) {
      latest = figures().then((read) => JSON.stringify(read, asJson));
      until = now + 0.9 * interval;
    }
    return latest;
  };
}

/** Sends figures now and after each interval, until the reader leaves. For readers who have stalled, none are read. */
export function stream(
  response: ServerResponse,
  {
    figures,
    past,
    interval,
    streams,
  }: {
    /** In JSON. */
    readonly figures: () => Promise<string>;
    /** Of before, told once. */
    readonly past: () => readonly PastFigures[];
    readonly interval: number;
    readonly streams: Set<() => void>;
  },
): void {
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    clearTimeout(timer);
    streams.delete(end);
    response.end();
  };
  streams.add(end);
  response.on('close', end);
  const next = async (): Promise<void> => {
    if (!streams.has(end)) return;
    if (!response.writableNeedDrain) {
      const event = await figures().then(
        (text) => `data: ${text}\n\n`,
        (error: unknown) => `event: problem\ndata: ${JSON.stringify(messageOf(error))}\n\n`,
      );
      // It has ended meanwhile.
      if (!streams.has(end)) return;
      response.write(event);
    }
    timer = setTimeout(() => void next(), interval);
    timer.unref();
  };
  response.write(`event: past\ndata: ${JSON.stringify(past(), asJson)}\n\n`);
  void next();
}

/** @throws MalformedRequest */
export async function bodyOf(request: IncomingMessage & { readonly body?: unknown }): Promise<unknown> {
  // What stands before the handler, as `express.json()`, may have read it already.
  if (typeof request.body === 'object' && request.body !== null) return request.body;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longestBody) throw new MalformedRequest('The request is too long');
    chunks.push(chunk);
  }
  if (length === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new MalformedRequest('The request is no JSON');
  }
}

/** A field that is a text. @throws MalformedRequest */
export function field(body: unknown, name: string): string {
  const value =
    typeof body === 'object' && body !== null && Object.hasOwn(body, name)
      ? (body as Record<string, unknown>)[name]
      : undefined;
  if (typeof value === 'string') return value;
  throw new MalformedRequest(`Expected \`${name}\` to be a string`);
}
