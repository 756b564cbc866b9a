/** A response of Node's server, captured on its way to its client. */

import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { parseDirectives } from './cache-directives.js';
import { type Capture, type Captured, isServerError } from './exchange.js';
import { orAsBefore, setGivenHeaders } from './node-head.js';
import { joined, type ResponseHead, type Storage } from './storable.js';
import { etagOf, isNotModified, type StoredResponse } from './stored-response.js';

/** What a client has already, by the headers that its route does not see. */
export interface Conditions {
  readonly noneMatch: string | undefined;
  readonly modifiedSince: string | undefined;
}

/** One response to capture. */
export interface NodeCaptureInit {
  readonly response: ServerResponse;
  readonly capture: Capture;
  readonly conditions: Conditions;
  /** Answers the client with what is stored, in place of an error. */
  readonly send: (stored: StoredResponse) => void;
}

type LooseHead = (status: number, ...rest: unknown[]) => ServerResponse;
type LooseEnd = (...args: unknown[]) => ServerResponse;
type LooseWrite = (...args: unknown[]) => boolean;
type Done = ((error?: Error) => void) | undefined;

/** What is done with what the route writes. `replace` and `empty`: the client gets something else, or no body. */
type Mode = 'head' | 'store' | 'pass' | 'replace' | 'empty';

/**
 * Captures what a route answers, and resolves once it is known whether others can have it. Until then the route is not
 * held up by a client that reads slowly: up to `maxBodyBytes` wait for it in memory.
 */
