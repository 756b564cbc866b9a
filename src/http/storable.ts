/** Which responses a shared cache may store, and for how long: RFC 9111 by `http-cache-semantics`, and stricter where users could meet. */

import CachePolicy from 'http-cache-semantics';
import { type Directives, parseDirectives, plainDirectives, secondsOf } from './cache-directives.js';
import type { RequestFacts } from './request-key.js';

/** The head of a response. */
export interface ResponseHead {
  /** `200` */
  readonly status: number;
  /** Headers by name in lower case, all values of a name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What of a request decides whether its response may be stored. */
export interface StorageQuestion {
  readonly head: ResponseHead;
  readonly facts: Pick<RequestFacts, 'header' | 'hasCertificate'>;
  /** The request headers that are in its key. */
  readonly keyed: readonly string[];
  /** How long a response is fresh that doesn't say so, in ms. */
  readonly ttlMs: number;
  /** Epoch ms. */
  readonly now: number;
}

/** How long a response may be used. */
export interface Storage {
  /** How old it is on arrival, in ms. */
  readonly ageMs: number;
  /** For how long it is fresh from now on, in ms. */
  readonly freshMs: number;
  /** For how long it may stand in while it is renewed, from when it is stale. */
  readonly staleMs: number;
  /** For how long it may stand in for an error, from when it is stale. */
  readonly staleOnErrorMs: number;
  /** It says that it is for everybody: also for who shows a cookie or credentials. */
  readonly isPublic: boolean;
  /** The request headers it depends on, in lower case. */
  readonly vary: readonly string[];
}

/** A response that may not be stored. */
export interface Refusal {
  /** It depends on who asked: of another client the response may be stored. */
  readonly isPersonal: boolean;
}

/** Errors are not stored, nor is what a cache has to understand to store it. */
const storedStatuses = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308]);
/** Statuses whose responses may get a default freshness. */
const defaultStatuses = new Set([200, 203, 204, 300, 301, 308]);
/** Headers that show who asks. */
const credentials = ['authorization', 'cookie', 'proxy-authorization'];
/** Headers that many servers take in their place; where they are in the key, nobody else has what they bring. */
const tokens = ['x-api-key', 'api-key', 'x-auth-token', 'x-access-token', 'x-amz-security-token'];
const mostVaryNames = 16;

/** Whether a request shows who asks: by a header, or by a certificate. @param keyed the headers that are in its key */
export function hasCredentials(
  { header, hasCertificate }: Pick<RequestFacts, 'header' | 'hasCertificate'>,
  keyed: readonly string[],
): boolean {
  if (hasCertificate === true || credentials.some((name) => header(name) !== undefined)) return true;
  return tokens.some((name) => header(name) !== undefined && !keyed.includes(name));
}

/** How long a response may be used, or why it may not be stored. */
export function storageOf(question: StorageQuestion): Storage | Refusal {
  const { head, ttlMs, now } = question;
  const { status, headers } = head;
  const [never, personal] = [{ isPersonal: false }, { isPersonal: true }];
  if (!storedStatuses.has(status)) return { isPersonal: status >= 400 };
  if (['set-cookie', 'set-cookie2'].some((name) => headers[name] !== undefined)) return personal;
  if (['content-range', 'trailer'].some((name) => headers[name] !== undefined)) return never;
  if (/^text\/event-stream\b/i.test(joined(headers['content-type']) ?? '')) return never;
  const vary = varyNames(joined(headers['vary']));
  if (vary === undefined) return never;
  const directives = parseDirectives(joined(headers['cache-control']));
  if (['no-store', 'private', 'no-cache'].some((name) => directives.has(name))) return never;
  if (directives.size === 0 && /no-cache/i.test(joined(headers['pragma']) ?? '')) return never;
  const isPublic = directives.has('public') || directives.has('s-maxage');
  if (!isPublic && hasCredentials(question.facts, question.keyed)) return personal;

  const policy = policyOf(question, directives);
  if (!policy.storable()) return never;
  const isExplicit =
    secondsOf(directives, 's-maxage') !== undefined ||
    secondsOf(directives, 'max-age') !== undefined ||
    headers['expires'] !== undefined;
  if (!isExplicit && !defaultStatuses.has(status)) return never;
  const lifetimeMs = isExplicit ? policy.maxAge() * 1000 : ttlMs;
  const ageMs = policy.age() * 1000;
  const mayBeStale = !['must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) =>
    directives.has(name),
  );
  const staleFor = (name: string) => (mayBeStale ? (secondsOf(directives, name) ?? 0) * 1000 : 0);
  const freshMs = Math.max(0, lifetimeMs - ageMs);
  // What has been stale for a while when it comes has used up that much of its windows.
  const overdueMs = Math.max(0, ageMs - lifetimeMs);
  const staleMs = Math.max(0, staleFor('stale-while-revalidate') - overdueMs);
  const staleOnErrorMs = Math.max(0, staleFor('stale-if-error') - overdueMs);
  if (now < 0 || freshMs + staleMs <= 0) return never;
  return { ageMs, freshMs, staleMs, staleOnErrorMs, isPublic, vary };
}

