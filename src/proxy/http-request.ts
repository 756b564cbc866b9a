/** Requests to servers of HTTP, over connections that stay open: with `fetch` a call took more than twice as long. */

import { Agent, type IncomingMessage, request } from 'node:http';
import { request as requestSecurely, Agent as SecureAgent } from 'node:https';
import { nextTurn } from '../next-turn.js';

/** What is asked. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Whether it may be asked twice, where a server has closed the connection just before. */
  readonly isRepeatable: boolean;
}

/** What is answered, as it begins. */
export interface HttpAnswer {
  readonly status: number;
  readonly isOk: boolean;
  readonly headers: Readonly<IncomingMessage['headers']>;
  readonly body: AsyncIterable<Uint8Array>;
  /** What is left of the body is nobody's: where it ends soon, its connection can be used again. */
  leave(): void;
  text(): Promise<string>;
}

/** A connection that nobody uses is closed before servers do, after 5 s most of them: what is sent meanwhile would be lost. */
const options = { keepAlive: true, timeout: 4_000 };
const agents = { 'http:': new Agent(options), 'https:': new SecureAgent(options) };
/** Some refuse who has no name, and some compress for who says nothing of it. */
const always = { 'user-agent': 'toolstash', 'accept-encoding': 'identity' };
const mostRedirects = 5;
/** In ms. */
const endsWithin = 1_000;

/** Rejects with what keeps it from being answered. To another origin it does not follow: headers may hold secrets. */
export async function ask(url: string, asked: HttpRequest): Promise<HttpAnswer> {
  let place = new URL(url);
  for (let redirects = 0; ; redirects += 1) {
    // A server that has closed the connection behind its last answer may have said so: that is heard first.
    await nextTurn();
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
  const { method, headers, body, signal, isRepeatable } = asked;
  return new Promise((resolve, reject) => {
    const isSecure = url.protocol === 'https:';
    const send: typeof request = isSecure ? requestSecurely : request;
    const agent = agents[isSecure ? 'https:' : 'http:'];
    const all = { ...always, ...headers };
    const sent = send(url.href, { method, headers: all, signal, agent }, (answer) => {
      const status = answer.statusCode ?? 0;
      const isOk = status >= 200 && status < 300;
      const leave = () => {
        const late = setTimeout(() => answer.destroy(), endsWithin).unref();
        answer.on('close', () => clearTimeout(late)).resume();
      };
      const body = answer.iterator({ destroyOnReturn: false });
      resolve({ status, isOk, headers: answer.headers, body, leave, text: () => textOf(answer) });
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const hasBeenClosed = sent.reusedSocket && error.code === 'ECONNRESET' && !signal.aborted;
      if (hasBeenClosed && isRepeatable) resolve(askOnce(url, asked));
      else reject(error);
    });
    sent.end(body);
  });
}

/** The whole text of a message. */
function textOf(message: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    message.setEncoding('utf8');
    message.on('data', (chunk: string) => {
      text += chunk;
    });
    message.on('end', () => resolve(text.replace(/^\ufeff/, '')));
    message.on('error', reject);
  });
}
