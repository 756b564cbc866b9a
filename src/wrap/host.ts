/** What wrapped functions need of a cache. An interface, so that nothing here depends on the manager. */

import type { CacheError } from '../errors.js';
import type { AbortSource } from '../guard/shared-abort.js';
import type { CopyingCall, KnownArguments } from '../key/argument-index.js';
import type { LoadOptions, MethodOptions } from '../options.js';

/** A cache, as seen from the functions it wraps. */
export interface WrapHost {
  /** Whether entries are still there when the process has ended: names then have to outlast a build. */
  readonly outlivesProcess: boolean;
  /**
   * A method, with options laid over those that the cache has for it. The statistics are the method's own.
   * @param isError whether a result is an error, besides those that the cache's own `isError` tells
   * @throws InvalidArgumentError for a malformed name, InvalidOptionError for a malformed option
   */
  method(name: string, options: MethodOptions, isError?: (value: unknown) => boolean): WrapTarget;
  /** Forgets all results of a method. */
  clear(name: string): void;
  /** Counts and emits a failure that belongs to no method. */
  failed(error: CacheError): void;
  /** Whether calls that go past the cache are to be told of by `past`. */
  readonly isRecorded: boolean;
  /** A tool is about to run without the cache. @throws CacheError `ERR_NOT_RECORDED` where it must not */
  past(name: string, reason: string): void;
}

/** One method of a cache, with a wrapped function's own options. */
export interface WrapTarget {
  /** Whether a call of the method was ever answered without a load of its own. */
  readonly wasAnswered: boolean;
  /** Whether parts of the params are left out of the key. */
  readonly ignoresParams: boolean;
  /** @throws UnhashableParamsError */
  key(params: unknown, scope: string | undefined): string;
  /** Params and their key where they are plain data, which signals are not, while the cache is open. Never throws. */
  known(params: unknown, scope: string | undefined, call?: CopyingCall): KnownArguments | undefined;
  getOrSet<T>(params: unknown, call: ToolCall<T>): Promise<T>;
  /**
   * `getOrSet` of a call whose key is known: the value itself where memory has it, else a promise. Its tool call is made
   * where it is needed.
   */
  answer(known: KnownCall): unknown;
  /** From memory alone; what it loads is stored in every tier. */
  getOrSetSync<T>(params: unknown, call: SyncToolCall<T>): T;
  answerSync(known: KnownCall): unknown;
  refresh<T>(params: unknown, call: ToolCall<T>): Promise<T>;
  refreshSync<T>(params: unknown, call: SyncToolCall<T>): T;
  /** Runs the tool without the cache, counted and emitted. The guards that protect the tool still do. */
  bypass<T>(call: ToolCall<T>, uncached: WhyUncached): Promise<T>;
  bypassSync<T>(call: SyncToolCall<T>, uncached: WhyUncached): T;
  /** Tells whether memory had it. @throws UnhashableParamsError, CacheClosedError */
  delete(params: unknown, scope: string | undefined): boolean;
  /** Counts and emits that a call runs its tool without the cache. */
  uncached(reason: string, cause?: unknown): void;
  /** Counts and emits a failure of the cache. */
  failed(error: CacheError): void;
}

/** A call and its key. */
export interface KnownCall {
  readonly key: string;
  /** Whose value memory finds quicker once it has found it. */
  readonly known: KnownArguments | undefined;
  readonly params: unknown;
  readonly scope?: string | undefined;
  /** Ends this caller's wait. It is not aborted yet. */
  readonly signal: AbortSource | undefined;
  /** How its tool is called, the same at each asking: for where memory has no answer. */
  toolCall(): ToolCall<unknown> & SyncToolCall<unknown>;
}

/** Why a call runs its tool without the cache. */
export interface WhyUncached {
  readonly reason: string;
  readonly cause?: unknown;
}

/** What a tool call is told by its load. */
export interface ToolContext extends SyncToolContext {
  /** Aborted once nobody waits for this load any more. */
  readonly signal: AbortSignal;
}

/** What a tool call that returns at once can tell its load. */
export interface SyncToolContext {
  /** This result is its caller's alone: neither stored nor shared with those who joined. */
  withhold(): void;
}

/** One call of a wrapped function: its own options, and how to run the tool when the cache has no answer. */
export interface ToolCall<T> extends Pick<LoadOptions, 'scope'> {
  /** Ends this caller's wait. */
  readonly signal?: AbortSource | undefined;
  /** A load under this key is about to start for this call. The tool itself may run later. Never throws. */
  prepare(key: string): void;
  run(context: ToolContext): T | PromiseLike<T>;
}

/** `ToolCall` for functions that return at once. */
export interface SyncToolCall<T> extends Pick<LoadOptions, 'scope'> {
  /** Once it is aborted, the call is refused. */
  readonly signal?: AbortSource | undefined;
  /** The tool is about to be called for this key. Never throws. */
  prepare(key: string): void;
  runAtOnce(context: SyncToolContext): T;
}