function policyOf({ head, facts, now }: StorageQuestion, directives: Directives): CachePolicy {
  const { status, headers } = head;
  const plain: Record<string, string> = {};
  for (const name of ['expires', 'date', 'last-modified', 'etag']) {
    const value = joined(headers[name]);
    if (value !== undefined) plain[name] = value;
  }
  // What is no date of HTTP, as a number or two dates, is a date in the past (RFC 9111, 5.3).
  const expires = httpDate(plain['expires'], now);
  if (plain['expires'] !== undefined)
    plain['expires'] = expires === undefined ? '0' : new Date(expires).toUTCString();
  if (directives.size > 0) plain['cache-control'] = plainDirectives(directives);
  const age = /^\s*(\d+)/.exec(joined(headers['age']) ?? '')?.[1] ?? '0';
  const date = httpDate(plain['date'], now) ?? now;
  const seconds = Math.max(Math.min(Number(age), 2 ** 31), Math.floor((now - date) / 1000), 0);
  plain['age'] = String(seconds);
  const requestHeaders: Record<string, string> = {};
  // Not its `Cache-Control`: what a client asks of caches says nothing of the response.
  const authorization = facts.header('authorization');
  if (authorization !== undefined) requestHeaders['authorization'] = authorization;
  return new TimedPolicy(now, requestHeaders, { status, headers: plain });
}

/** A policy of the moment at which a response came. */
class TimedPolicy extends CachePolicy {
  static #now = 0;

  constructor(
    now: number,
    request: Record<string, string>,
    head: { status: number; headers: Record<string, string> },
  ) {
    // The constructor asks for the time.
    TimedPolicy.#now = now;
    const options = { shared: true, cacheHeuristic: 0, immutableMinTimeToLive: 0 };
    super({ method: 'GET', headers: request }, head, options);
  }

  /** Asked by the library, whose types leave it out. */
  now(): number {
    return TimedPolicy.#now;
  }
}

/** The names in `Vary`, in lower case and in order; `undefined` where no request is like another. */
function varyNames(header: string | undefined): readonly string[] | undefined {
  const names = (header ?? '').toLowerCase().split(',');
  const wanted = [...new Set(names.map((name) => name.trim()).filter((name) => name !== ''))].sort();
  if (wanted.length > mostVaryNames || wanted.some((name) => !/^[!#$%&'+.^_`|~0-9a-z-]+$/.test(name)))
    return undefined;
  return wanted;
}

/** All values of a header as one. */
export function joined(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined || typeof value === 'string' ? value : value.join(', ');
}

const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const longDay = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const month = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const time = String.raw`\d\d:\d\d:\d\d`;
/** The form in which dates are sent, and the two that must be read as well: RFC 9110, 5.6.7. */
const httpDates = [
  String.raw`${day}, \d\d ${month} \d{4} ${time} GMT`,
  String.raw`${longDay}, \d\d-${month}-\d\d ${time} GMT`,
  String.raw`${day} ${month} [ \d]\d ${time} \d{4}`,
].map((form) => new RegExp(`^${form}$`, 'i'));

/** A date of HTTP as epoch ms; `undefined` for whatever else. */
function httpDate(text: string | undefined, now: number): number | undefined {
  if (text === undefined || !httpDates.some((form) => form.test(text))) return undefined;
  // Of two digits of a year, the ones that lie at most 50 years ahead are meant.
  const dated = text.replace(/-(\d\d) /, (_, digits: string) => `-${fullYear(Number(digits), now)} `);
  // The oldest form leaves out that it is GMT, too.
  const parsed = Date.parse(/GMT$/i.test(dated) ? dated : `${dated} GMT`);
  return Number.isNaN(parsed) ? undefined : parsed;
}

function fullYear(digits: number, now: number): number {
  const year = new Date(now).getUTCFullYear();
  const inCentury = year - (year % 100) + digits;
  return inCentury > year + 50 ? inCentury - 100 : inCentury;
}
