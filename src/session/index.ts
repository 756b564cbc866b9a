/** Who holds which session, among many nodes. */

export { ConnectionLease } from './session-connections.js';
export { RequestError, SessionLimitError, SessionLostError } from './session-errors.js';
export { type ReleaseOptions, SessionLease } from './session-lease.js';
export type { SessionFilter } from './session-listing.js';
export { type MessageSource, type RequestOptions, SessionMessages } from './session-messages.js';
export type { SessionOptions } from './session-options.js';
export { type ClaimOptions, type ConnectOptions, SessionRegistry } from './session-registry.js';
export type {
  LapsedNode,
  OrphanedSession,
  SessionConnection,
  SessionEvents,
  SessionNode,
  SessionOwner,
  SessionRequests,
  SessionState,
  SessionTopics,
  SessionTypes,
} from './session-types.js';
