/** A session with a server as the config has it. */

import type { CacheManager } from '../index.js';
import type { ResolvedServer } from './config.js';
import { RestartingServer } from './restarting-server.js';
import type { ToClient } from './server-link.js';
import { Session } from './session.js';

/** Starts it. What the server says by itself goes to `toClient`. */
export function openSession(
  { name, program, rules, options }: ResolvedServer,
  cache: CacheManager,
  toClient: ToClient,
): Session {
  return new Session({
    ...{ cache, rules, options, toClient },
    open: (listener) => new RestartingServer(name, program, listener),
  });
}
