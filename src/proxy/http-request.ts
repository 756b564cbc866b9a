/** Requests to servers of HTTP, over connections that stay open: with `fetch` a call took more than twice as long. */

import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { request as requestSecurely, Agent as SecureAgent } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { isRecord } from '../mcp/mcp-client.js';
import { nextTurn, onNextTurn } from '../next-turn.js';

/** What ends a request, and the reading of its answer. An `AbortSignal` costs a call more than all else that is ours. */
export class Stop {
  #isStopped = false;
  #onStop: (() => void) | undefined;

  get isStopped(): boolean {
    return this.#isStopped;
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#onStop?.();
  }

  /** Calls the listener instead of the one before. */
  onStop(onStop: () => void): void {
    this.#onStop = onStop;
    if (this.#isStopped) onStop();
  }

  /** Resolves after so many ms, or once it is stopped. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.onStop(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** What is asked. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly stop: Stop;
  /** Whether it may be asked twice, where a server has closed the connection just before. */
  readonly isRepeatable: boolean;
}

/** What is answered, as it begins. */
export interface HttpAnswer {
  readonly status: number;
  readonly isOk: boolean;
  readonly headers: Readonly<IncomingMessage['headers']>;
  /** What is read of it, as it comes. */
  body(): AsyncIterable<Uint8Array>;
  /** What is left of the body is nobody's: where it ends soon, its connection can be used again. */
  leave(): void;
  text(): Promise<string>;
}

/** A connection that nobody uses is closed before servers do, after 5 s most of them: what is sent meanwhile would be lost. */
const options = { keepAlive: true, timeout: 4_000 };
const agents = { 'http:': new Agent(options), 'https:': new SecureAgent(options) };
/** What servers want to be told: some refuse who has no name, and some compress for who says nothing of it. */
export const always = { 'user-agent': 'toolstash', 'accept-encoding': 'identity' };
const mostRedirects = 5;
/** In ms. */
const endsWithin = 1_000;

/** For how many turns of the event loop it may not be heard yet that a server has closed a connection behind its answer. */
const unheard = 2;
let turnsLeft = 0;

function answerHasEnded(): void {
  if (turnsLeft === 0) onNextTurn(turn);
  turnsLeft = unheard;
}

function turn(): void {
  turnsLeft -= 1;
  if (turnsLeft > 0) onNextTurn(turn);
}

/** Rejects with what keeps it from being answered. To another origin it does not follow: headers may hold secrets. */
export async function ask(url: URL, asked: HttpRequest): Promise<HttpAnswer> {
  let place = url;
  for (let redirects = 0; ; redirects += 1) {
    if (turnsLeft > 0) await nextTurn();
    const answer = await askOnce(place, asked);
    const { location } = answer.headers;
    const isElsewhere = answer.status === 307 || answer.status === 308;
    if (!isElsewhere || location === undefined || redirects >= mostRedirects) return answer;
    if (!URL.canParse(location, place.href)) return answer;
    const next = new URL(location, place);
    if (next.origin !== place.origin) return answer;
    answer.leave();
    place = next;
  }
}

function askOnce(url: URL, asked: HttpRequest): Promise<HttpAnswer> {
  const { method, headers, body, stop, isRepeatable } = asked;
  return new Promise((resolve, reject) => {
    const isSecure = url.protocol === 'https:';
    const send: typeof request = isSecure ? requestSecurely : request;
    const agent = agents[isSecure ? 'https:' : 'http:'];
    const sent = send({ ...placeOf(url), method, headers, agent }, (message) => {
      message.on('close', answerHasEnded);
      resolve(answerIn(message));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const hasBeenClosed = sent.reusedSocket && error.code === 'ECONNRESET' && !stop.isStopped;
      if (hasBeenClosed && isRepeatable) resolve(askOnce(url, asked));
      else reject(error);
    });
    stop.onStop(() => sent.destroy(new Error('Nobody waits for it any more')));
    sent.end(body);
  });
}

type Place = Pick<RequestOptions, 'protocol' | 'hostname' | 'port' | 'path'>;
const places = new WeakMap<URL, Place>();

/** As `request` has it: taken apart once. */
function placeOf(url: URL): Place {
  const known = places.get(url);
  if (known !== undefined) return known;
  const { protocol, hostname, port, path } = urlToHttpOptions(url);
  const place = { protocol, hostname, port, path };
  places.set(url, place);
  return place;
}

function answerIn(message: IncomingMessage): HttpAnswer {
  const status = message.statusCode ?? 0;
  return {
    status,
    isOk: status >= 200 && status < 300,
    headers: message.headers,
    body: () => message.iterator({ destroyOnReturn: false }),
    leave: () => {
      const late = setTimeout(() => message.destroy(), endsWithin).unref();
      message.on('close', () => clearTimeout(late)).resume();
    },
    text: () => textOf(message),
  };
}

/** The whole text of a message. */
function textOf(message: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    message.setEncoding('utf8');
    message.on('data', (chunk: string) => {
      text += chunk;
    });
    message.on('end', () => resolve(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text));
    message.on('error', reject);
  });
}

/** Why there is no answer: the code alone, as what else is said may hold a header. */
export function causeOf(error: unknown): string {
  const cause = isRecord(error) ? (error['cause'] ?? error) : undefined;
  const code = isRecord(cause) ? cause['code'] : undefined;
  return typeof code === 'string' && /^[A-Z_]+$/.test(code) ? code : 'the request has failed';
}
