/** What the cache of responses asks of a server: one client, and the route that would answer it. */

import type { RequestFacts } from './request-key.js';
import type { Refusal, ResponseHead, Storage } from './storable.js';
import type { StoredResponse } from './stored-response.js';

/** What became of a route's response. */
export type Captured =
  /** It may be given to others. */
  | { readonly stored: StoredResponse; readonly tags: readonly string[] }
  /** It is its client's alone, for now or (`isLasting`) as far as can be told. */
  | { readonly why: 'unshared'; readonly isLasting: boolean }
  /** It was an error. */
  | { readonly why: 'error' }
  /** Its client has gone away, or it ended before its end. */
  | { readonly why: 'aborted' }
  /** It could not be made a value for the cache. */
  | { readonly why: 'failed'; readonly error: unknown };

/** How a response is captured on its way to its client. */
export interface Capture {
  readonly maxBodyBytes: number;
  /** Whether it may be stored, by its head. */
  decide(head: ResponseHead): Storage | Refusal;
  /** What others can have. Never throws. */
  complete(head: ResponseHead, storage: Storage, body: Uint8Array): Captured;
  /** What the client gets in place of an error. */
  readonly fallback: StoredResponse | undefined;
  /** What the client is told of keeping a response that is stored. */
  readonly downstream: string | undefined;
  /** The value of `Cache-Status` for a response that comes from its route. */
  readonly status: string | undefined;
}

/** One client and its route. */
export interface Exchange {
  readonly facts: RequestFacts;
  /** Runs the route as if there were no cache. */
  pass(): Promise<void>;
  /** Runs the route for its client. Rejects with what the route throws. */
  lead(capture: Capture): Promise<Captured>;
  /** Runs the route for nobody, where that can be done. */
  readonly renew: ((capture: Capture) => Promise<Captured>) | undefined;
  /** Answers the client with what is stored. */
  send(stored: StoredResponse, isStale: boolean): void;
  /** Answers the client that wants no more than what is stored: 504. */
  refuse(): void;
}

/** Whether a status tells of a failure of the server, which `stale-if-error` covers. */
export function isServerError(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504;
}
