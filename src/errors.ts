/** The errors Toolstash throws: one class tree, distinguished by `code`. */

import { types } from 'node:util';

/** Stable names of what went wrong. ESM and CJS builds have separate classes, so compare codes, not classes. */
export type CacheErrorCode =
  | 'ERR_INVALID_OPTION'
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_UNHASHABLE_PARAMS'
  | 'ERR_UNSTORABLE_VALUE'
  | 'ERR_UNREADABLE_VALUE'
  | 'ERR_REENTRANT_LOAD'
  | 'ERR_LOADER_TIMEOUT'
  | 'ERR_QUEUE_FULL'
  | 'ERR_CIRCUIT_OPEN'
  | 'ERR_CACHE_CLOSED'
  | 'ERR_DIRECTORY_TAKEN'
  | 'ERR_NOT_RECORDED'
  | 'ERR_ROLLOUT_DIVERGED'
  | 'ERR_PARTITION_DAMAGED'
  | 'ERR_STORAGE'
  | 'ERR_SESSION_LOST'
  | 'ERR_SESSION_LIMIT'
  | 'ERR_REQUEST_FAILED';

/**
 * Whether a value is an error, of whichever realm. `instanceof` alone knows none of Node's own errors where this module
 * runs in a `node:vm` context, as under Jest, and `isNativeError` no DOMException on Node 20.
 */
export function isError(value: unknown): value is Error {
  return (
    types.isNativeError(value) ||
    value instanceof Error ||
    Object.prototype.toString.call(value) === '[object DOMException]'
  );
}

/** What to say of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  if (isError(thrown)) return thrown.message;
  try {
    return String(thrown);
  } catch {
    // As of `Object.create(null)`.
    return 'something that has no text';
  }
}

/** Any error that Toolstash itself raises. `code` is stable; `cause` keeps what lies beneath. */
export class CacheError extends Error {
  /** What went wrong. Tell errors apart by it. */
  readonly code: CacheErrorCode;

  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A wrong option, thrown by constructors and factories before anything starts. */
export class InvalidOptionError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_INVALID_OPTION', message, options);
    this.name = 'InvalidOptionError';
  }
}

/** A wrong argument of one call: a method name that is no string, a malformed duration, … */
export class InvalidArgumentError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_INVALID_ARGUMENT', message, options);
    this.name = 'InvalidArgumentError';
  }
}

/** Params that can't have a key of their own: functions, symbols, cycles, class instances. */
export class UnhashableParamsError extends CacheError {
  /** Where in the params, e.g. `params.filter[2].callback`. */
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super('ERR_UNHASHABLE_PARAMS', message, options);
    this.name = 'UnhashableParamsError';
    this.path = path;
  }
}

/** A value that can't be stored and come back equal: functions, symbols, class instances without a codec. */
export class UnstorableValueError extends CacheError {
  /** Where in the value, e.g. `value.rows[0].close`. */
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super('ERR_UNSTORABLE_VALUE', message, options);
    this.name = 'UnstorableValueError';
    this.path = path;
  }
}

/** A loader waited for its own load, directly or through other loads: it would have waited for ever. */
export class ReentrantLoadError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_REENTRANT_LOAD', message, options);
    this.name = 'ReentrantLoadError';
  }
}

/** A loader took longer than `hardTimeout`. */
export class LoaderTimeoutError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_LOADER_TIMEOUT', message, options);
    this.name = 'LoaderTimeoutError';
  }
}

/** A method's `concurrency` is used up and its queue is full: the loader was not called. */
export class QueueFullError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_QUEUE_FULL', message, options);
    this.name = 'QueueFullError';
  }
}

/** The circuit breaker is open, since the tool failed too often of late: it was not called. */
export class CircuitOpenError extends CacheError {
  /** When the next call will be let through, in ms from now; 0 while a probe is under way. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, message: string, options?: ErrorOptions) {
    super('ERR_CIRCUIT_OPEN', message, options);
    this.name = 'CircuitOpenError';
    this.retryAfterMs = retryAfterMs;
  }
}

/** The cache was used after `close()`. */
export class CacheClosedError extends CacheError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CACHE_CLOSED', message, options);
    this.name = 'CacheClosedError';
  }
}
