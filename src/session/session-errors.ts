/** What sessions fail with. */

import { CacheError, messageOf } from '../errors.js';

/** The session is held no longer: its lease has lapsed, was released, or somebody else has claimed it. */
export class SessionLostError extends CacheError {
  /** Which session. */
  readonly sessionId: string;

  constructor(sessionId: string, message: string, options?: ErrorOptions) {
    super('ERR_SESSION_LOST', message, options);
    this.sessionId = sessionId;
  }
}

/** A user has as many sessions, or a session as many connections, as there may be. */
export class SessionLimitError extends CacheError {
  /** How many there may be. */
  readonly limit: number;

  constructor(limit: number, message: string, options?: ErrorOptions) {
    super('ERR_SESSION_LIMIT', message, options);
    this.limit = limit;
  }
}

/** A request that nobody answered, or that failed where it was answered. */
export class RequestError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_REQUEST_FAILED', message, options);
  }
}

/** What was thrown, as an error of ours. */
export function asCacheError(thrown: unknown, message: string): CacheError {
  if (thrown instanceof CacheError) return thrown;
  return new CacheError('ERR_STORAGE', `${message}: ${messageOf(thrown)}`, { cause: thrown });
}
