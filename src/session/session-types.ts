/** What sessions carry, by type, and what is told about them. */

import type { CacheError } from '../errors.js';

/**
 * What is typed by the user: `new SessionRegistry<{ state: Chat; messages: { hint: string }; requests: { … } }>()`. What is
 * left out may be anything.
 */
export interface SessionTypes {
  /** What `setState` takes. */
  readonly state?: unknown;
  /** The payload of each topic. */
  readonly messages?: object;
  /** The request and the reply of each topic: `{ status: { request: string; reply: number } }`. */
  readonly requests?: object;
}

/** The state of a session. */
export type SessionState<T extends SessionTypes> = T extends { readonly state: infer S } ? S : unknown;

/** The payloads of messages, by topic. */
export type SessionTopics<T extends SessionTypes> = T extends { readonly messages: infer M extends object }
  ? M
  : Record<string, unknown>;

/** The requests and replies, by topic. */
export type SessionRequests<T extends SessionTypes> = T extends { readonly requests: infer R extends object }
  ? R
  : Record<string, { request: unknown; reply: unknown }>;

/** Who holds a session. */
export interface SessionOwner {
  /** The session. */
  readonly id: string;
  /** The name of the node: its `node` option. */
  readonly node: string;
  /** The node's stay among the living; `request` takes it as `to`. */
  readonly incarnation: string;
  /** The fencing number of its lease. */
  readonly fence: number;
  /** Whose session it is, where that was said. */
  readonly user: string | undefined;
  /** Since when, in epoch ms by the server's clock. */
  readonly since: number;
  /** Whether the node is alive; one that is not has lost the session, which anybody may claim. */
  readonly isAlive: boolean;
}

/** A connection that is registered under a session. */
export interface SessionConnection {
  /** Its id within the session. */
  readonly id: string;
  /** The name of the node that it is on. */
  readonly node: string;
  /** That node's stay among the living. */
  readonly incarnation: string;
  /** Since when, in epoch ms by the server's clock. */
  readonly since: number;
}

/** A node that is alive. */
export interface SessionNode {
  /** Its name: its `node` option. */
  readonly node: string;
  /** Its stay among the living. */
  readonly incarnation: string;
}

/** A session whose holder is dead. */
export interface OrphanedSession {
  /** The session. */
  readonly id: string;
  /** Whose it is, where that was said. */
  readonly user: string | undefined;
  /** The incarnation that held it. */
  readonly from: string;
  /** The name of the node that has it now; `undefined` where nobody has taken it over: anybody may claim it. */
  readonly takenBy: string | undefined;
}

/** The end of a node's stay among the living. */
export interface LapsedNode {
  /** The stay that is over. */
  readonly incarnation: string;
  /** Why: an error with the code `ERR_SESSION_LOST`, or `ERR_CACHE_CLOSED` once it was closed. */
  readonly cause: CacheError;
}

/** What registries tell, by event. */
export interface SessionEvents {
  /** A session's holder is dead. Every node hears of it, whoever takes it over. */
  readonly orphaned: OrphanedSession;
  /** This node is among the living, under a new incarnation. */
  readonly joined: SessionNode;
  /** This node is not any more: all its leases are lost. It joins again by itself. */
  readonly lapsed: LapsedNode;
  /** Something failed in the background. An outage of Redis is told once. */
  readonly error: CacheError;
}

/** Hands events to their listeners. */
export class SessionEventHub {
  readonly #listeners: { [N in keyof SessionEvents]: Set<(event: SessionEvents[N]) => unknown> } = {
    orphaned: new Set(),
    joined: new Set(),
    lapsed: new Set(),
    error: new Set(),
  };

  knows(name: string): name is keyof SessionEvents {
    return Object.hasOwn(this.#listeners, name);
  }

  on<N extends keyof SessionEvents>(name: N, listener: (event: SessionEvents[N]) => unknown): () => void {
    this.#listeners[name].add(listener);
    return () => void this.#listeners[name].delete(listener);
  }

  emit<N extends keyof SessionEvents>(name: N, event: SessionEvents[N]): void {
    for (const listener of [...this.#listeners[name]]) {
      try {
        const returned: unknown = listener(event);
        if (returned instanceof Promise) returned.catch((error: unknown) => warn(name, error));
      } catch (error) {
        warn(name, error);
      }
    }
  }
}

function warn(name: string, error: unknown): void {
  process.emitWarning(`A listener of \`${name}\` failed: ${String(error)}`, { type: 'ToolstashWarning' });
}
