/** One request to a Fetch-style handler. */

import { type Capture, type Captured, type Exchange, isServerError } from './exchange.js';
import { chosenTarget, type RequestFacts } from './request-key.js';
import type { SharedResponses } from './shared-responses.js';
import { joined, type ResponseHead, type Storage } from './storable.js';
import { answerHeaders, isNotModified, type StoredResponse, storedHeader } from './stored-response.js';

/** A request, and what answers it. */
export interface FetchExchangeInit {
  readonly request: Request;
  readonly run: (request: Request) => Promise<Response>;
  /** Whether `run` may be called once more, without a client. */
  readonly canRenew: boolean;
  readonly shared: SharedResponses;
}

/** What is known of a `Request`. */
export function fetchFacts({ method, url, headers }: Request): RequestFacts {
  const start = url.indexOf('://');
  const slash = url.indexOf('/', start + 3);
  const hash = url.indexOf('#');
  let own = headers;
  return {
    method,
    scheme: url.slice(0, start),
    host: url.slice(start + 3, slash),
    target: url.slice(slash, hash < 0 ? undefined : hash),
    header: (name) => own.get(name) ?? undefined,
    keepHeaders: () => {
      own = new Headers(headers);
    },
  };
}

/** An exchange with a Fetch-style handler. */
export class FetchExchange implements Exchange {
  readonly facts: RequestFacts;
  readonly renew: Exchange['renew'];
  readonly #init: FetchExchangeInit;
  /** What the client gets: as soon as there is a head, while the body may be on its way. */
  readonly answer: Promise<Response>;
  #respond: (response: Response) => void = () => undefined;

  constructor(init: FetchExchangeInit, facts: RequestFacts) {
    this.#init = init;
    this.facts = facts;
    this.answer = new Promise((resolve) => {
      this.#respond = resolve;
    });
    if (init.canRenew) this.renew = (capture) => this.#renewed(capture);
  }

  async pass(): Promise<void> {
    this.#respond(await this.#init.run(this.#init.request));
  }

  async lead(capture: Capture): Promise<Captured> {
    let response: Response;
    try {
      response = await this.#init.run(this.#fullRequest(this.#init.request.signal));
    } catch (error) {
      if (capture.fallback === undefined) throw error;
      this.send(capture.fallback, true);
      return { why: 'error' };
    }
    const { captured, answer } = captureFetch(response, capture, (name) => this.facts.header(name));
    if (answer === 'fallback') this.send(capture.fallback!, true);
    else this.#respond(answer);
    return captured;
  }

  send(stored: StoredResponse, isStale: boolean): void {
    const { clock, downstream, cacheStatus } = this.#init.shared.options;
    const isUnmodified =
      stored.status === 200 &&
      isNotModified((name) => storedHeader(stored, name), conditions(this.facts.header));
    const list = answerHeaders(stored, {
      ...{ now: clock.now(), downstream, isNotModified: isUnmodified },
      status: cacheStatus ? `toolstash; hit${isStale ? '; detail=stale' : ''}` : undefined,
    });
    const headers = new Headers();
    for (let at = 0; at < list.length; at += 2) {
      for (const value of [list[at + 1] as string | string[]].flat())
        headers.append(list[at] as string, value);
    }
    const isBare = isUnmodified || this.facts.method === 'HEAD' || stored.status === 204;
    const body = isBare ? null : (stored.body as string);
    this.#respond(new Response(body, { status: isUnmodified ? 304 : stored.status, headers }));
  }

  refuse(): void {
    this.#respond(new Response(null, { status: 504 }));
  }

  async #renewed(capture: Capture): Promise<Captured> {
    const response = await this.#init.run(this.#fullRequest(undefined));
    const { captured, answer } = captureFetch(response, capture, () => undefined);
    if (answer instanceof Response) await answer.body?.pipeTo(new WritableStream());
    return captured;
  }

  /** The request for all of the response, of the URL in the key. */
  #fullRequest(signal: AbortSignal | undefined): Request {
    const { request, shared } = this.#init;
    const { query } = shared.options;
    const target = query === undefined ? this.facts.target : chosenTarget(this.facts.target, query);
    const isPlain = ['if-none-match', 'if-modified-since'].every((name) => !request.headers.has(name));
    if (isPlain && target === this.facts.target && signal !== undefined) return request;
    const headers = new Headers(request.headers);
    for (const name of ['if-none-match', 'if-modified-since']) headers.delete(name);
    const url = `${this.facts.scheme}://${this.facts.host}${target}`;
    return new Request(url, { method: request.method, headers, signal: signal ?? null });
  }
}

