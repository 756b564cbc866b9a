/** The `redis` package, loaded when it is first needed, and what is used of its clients. */

import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { CacheError } from '../errors.js';

/** What a command is made of. */
export type RedisArgument = string | Buffer;

/** What is used of a client of the `redis` package. */
export interface RedisClient {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  destroy(): void;
  unref(): void;
  on(event: string, listener: (detail: never) => void): unknown;
  sendCommand(
    args: readonly RedisArgument[],
    options?: { readonly typeMapping: Readonly<Record<number, unknown>> },
  ): Promise<unknown>;
  subscribe(
    names: string | readonly string[],
    listener: (message: Buffer, channel: Buffer) => void,
    isBuffers: true,
  ): Promise<unknown>;
  unsubscribe(name: string): Promise<unknown>;
  /** Another of its class, which is not connected yet. */
  duplicate(options: RedisClientOptions): RedisClient;
}

/** Options of such a client, as users give them. */
export type RedisClientOptions = Readonly<Record<string, unknown>>;

interface RedisLibrary {
  createClient(options: RedisClientOptions): RedisClient;
}

let model: Promise<RedisClient> | undefined;

/**
 * The client that all are made after, never connected itself. For options that differ from the last ones `createClient`
 * makes a class with a function for each command, which stops the process for 60 ms or more; a duplicate shares its model's.
 *
 * @throws CacheError where the package is not installed
 */
function loadModel(): Promise<RedisClient> {
  model ??= import('redis').then(
    (module) => {
      const { createClient } = ((module as { default?: unknown }).default ?? module) as RedisLibrary;
      return createClient({ maintNotifications: 'disabled' });
    },
    (cause: unknown) => {
      model = undefined;
      throw new CacheError(
        'ERR_STORAGE',
        'Expected the package `redis` (6 or later) for `toolstash/redis`: run `npm install redis`',
        { cause },
      );
    },
  );
  return model;
}

/** The type of replies that may be any bytes: `$` in RESP. */
export const asBuffers = { typeMapping: { 36: Buffer } } as const;

/** A client that is being connected, and how many bytes have come to it, where that can be told. */
export interface Connection {
  readonly client: RedisClient;
  readonly connected: Promise<unknown>;
  bytesRead(): number | undefined;
}

/**
 * Connects a client that never connects again by itself, queues nothing, and keeps no process alive.
 *
 * @param onEnd hears once that it is of no use any more
 */
export async function connectClient(
  options: RedisClientOptions,
  onEnd: (error: unknown) => void,
): Promise<Connection> {
  const another = await loadModel();
  const { socket } = options as { socket?: object };
  const client = another.duplicate({
    ...options,
    // Its defaults would reconnect with timers that keep the process, and hold commands back meanwhile.
    socket: { ...socket, reconnectStrategy: false, socketTimeout: undefined },
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    pingInterval: undefined,
    // A given client's bounds and ways of reading are not ours.
    commandsQueueMaxLength: undefined,
    clientSideCache: undefined,
    // Its own deadline of 5 s costs a signal and a timer for each command; who asks here has one.
    commandOptions: { timeout: undefined },
    keyPrefix: undefined,
  });
  client.on('error', onEnd);
  client.on('end', () => onEnd(new Error('The connection has ended')));
  client.unref();
  let raw: Socket | undefined;
  const sockets = channel('net.client.socket');
  const note = (message: unknown) => {
    raw = (message as { socket?: Socket }).socket;
  };
  // A socket is made before `connect` returns.
  sockets.subscribe(note);
  const connected = client.connect();
  sockets.unsubscribe(note);
  connected.catch(() => undefined);
  return { client, connected, bytesRead: () => raw?.bytesRead };
}

/** Ends a client, whatever has become of it. */
export function destroyClient(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // It says so where it was closed already.
  }
}
