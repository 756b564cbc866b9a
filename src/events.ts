/**
 * What a cache reports: typed events for listeners, and the same on `node:diagnostics_channel`.
 *
 * A listener that fails is a process warning. A diagnostics channel's subscriber is not ours: what it throws Node throws
 * again on the next tick, as an uncaught exception.
 */

import diagnosticsChannel from 'node:diagnostics_channel';
import type { RemovalReason, TierName } from './entry.js';
import { type CacheError, InvalidArgumentError } from './errors.js';
import { callListener } from './listener.js';
import { shown } from './option-checks.js';

/** Where a circuit breaker stands: calls go through, none does, or one does to try the tool again. */
export type CircuitStateName = 'closed' | 'open' | 'half-open';

/** What comes with the events of a call. */
export interface CallEvent {
  /** The tool's name. */
  readonly method: string;
  /** The key, 32 hex digits; `''` for calls without one. */
  readonly key: string;
}

/** Every event and what comes with it. */
export interface CacheEvents {
  /** A fresh value was found. */
  hit: CallEvent & {
    /** Where it was found. */
    readonly tier: TierName;
  };
  /** A stale value was handed out. */
  staleHit: CallEvent & {
    /** Where it was found. */
    readonly tier: TierName;
    /** Why: a refresh in the background, a load that failed or was refused, one that is slow. */
    readonly reason: 'revalidate' | 'error' | 'timeout';
  };
  /** No value was found. */
  miss: CallEvent;
  /** A caller joined a load under way. */
  coalesced: CallEvent;
  /** A loader returned. */
  load: CallEvent & {
    /** What it took, in ms. */
    readonly loadMs: number;
  };
  /** A loader failed. */
  loadError: CallEvent & {
    /** What it threw, or the result that `isError` took for an error. */
    readonly error: unknown;
  };
  /** A load was begun in the background. */
  refresh: CallEvent & {
    /** For a stale value, or ahead of its expiry. */
    readonly reason: 'stale' | 'ahead';
  };
  /** A remembered error was thrown in place of a call of the tool. */
  errorHit: CallEvent & {
    /** The copy that was thrown. */
    readonly error: unknown;
  };
  /** The key surely doesn't exist: the tool was not called. */
  unknownKey: CallEvent;
  /** A caller gave up at `hardTimeout`. */
  hardTimeout: CallEvent & {
    /** The timeout, in ms. */
    readonly ms: number;
  };
  /** A load was refused. */
  rejected: CallEvent & {
    /** The circuit is open, or the queue full. */
    readonly reason: 'circuit' | 'queue';
  };
  /** A circuit breaker changed its state. */
  circuit: {
    /** The tool's name. */
    readonly method: string;
    /** The state it is in now. */
    readonly state: CircuitStateName;
    /** The state it was in. */
    readonly previous: CircuitStateName;
  };
  /** A value was stored. */
  set: CallEvent & {
    /** What it takes in memory. */
    readonly bytes: number;
  };
  /** The caller deleted a key. */
  delete: CallEvent;
  /** The caller cleared a method, or everything. */
  clear: {
    /** The tool's name; `undefined`: all of them. */
    readonly method: string | undefined;
  };
  /** The caller invalidated tags. */
  invalidateTags: {
    /** Those that were given. */
    readonly tags: readonly string[];
  };
  /** An entry left the memory tier. */
  remove: CallEvent & {
    /** Why it left. */
    readonly reason: RemovalReason;
  };
  /** A wrapped call ran its tool without the cache. */
  uncached: {
    /** The tool's name. */
    readonly method: string;
    /** Why, in a few words: `unstorable value`, `further instance`, `closed`, … */
    readonly reason: string;
    /** The error behind it, if there is one. */
    readonly cause?: unknown;
  };
  /** The cache itself failed. The tool call went on. */
  error: {
    /** What failed. */
    readonly error: CacheError;
    /** The tool whose call it was, if it was one. */
    readonly method?: string;
    /** The key of that call. */
    readonly key?: string;
  };
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

  isHeard(name: CacheEventName): boolean {
    return this.#listeners[name] !== undefined || channels[name].hasSubscribers;
  }

  /** `isHeard('hit')`, which is asked at each of them: a name that is known beforehand is looked up quicker. */
  get isHitHeard(): boolean {
    return this.#listeners.hit !== undefined || channels.hit.hasSubscribers;
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
    for (const listener of this.#of(name)) callListener(`A listener of \`${name}\``, listener, event);
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

/** @throws InvalidArgumentError for what is no event, or a listener that is no function */
export function checkedEvent<N extends CacheEventName>(event: N, listener: unknown): N {
  if (eventNames.includes(event)) {
    if (typeof listener === 'function') return event;
    throw new InvalidArgumentError(
      `Expected the listener of \`${event}\` to be a function, got ${shown(listener)}`,
    );
  }
  throw new InvalidArgumentError(
    `Unknown event \`${String(event)}\`. Known: ${eventNames.map((name) => `\`${name}\``).join(', ')}`,
  );
}