export function captureNode({ response, capture, conditions, send }: NodeCaptureInit): Promise<Captured> {
  let resolve: (captured: Captured) => void;
  const promise = new Promise<Captured>((settle) => {
    resolve = settle;
  });
  const own = {
    writeHead: response.writeHead as LooseHead,
    write: response.write as LooseWrite,
    end: response.end as LooseEnd,
  };
  /** What others have set on the response before: theirs to set on each. */
  const before = new Map(Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]));
  const chunks: Uint8Array[] = [];
  let size = 0;
  let mode: Mode = 'head';
  /** The client has this response already: it gets a head alone, while the body is stored. */
  let isUnmodified = false;
  let isEnding = false;
  let head: ResponseHead;
  let storage: Storage | undefined;

  // Also where it was written in some other way, as on the stream of HTTP/2 or on the socket.
  response.once('close', () => give({ why: 'aborted' }));

  function give(captured: Captured): void {
    storage = undefined;
    chunks.length = 0;
    if (mode === 'store') mode = isUnmodified ? 'empty' : 'pass';
    resolve(captured);
  }

  /**
   * Writes something. Where Node refuses the head an error page comes next, which is another response; where it refuses a
   * piece of the body, what comes next is not what the route meant.
   */
  function guarded<T>(write: () => T): T {
    try {
      return orAsBefore(response, write, () => {
        mode = 'head';
        storage = undefined;
        chunks.length = 0;
        size = 0;
        isUnmodified = false;
        isEnding = false;
      });
    } catch (error) {
      if (response.headersSent) give({ why: 'aborted' });
      throw error;
    }
  }

  /** Decides on the response by its head. `body` is all of it where that is known. */
  function begin(status: number, message: string | undefined, body: Uint8Array | undefined): void {
    head = headOf(response, status, before);
    const decision = capture.decide(head);
    if (isServerError(status) && capture.fallback !== undefined) {
      mode = 'replace';
      return;
    }
    mode = 'pass';
    if ('isPersonal' in decision) {
      give(status >= 400 ? { why: 'error' } : { why: 'unshared', isLasting: !decision.isPersonal });
    } else if (lengthOf(head) > capture.maxBodyBytes) {
      give({ why: 'unshared', isLasting: true });
    } else {
      mode = 'store';
      storage = decision;
      if (body !== undefined && status === 200 && !response.hasHeader('etag')) {
        response.setHeader('etag', etagOf(head, body));
      }
      if (capture.downstream !== undefined) {
        for (const name of ['expires', 'pragma']) response.removeHeader(name);
        response.setHeader('cache-control', capture.downstream);
      }
    }
    if (capture.status !== undefined)
      response.setHeader('cache-status', `${capture.status}${mode === 'store' ? '; stored' : ''}`);
    const headerOf = (name: string) => joined(response.getHeader(name) as string | undefined);
    if (status === 200 && isNotModified(headerOf, conditions)) {
      isUnmodified = true;
      for (const name of response.getHeaderNames())
        if (/^content-(?!location$)/.test(name)) response.removeHeader(name);
      response.statusCode = 304;
      own.writeHead.call(response, 304);
      if (mode === 'pass') mode = 'empty';
    } else if (body !== undefined) {
      // Node writes head and body at once, with the body's length.
    } else if (message === undefined) own.writeHead.call(response, status);
    else own.writeHead.call(response, status, message);
  }

  function keep(chunk: Uint8Array): void {
    size += chunk.byteLength;
    if (size > capture.maxBodyBytes) give({ why: 'unshared', isLasting: true });
    // Whoever wrote it may use its memory again.
    else chunks.push(Uint8Array.prototype.slice.call(chunk));
  }

  /** Once the head is written: who has asked to be called then may have set a cookie, which may be in the body, or said whose it is. */
  function finish(isCut: boolean): void {
    if (storage === undefined) return;
    const control = joined(response.getHeader('cache-control') as string | string[] | undefined);
    if (response.hasHeader('set-cookie') || parseDirectives(control).has('private')) {
      give({ why: 'unshared', isLasting: false });
      return;
    }
    const declared = head.headers['content-length'];
    if (isCut || (declared !== undefined && Number(joined(declared)) !== size)) {
      give({ why: 'aborted' });
      return;
    }
    give(capture.complete(head, storage, Buffer.concat(chunks, size)));
  }

  response.writeHead = ((status: number, ...rest: unknown[]) => {
    if (mode !== 'head' || response.headersSent) {
      if (mode === 'replace' || mode === 'empty' || isUnmodified) return response;
      return own.writeHead.call(response, status, ...rest);
    }
    guarded(() => begin(status, setGivenHeaders(response, rest), undefined));
    return response;
  }) as typeof response.writeHead;

  response.write = ((chunk: unknown, ...rest: unknown[]) =>
    guarded(() => write(chunk, rest))) as typeof response.write;

  function write(chunk: unknown, rest: unknown[]): boolean {
    // The last piece, which HTTP/2 and others write in their `end`.
    if (isEnding) return own.write.call(response, chunk, ...rest);
    const [bytes, done] = bytesOf(chunk, rest);
    if (mode === 'head' && bytes !== undefined)
      begin(response.statusCode, response.statusMessage || undefined, undefined);
    if (mode === 'replace' || mode === 'empty') return discard(done);
    if (mode !== 'store' || bytes === undefined) return own.write.call(response, chunk, ...rest);
    keep(bytes);
    if (isUnmodified) return discard(done);
    const hasRoom = own.write.call(response, chunk, ...rest);
    return (mode as Mode) === 'store' ? true : hasRoom;
  }

  response.end = ((...args: unknown[]) => guarded(() => end(args))) as typeof response.end;

  function end(args: unknown[]): ServerResponse {
    const [chunk, ...rest] = typeof args[0] === 'function' ? [undefined, args[0]] : args;
    const [bytes, done] = bytesOf(chunk, rest);
    if (mode === 'head' && !response.headersSent) {
      begin(response.statusCode, response.statusMessage || undefined, bytes ?? new Uint8Array());
    }
    if (mode === 'replace') return replace(done);
    if (mode === 'store' && bytes !== undefined) keep(bytes);
    const isCut = response.destroyed;
    isEnding = true;
    const ended =
      mode === 'empty' || isUnmodified ? own.end.call(response, done) : own.end.call(response, ...args);
    if (response.headersSent) finish(isCut);
    // What saves a session ends the response later.
    else response.once('finish', () => finish(isCut));
    return ended;
  }

  function discard(done: Done): true {
    if (done !== undefined) queueMicrotask(done);
    return true;
  }

  /** Sends what is stored in place of the route's error. */
  function replace(done: Done): ServerResponse {
    mode = 'pass';
    Object.assign(response, own);
    for (const name of response.getHeaderNames()) if (!before.has(name)) response.removeHeader(name);
    if (response.req.httpVersionMajor === 1) response.statusMessage = '';
    if (done !== undefined) response.once('finish', done);
    send(capture.fallback!);
    resolve({ why: 'error' });
    return response;
  }

  return promise;
}

/** The head of a response without what was set on it before its route was run, `Vary` and cookies aside. */
function headOf(response: ServerResponse, status: number, before: ReadonlyMap<string, string>): ResponseHead {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(response.getHeaders())) {
    if (value === undefined) continue;
    const isTheirs = before.get(name) === String(value);
    if (isTheirs && !['vary', 'set-cookie', 'cache-control', 'expires', 'pragma'].includes(name)) continue;
    headers[name] = textOf(value);
  }
  return { status, headers };
}

function textOf(value: OutgoingHttpHeader): string | string[] {
  return Array.isArray(value) ? value.map(String) : String(value);
}

function lengthOf({ headers }: ResponseHead): number {
  return Number(joined(headers['content-length']) ?? 0);
}

/** What is written, as bytes, and what to call then. `undefined` for what Node itself will refuse. */
function bytesOf(chunk: unknown, rest: readonly unknown[]): [Uint8Array | undefined, Done] {
  const done = rest.find((each) => typeof each === 'function') as Done;
  if (typeof chunk === 'string') {
    const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : 'utf8';
    return [Buffer.isEncoding(encoding) ? Buffer.from(chunk, encoding) : undefined, done];
  }
  return [chunk instanceof Uint8Array ? chunk : undefined, done];
}
