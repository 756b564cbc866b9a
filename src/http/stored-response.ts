/** A response as the cache holds it, and what of it a client gets. */

import { nodeCrypto } from '../node-crypto.js';
import { parseDirectives, secondsOf } from './cache-directives.js';
import type { RequestFacts } from './request-key.js';
import { joined, type ResponseHead, type Storage } from './storable.js';

/** A response in the cache. Short names: they are stored with each. */
export interface StoredResponse {
  /** The layout: others are no hit. */
  readonly v: 1;
  readonly status: number;
  /** Names and values in turn; a value of several lines is a list. */
  readonly headers: readonly (string | string[])[];
  /** Text that is UTF-8 as text, which is quicker to send. */
  readonly body: string | Uint8Array;
  /** When it was as good as just made, epoch ms: its age counts from there. */
  readonly born: number;
  /** Until when it is fresh, epoch ms. */
  readonly fresh: number;
  /** Until when it may stand in while it is renewed, epoch ms. */
  readonly stale: number;
  /** Until when it may stand in for an error, epoch ms. */
  readonly error: number;
  readonly open: boolean;
  /** What it varies by: names, and what its request had. */
  readonly vary: readonly (readonly [name: string, value: string | null])[];
}

/** What a response is stored from. */
export interface FullResponse {
  readonly head: ResponseHead;
  readonly body: Uint8Array;
  readonly storage: Storage;
  readonly facts: RequestFacts;
  readonly now: number;
}

/** What belongs to one connection, or is made anew for each answer. */
const notStored = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
  ...['proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['age', 'content-length', 'cache-status'],
]);
/** What a 304 leaves out. */
const ofContent = /^content-(?!location$)/;
/** Text that may well be sent as it was read. */
const textTypes = /^(?:text\/|application\/(?:json|javascript|xml|[^;]+\+(?:json|xml)))/i;

/** The value for the cache. */
export function storedResponse({ head, body, storage, facts, now }: FullResponse): StoredResponse {
  const { headers } = head;
  const ofConnection = (joined(headers['connection']) ?? '').toLowerCase().split(/\s*,\s*/);
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !notStored.has(name) && !ofConnection.includes(name),
  );
  const etag = headers['etag'] === undefined && head.status === 200 ? ['etag', etagOf(head, body)] : [];
  const length = head.status === 204 ? [] : ['content-length', String(body.byteLength)];
  // When it was made, by the route or by what adds the header for it: each answer says the same.
  const date = headers['date'] === undefined ? ['date', new Date(now).toUTCString()] : [];
  const fresh = now + storage.freshMs;
  return {
    v: 1,
    status: head.status,
    headers: [
      ...kept.flatMap(([name, value]) => [
        name,
        typeof value === 'string' ? value : [...(value as string[])],
      ]),
      ...etag,
      ...date,
      ...length,
    ],
    body: textOf(body, headers) ?? Uint8Array.from(body),
    born: now - storage.ageMs,
    fresh,
    stale: fresh + storage.staleMs,
    error: fresh + storage.staleOnErrorMs,
    open: storage.isPublic,
    vary: storage.vary.map((name) => [name, facts.header(name) ?? null]),
  };
}

/** Whether a value of the cache is a response of this layout. */
export function isStoredResponse(value: unknown): value is StoredResponse {
  return typeof value === 'object' && value !== null && (value as Partial<StoredResponse>).v === 1;
}

/** Whether a stored response is the one for a request, among those of its URL. */
export function isVariantFor({ vary }: StoredResponse, facts: RequestFacts): boolean {
  return vary.every(([name, value]) => (facts.header(name) ?? null) === value);
}

/** Whether a stored response may be used, by its own age and what the client asks for. */
export type Use = 'fresh' | 'stale' | 'stale-on-error' | 'unusable';

/** How a stored response may be used now. */
export function useOf(stored: StoredResponse, facts: RequestFacts, now: number, heedsClient: boolean): Use {
  const directives = heedsClient ? askedFor(facts) : undefined;
  if (directives === undefined) return ownUse(stored, now);
  if (directives.has('no-cache')) return 'unusable';
  const ageMs = now - stored.born;
  const [most, left] = [secondsOf(directives, 'max-age'), secondsOf(directives, 'min-fresh')];
  if (most !== undefined && ageMs > most * 1000) return 'unusable';
  if (left !== undefined && stored.fresh - now < left * 1000) return 'unusable';
  return ownUse(stored, now);
}

