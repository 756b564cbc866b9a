/** Who may ask: browsers that were sent to this very place, with the token. */

import type { IncomingMessage } from 'node:http';
import { nodeCrypto } from '../node-crypto.js';

/** What a request may be answered with. */
export interface AccessRules {
  /** Names besides those of this machine, without ports. */
  readonly hosts: readonly string[];
  readonly token: string;
}

/** The names by which a machine reaches itself. */
const loopback = ['localhost', '127.0.0.1', '[::1]'];

/** The header that carries the token: a page elsewhere can't send it without being asked about first. */
export const tokenHeader = 'x-toolstash-token';

/**
 * Why a request is refused; `undefined` where it may be answered. A name that is not expected is one that points here
 * by deceit (DNS rebinding), an origin that is not this place a page of somebody else's.
 */
export function refusalOf({ headers }: IncomingMessage, { hosts }: AccessRules): string | undefined {
  const { host = '', origin } = headers;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (![...loopback, ...hosts].includes(name)) return 'This host name is not expected here: see `hosts`';
  if (origin !== undefined && !isSame(origin, host)) return 'Requests of other origins are refused';
  // Told by browsers, not by other programs; a link from elsewhere may lead to the page itself.
  const site = headers['sec-fetch-site'];
  const isNavigation = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation)
    return 'Requests of other sites are refused';
  return undefined;
}

/** Whether the request carries the token. */
export function hasToken({ headers }: IncomingMessage, { token }: AccessRules): boolean {
  const given = headers[tokenHeader];
  if (typeof given !== 'string') return false;
  const { createHash, timingSafeEqual } = nodeCrypto();
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** Hosts behind a proxy that speaks TLS are the same place too. */
function isSame(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}
