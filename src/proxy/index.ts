/** A proxy in front of an MCP server that answers calls of the tools that its operator lists from a cache. */

import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheManager } from '../index.js';
import { prometheusPage } from '../metrics/prometheus.js';
import { redis } from '../redis/index.js';
import type { ResolvedConfig } from './config.js';
import { HttpFront } from './http-front.js';
import { readLines } from './lines.js';
import type { ResolvedListen } from './listen-config.js';
import { openSessions, principalIn } from './open-session.js';
import { rolloutOfRequest } from './rollout-names.js';
import type { ToClient } from './server-link.js';
import { Worlds } from './session-worlds.js';

export { type CheckedServer, checkServers } from './check.js';
export { killServers } from './child-server.js';
export { type ProxyConfig, type ResolvedConfig, readConfig, resolveConfig } from './config.js';
export { startTable } from './live-table.js';

/** How long a proxy that is to end waits for calls under way, in ms. */
const drainTimeout = 10_000;

/** The cache of a proxy. @throws InvalidOptionError, or what keeps it from opening */
export function openCache({ cache, redis: where }: ResolvedConfig): Promise<CacheManager> {
  return CacheManager.open({ ...cache, ...(where !== undefined && { remote: redis(where) }) });
}

/** A client on a pair of streams, one JSON-RPC message a line. */
export interface StdioFront {
  readonly input: Readable;
  readonly output: NodeJS.WritableStream & { readonly writableNeedDrain?: boolean };
  /** Aborted when the proxy is to end. */
  readonly signal: AbortSignal;
}

/** Relays between one client and a server, until the client leaves or the signal says so. */
export async function serveStdio(
  config: ResolvedConfig,
  cache: CacheManager,
  { input, output, signal }: StdioFront,
): Promise<void> {
  let isFull = false;
  let isEnding = false;
  const resume = () => {
    if (!isFull && !isEnding) input.resume();
  };
  const send: ToClient = (text) => {
    if (text !== '') output.write(`${text}\n`);
    if (output.writableNeedDrain !== true || isFull) return;
    isFull = true;
    session.hold(true);
    // Who doesn't read answers gets no more of them.
    input.pause();
    output.once('drain', () => {
      isFull = false;
      session.hold(false);
      resume();
    });
  };
  const session = openSessions(config, { cache, worlds: new Worlds() }, send);
  await new Promise<void>((resolve) => {
    readLines(input, {
      onLine: (line) => {
        session.receive(line);
        const room = session.room();
        if (room === undefined || input.isPaused()) return;
        input.pause();
        void room.then(resume);
      },
      onEnd: () => resolve(),
    });
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
  isEnding = true;
  input.pause();
  await Promise.race([session.idle(), sleep(drainTimeout, undefined, { ref: false })]);
  await session.close();
}

/** Relays between clients over HTTP and a server, until the signal says so. `onListening` is told where. */
export async function serveHttp(
  config: ResolvedConfig,
  cache: CacheManager,
  { signal, onListening }: { readonly signal: AbortSignal; onListening(url: string): void },
): Promise<void> {
  const { servers, rollouts } = config;
  const shared = { cache, worlds: new Worlds() };
  let metrics: ReturnType<typeof prometheusPage> | undefined;
  const front = new HttpFront({
    listen: config.listen as ResolvedListen,
    open: (whose, toClient) => openSessions(config, shared, toClient, whose),
    rolloutOf: rollouts && ((headers, path) => rolloutOfRequest(rollouts, headers, path)),
    stats: () => ({
      all: cache.stats(),
      tools: Object.fromEntries(cache.methods().map((name) => [name, cache.stats(name)])),
    }),
    // Loaded once somebody asks.
    metrics: async () => {
      metrics ??= prometheusPage(cache);
      return (await metrics)();
    },
    principalOf: (headers) => servers.map((server) => principalIn(server, headers) ?? '').join(),
  });
  onListening(await front.start());
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  await front.close(drainTimeout);
}
