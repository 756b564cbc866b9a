/** A session with a server as the config has it. */

import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { CacheManager } from '../index.js';
import type { CacheClientOptions } from '../mcp/client-options.js';
import type { Tracking } from './cached-server.js';
import type { ResolvedConfig, ResolvedServer } from './config.js';
import type { Whose } from './http-front.js';
import { HttpServerLink } from './http-server-link.js';
import { jsonText } from './json-text.js';
import { RestartingServer } from './restarting-server.js';
import type { OpenLink, ToClient } from './server-link.js';
import { Session } from './session.js';
import { type ClientSession, SessionGroup } from './session-group.js';
import { SessionWorlds, type Worlds } from './session-worlds.js';

/** What all sessions of a proxy have in common. */
export interface Shared {
  readonly cache: CacheManager;
  readonly worlds: Worlds;
}

/** Begins one with all servers: several have their names as prefixes, and one state of the world. */
export function openSessions(
  { servers, rollouts }: Pick<ResolvedConfig, 'servers' | 'rollouts'>,
  { cache, worlds }: Shared,
  toClient: ToClient,
  whose: Whose = { headers: {}, isShared: false },
): ClientSession {
  const own = rollouts && new SessionWorlds(worlds, rollouts.ownWorlds);
  const open = (server: ResolvedServer, to: ToClient) => {
    const { name, effects } = server;
    const tracking = rollouts && own && effects && { server: name, effects, rollouts, worlds: own };
    return openSession(server, cache, to, whose, tracking);
  };
  const [only] = servers;
  if (only !== undefined && servers.length === 1) return open(only, toClient);
  const byName = new Map(servers.map((server) => [server.name, server]));
  return new SessionGroup([...byName.keys()], toClient, (name, to) =>
    open(byName.get(name) as ResolvedServer, to),
  );
}

/** Begins it, for who asks with these headers. What the server says by itself goes to `toClient`. */
function openSession(
  server: ResolvedServer,
  cache: CacheManager,
  toClient: ToClient,
  { headers, isShared }: Whose,
  tracking: Tracking | undefined,
): Session {
  const { name, place, rules, forwardHeaders } = server;
  const open: OpenLink = (listener) => {
    if ('command' in place) return new RestartingServer(name, place, listener);
    const forwarded = forwardHeaders.flatMap((each) => {
      const value = headers[each];
      return value === undefined ? [] : [[each, String(value)] as const];
    });
    const all = { ...place.headers, ...Object.fromEntries(forwarded) };
    return new HttpServerLink(name, { ...place, headers: all }, listener);
  };
  const options = optionsOf(server, headers);
  // Nobody has said that its clients may see each other's answers.
  const isCached = !isShared || options.server !== undefined;
  return new Session({ ...{ cache, options, toClient, open, tracking }, rules: isCached ? rules : {} });
}

/** For whom a server answers who is asked with these headers. What they say may be secret: of it a digest is kept. */
export function principalIn(
  { principal, principalHeaders }: ResolvedServer,
  headers: IncomingHttpHeaders,
): string | null {
  if (principalHeaders.length === 0) return principal;
  const values = principalHeaders.map((name) => [name, headers[name] ?? null]);
  return createHash('sha256')
    .update(jsonText([principal, values]))
    .digest('hex');
}

function optionsOf(server: ResolvedServer, headers: IncomingHttpHeaders): CacheClientOptions {
  const { identity, principalHeaders } = server;
  if (identity === undefined) return {};
  // Who says nothing is nobody in particular, and shares with nobody.
  const isUnknown =
    principalHeaders.length > 0 && principalHeaders.every((name) => headers[name] === undefined);
  return isUnknown ? {} : { server: identity, principal: principalIn(server, headers) };
}