/** What a client asks of caches, if anything. */
export function askedFor({ header }: RequestFacts): ReturnType<typeof parseDirectives> | undefined {
  const control = header('cache-control');
  if (control !== undefined) return parseDirectives(control);
  const pragma = header('pragma');
  return pragma !== undefined && /no-cache/i.test(pragma) ? parseDirectives('no-cache') : undefined;
}

function ownUse(stored: StoredResponse, now: number): Use {
  // A clock that was set back: it can't be told how old it is.
  if (now < stored.born - 1000) return 'unusable';
  if (now < stored.fresh) return 'fresh';
  if (now < stored.stale) return 'stale';
  return now < stored.error ? 'stale-on-error' : 'unusable';
}

/** Whether the client has this very response already: `If-None-Match`, else `If-Modified-Since`. */
export function isNotModified(
  headerOf: (name: string) => string | undefined,
  conditions: { readonly noneMatch: string | undefined; readonly modifiedSince: string | undefined },
): boolean {
  const { noneMatch, modifiedSince } = conditions;
  if (noneMatch !== undefined) {
    const etag = headerOf('etag');
    if (noneMatch.trim() === '*') return true;
    if (etag === undefined) return false;
    const wanted = etag.replace(/^W\//, '');
    return (noneMatch.match(/(?:W\/)?"[^"]*"/g) ?? []).some((each) => each.replace(/^W\//, '') === wanted);
  }
  const modified = headerOf('last-modified');
  if (modifiedSince === undefined || modified === undefined) return false;
  return Date.parse(modified) <= Date.parse(modifiedSince);
}

/** A header of a stored response that has one value. */
export function storedHeader(stored: StoredResponse, name: string): string | undefined {
  const { headers } = stored;
  for (let at = 0; at < headers.length; at += 2) {
    const value = headers[at + 1];
    if (headers[at] === name) return joined(value);
  }
  return undefined;
}

/** Whether its body, a text, is the same bytes as Latin-1 and as UTF-8, which takes longer to write. */
export function isLatin1(stored: StoredResponse): boolean {
  return storedHeader(stored, 'content-length') === String(stored.body.length);
}

/** What to add to the headers of a stored response. */
export interface AnswerHeaders {
  readonly now: number;
  /** What the client is told of keeping it; `undefined` leaves what the route said. */
  readonly downstream: string | undefined;
  /** The value of `Cache-Status`, if one is sent. */
  readonly status: string | undefined;
  readonly isNotModified: boolean;
}

/** The headers that a client gets, names and values in turn. */
export function answerHeaders(stored: StoredResponse, answer: AnswerHeaders): (string | string[])[] {
  const { downstream } = answer;
  const list: (string | string[])[] = [];
  const { headers } = stored;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] as string;
    if (downstream !== undefined && (name === 'cache-control' || name === 'expires' || name === 'pragma'))
      continue;
    if (answer.isNotModified && ofContent.test(name)) continue;
    list.push(name, headers[at + 1] as string | string[]);
  }
  if (downstream !== undefined) list.push('cache-control', downstream);
  list.push('age', String(Math.max(0, Math.floor((answer.now - stored.born) / 1000))));
  if (answer.status !== undefined) list.push('cache-status', answer.status);
  return list;
}

/** The entity tag of a body that its route gave none: weak, because what compresses it later may leave it as it is. */
export function etagOf(head: ResponseHead, body: Uint8Array): string {
  const hash = nodeCrypto().createHash('sha1').update(body);
  for (const name of ['content-type', 'content-encoding', 'content-language']) {
    hash.update(`\n${name}:${joined(head.headers[name]) ?? ''}`);
  }
  return `W/"${hash.digest('base64url')}"`;
}

function textOf(body: Uint8Array, headers: ResponseHead['headers']): string | undefined {
  if (headers['content-encoding'] !== undefined) return undefined;
  if (!textTypes.test(joined(headers['content-type']) ?? '')) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}