/** What becomes of a handler's response: what its client gets, and what others can have. */
function captureFetch(
  response: Response,
  capture: Capture,
  header: (name: string) => string | undefined,
): { readonly captured: Promise<Captured>; readonly answer: Response | 'fallback' } {
  const head = headOf(response);
  if (isServerError(response.status) && capture.fallback !== undefined) {
    void response.body?.cancel();
    return { captured: Promise.resolve({ why: 'error' }), answer: 'fallback' };
  }
  const decision = response.status < 200 ? { isPersonal: false } : capture.decide(head);
  const length = Number(joined(head.headers['content-length']) ?? 0);
  if ('isPersonal' in decision || length > capture.maxBodyBytes) {
    const isLasting = !('isPersonal' in decision && decision.isPersonal);
    const captured: Captured = response.status >= 400 ? { why: 'error' } : { why: 'unshared', isLasting };
    return { captured: Promise.resolve(captured), answer: laidOver(response, capture, header, false) };
  }
  const taken = takeBody(response, { capture, head, storage: decision });
  return {
    captured: taken.captured,
    answer: laidOver(new Response(taken.body, response), capture, header, true),
  };
}

/** The response as its client gets it. */
function laidOver(
  response: Response,
  { downstream, status }: Capture,
  header: (name: string) => string | undefined,
  isStored: boolean,
): Response {
  if (response.status < 200) return response;
  const isUnmodified =
    response.status === 200 &&
    isNotModified((name) => response.headers.get(name) ?? undefined, conditions(header));
  if (!isUnmodified && !isStored && status === undefined) return response;
  const headers = new Headers(response.headers);
  if (isStored && downstream !== undefined) {
    for (const name of ['expires', 'pragma']) headers.delete(name);
    headers.set('cache-control', downstream);
  }
  if (status !== undefined) headers.set('cache-status', `${status}${isStored ? '; stored' : ''}`);
  if (!isUnmodified)
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
  for (const name of [...headers.keys()]) if (/^content-(?!location$)/.test(name)) headers.delete(name);
  // It is stored all the same, or left unread.
  if (isStored) void response.body?.pipeTo(new WritableStream()).catch(() => undefined);
  else void response.body?.cancel();
  return new Response(null, { status: 304, headers });
}

interface BodyToTake {
  readonly capture: Capture;
  readonly head: ResponseHead;
  readonly storage: Storage;
}

/**
 * A body on its way to its client, and what was captured of it. Up to `maxBodyBytes` a client that reads slowly does not
 * hold up others, then the handler waits for it.
 */
function takeBody(
  response: Response,
  { capture, head, storage }: BodyToTake,
): { readonly captured: Promise<Captured>; readonly body: ReadableStream<Uint8Array> | null } {
  if (response.body === null) {
    return {
      captured: Promise.resolve(capture.complete(head, storage, new Uint8Array())),
      body: null,
    };
  }
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let isGone = false;
  let ahead = true;
  let wanted: (() => void) | undefined;
  let settle: (captured: Captured) => void = () => undefined;
  const captured = new Promise<Captured>((resolve) => {
    settle = resolve;
  });
  const end = () => {
    const declared = head.headers['content-length'];
    if (isGone || (declared !== undefined && Number(joined(declared)) !== size))
      return settle({ why: 'aborted' });
    settle(capture.complete(head, storage, Buffer.concat(chunks, size)));
  };
  /** Passes one chunk on; tells whether there may be more. */
  const pass = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<boolean> => {
    try {
      const { done, value } = await reader.read();
      if (isGone) return false;
      if (done) {
        end();
        controller.close();
        return false;
      }
      size += value.byteLength;
      if (size <= capture.maxBodyBytes) chunks.push(value.slice());
      else {
        chunks.length = 0;
        settle({ why: 'unshared', isLasting: true });
      }
      controller.enqueue(value);
      return true;
    } catch (error) {
      settle({ why: 'aborted' });
      controller.error(error);
      return false;
    }
  };
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      // Not awaited by who reads: what is read ahead waits in the stream.
      void (async () => {
        while (size <= capture.maxBodyBytes && (await pass(controller)));
        ahead = false;
        wanted?.();
      })();
    },
    async pull(controller) {
      if (ahead) await new Promise<void>((resolve) => (wanted = resolve));
      if (!isGone && size > capture.maxBodyBytes) await pass(controller);
    },
    cancel(reason) {
      isGone = true;
      wanted?.();
      settle({ why: 'aborted' });
      return reader.cancel(reason);
    },
  });
  return { captured, body };
}

function headOf({ status, headers }: Response): ResponseHead {
  const found: Record<string, string | string[]> = {};
  for (const [name, value] of headers) if (name !== 'set-cookie') found[name] = value;
  const cookies = headers.getSetCookie();
  return { status, headers: cookies.length === 0 ? found : { ...found, 'set-cookie': cookies } };
}

function conditions(header: (name: string) => string | undefined) {
  return { noneMatch: header('if-none-match'), modifiedSince: header('if-modified-since') };
}
