/** What makes two requests the same: what is in the key of a stored response. */

import { pathOf } from './fetch-types.js';

/** A request, whatever gave it. */
export interface RequestFacts {
  /** In upper case. */
  readonly method: string;
  /** `http` or `https`. */
  readonly scheme: string;
  /** As the client sent it; empty where it sent none. */
  readonly host: string;
  /** Path and query as the client sent them. */
  readonly target: string;
  /** Path and query as what came before has rewritten them, where they differ: a mount path cut off, another route. */
  readonly routed?: string | undefined;
  /** Its route can read the query where it can't be hidden: all of it makes a difference. */
  readonly isQueryWhole?: boolean;
  /** A body follows the head, whatever the head says of it. */
  readonly hasBody?: boolean;
  /** Its connection shows who asks, by a certificate of the client's. */
  readonly hasCertificate?: boolean;
  /** A header by its name in lower case, all its values as one. */
  readonly header: (name: string) => string | undefined;
  /** Keeps the headers as they are, for `header`: what comes after may change those of the request. */
  readonly keepHeaders: () => void;
}

/**
 * Headers that frameworks and proxies make URLs from, whatever `Vary` says: a response with links to a host of an
 * attacker's choice must not be given to others.
 */
const hostHeaders = [
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'forwarded',
];
/** Headers that make it another request altogether: its response is not for the cache. */
const overrides = [
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
];

/** Whether a request can be answered from a cache, or its response be stored, for all that can be told from its head. */
export function isCacheable({ method, header, hasBody }: RequestFacts): boolean {
  if (hasBody === true) return false;
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (header('range') !== undefined || header('if-range') !== undefined) return false;
  if (header('transfer-encoding') !== undefined) return false;
  const length = header('content-length');
  if (length !== undefined && length.trim() !== '0') return false;
  return overrides.every((name) => header(name) === undefined);
}

/** The part of a key that is known before any response is. No part can hold a line break. */
export function baseKey(
  facts: RequestFacts,
  keyed: readonly string[],
  query: readonly string[] | undefined,
): string {
  const chosen = (target: string) =>
    query === undefined || facts.isQueryWhole === true ? target : chosenTarget(target, query);
  let key = `${facts.scheme}\n${facts.host}\n${chosen(facts.target)}`;
  if (facts.routed !== undefined) key += `\nrouted:${chosen(facts.routed)}`;
  // HTTP/2 has `:authority` for it: who sends both may mean to have links made to another host.
  const host = facts.header('host');
  if (host !== undefined && host !== facts.host) key += `\nhost:${host}`;
  for (const name of hostHeaders) {
    const value = facts.header(name);
    if (value !== undefined) key += `\n${name}:${name === 'forwarded' ? hostPart(value) : value}`;
  }
  for (const name of keyed) {
    const value = facts.header(name);
    if (value !== undefined) key += `\n${name}:${value}`;
  }
  return key;
}

/** A key with what a response turned out to vary by. */
export function variantKey(base: string, names: readonly string[], facts: RequestFacts): string {
  return names.reduce((key, name) => {
    const value = facts.header(name);
    return value === undefined ? `${key}\n!${name}` : `${key}\n=${name}:${value}`;
  }, base);
}

/** A target with the chosen query parameters alone, each as it was sent, in the order in which they were chosen. */
export function chosenTarget(target: string, chosen: readonly string[]): string {
  const start = target.indexOf('?');
  if (start < 0) return target;
  const end = target.indexOf('#', start);
  const pairs = target.slice(start + 1, end < 0 ? undefined : end).split('&');
  const named = pairs.map((pair) => [nameOf(pair), pair] as const);
  // Stable: parameters of one name keep their order, which servers may go by.
  const kept = chosen.flatMap((name) =>
    named.filter(([each]) => isNamed(each, name)).map(([, pair]) => pair),
  );
  return kept.length === 0 ? target.slice(0, start) : `${target.slice(0, start)}?${kept.join('&')}`;
}

/** Whether a parameter is among the chosen ones. */
export function isChosen(name: string, chosen: readonly string[]): boolean {
  return chosen.some((each) => isNamed(name, each));
}

/** `filter[name]=x` and `filter.name=x` belong to `filter`, as many servers read them. */
function isNamed(name: string, chosen: string): boolean {
  return name === chosen || name.startsWith(`${chosen}[`) || name.startsWith(`${chosen}.`);
}

function nameOf(pair: string): string {
  const name = pair.split('=', 1)[0] as string;
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}

/** What all responses of a path can be invalidated by. */
export function pathTag(host: string, target: string): string {
  return `http:${host.toLowerCase()}${pathOf(target)}`;
}

function hostPart(forwarded: string): string {
  return (forwarded.match(/(?:host|proto)=[^;,]*/gi) ?? []).join(';');
}
