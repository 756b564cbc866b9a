/**
 * What a cache tells about: typed events for listeners, and the same on `node:diagnostics_channel`.
 *
 * A listener that fails is a process warning. A diagnostics channel's subscriber is not ours: what it throws Node throws
 * again on the next tick, as an uncaught exception.
 */

import diagnosticsChannel from 'node:diagnostics_channel';
import { inspect, types } from 'node:util';
import type { RemovalReason, TierName } from './entry.js';
import type { CacheError } from './errors.js';

/** Where a circuit breaker stands: calls go through, none does, or one does to try the tool again. */
export type CircuitStateName = 'closed' | 'open' | 'half-open';

/** Every event and what comes with it. Keys are 32 hex digits, `''` for calls without a key; times milliseconds. */
export interface CacheEvents {
  /** A fresh value was found. */
  hit: { readonly method: string; readonly key: string; readonly tier: TierName };
  /** A stale value was handed out. */
  staleHit: {
    readonly method: string;
    readonly key: string;
    readonly tier: TierName;
    /** What stands behind it: a renewal in the background, a load that failed or was refused, one that is slow. */
    readonly reason: 'revalidate' | 'error' | 'timeout';
  };
  /** No value was found. */
  miss: { readonly method: string; readonly key: string };
  /** A caller joined a load under way. */
  coalesced: { readonly method: string; readonly key: string };
  /** A loader returned. */
  load: { readonly method: string; readonly key: string; readonly loadMs: number };
  /** A loader failed; the error is what it threw, or a result that `isError` took for one. */
  loadError: { readonly method: string; readonly key: string; readonly error: unknown };
  /** A load was begun in the background, for a stale value or ahead of its expiry. */
  refresh: { readonly method: string; readonly key: string; readonly reason: 'stale' | 'ahead' };
  /** A remembered error was thrown in place of a call of the tool. */
  errorHit: { readonly method: string; readonly key: string; readonly error: unknown };
  /** The key surely doesn't exist: the tool was not called. */
  unknownKey: { readonly method: string; readonly key: string };
  /** A caller gave up at `hardTimeout`. */
  hardTimeout: { readonly method: string; readonly key: string; readonly ms: number };
  /** A load was refused: the circuit is open, or the queue full. */
  rejected: { readonly method: string; readonly key: string; readonly reason: 'circuit' | 'queue' };
  /** A circuit breaker changed its state. */
  circuit: {
    readonly method: string;
    readonly state: CircuitStateName;
    readonly previous: CircuitStateName;
  };
  /** A value was stored. */
  set: { readonly method: string; readonly key: string; readonly bytes: number };
  /** The caller deleted a key. */
  delete: { readonly method: string; readonly key: string };
  /** The caller cleared a method, or everything when it is undefined. */
  clear: { readonly method: string | undefined };
  /** The caller invalidated tags. */
  invalidateTags: { readonly tags: readonly string[] };
  /** An entry left the memory tier, for any reason. */
  remove: { readonly method: string; readonly key: string; readonly reason: RemovalReason };
  /** A wrapped call ran its tool without the cache: params that can't be hashed, a value that can't be stored, … */
  uncached: { readonly method: string; readonly reason: string; readonly cause?: unknown };
  /** The cache itself failed. The tool call went on. */
  error: { readonly error: CacheError; readonly method?: string; readonly key?: string };
}

/** The name of an event. */
export type CacheEventName = keyof CacheEvents;

/**
 * Called with what comes with the event, and not waited for. What it throws, or rejects with, is reported as a process
 * warning, never to a tool call.
 */
export type CacheListener<N extends CacheEventName> = (event: CacheEvents[N]) => void;

const eventNames: readonly CacheEventName[] = [
  'hit',
  'staleHit',
  'miss',
  'coalesced',
  'load',
  'loadError',
  'refresh',
  'errorHit',
  'unknownKey',
  'hardTimeout',
  'rejected',
  'circuit',
  'set',
  'delete',
  'clear',
  'invalidateTags',
  'remove',
  'uncached',
  'error',
];

const channels = Object.fromEntries(
  eventNames.map((name) => [name, diagnosticsChannel.channel(`toolstash:${name}`)]),
) as Record<CacheEventName, diagnosticsChannel.Channel>;

type Listeners = { [N in CacheEventName]?: CacheListener<N>[] };

/** Hands events to their listeners. Ask `isHeard` before building an event: mostly nobody listens. */
export class EventHub {
  readonly #listeners: Listeners = {};

  static readonly names = eventNames;

  static isEventName(name: string): name is CacheEventName {
    return (eventNames as readonly string[]).includes(name);
  }

  isHeard(name: CacheEventName): boolean {
    return this.#listeners[name] !== undefined || channels[name].hasSubscribers;
  }

  on<N extends CacheEventName>(name: N, listener: CacheListener<N>): void {
    const listeners = this.#of(name);
    this.#set(name, [...listeners, listener]);
  }

  once<N extends CacheEventName>(name: N, listener: CacheListener<N>): void {
    const wrapped: CacheListener<N> = (event) => {
      this.off(name, wrapped);
      return listener(event);
    };
    originals.set(wrapped, listener);
    this.on(name, wrapped);
  }

  off<N extends CacheEventName>(name: N, listener: CacheListener<N>): void {
    const listeners = this.#of(name);
    const at = listeners.findLastIndex((each) => each === listener || originals.get(each) === listener);
    if (at >= 0) this.#set(name, listeners.toSpliced(at, 1));
  }

  emit<N extends CacheEventName>(name: N, event: CacheEvents[N]): void {
    for (const listener of this.#of(name)) {
      try {
        const returned: unknown = listener(event);
        if (types.isPromise(returned)) returned.then(undefined, (error: unknown) => warn(name, error));
      } catch (error) {
        warn(name, error);
      }
    }
    if (channels[name].hasSubscribers) channels[name].publish(event);
  }

  #of<N extends CacheEventName>(name: N): readonly CacheListener<N>[] {
    return (this.#listeners[name] as CacheListener<N>[] | undefined) ?? [];
  }

  #set<N extends CacheEventName>(name: N, listeners: CacheListener<N>[]): void {
    if (listeners.length === 0) delete this.#listeners[name];
    else (this.#listeners as Record<CacheEventName, unknown>)[name] = listeners;
  }
}

/** Which listener a `once` wrapper stands for. */
const originals = new WeakMap<object, object>();

function warn(name: string, error: unknown): void {
  // Anything may be thrown, also what can't become a string.
  const detail = inspect(error, { customInspect: false });
  process.emitWarning(`A listener of \`${name}\` failed: ${detail}`, { type: 'ToolstashWarning' });
}
