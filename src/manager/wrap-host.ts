/** What a wrapped function sees of its cache: its method, under options of its own. */

import { CacheClosedError, type CacheError } from '../errors.js';
import { refuseIdleOptions } from '../guard/idle-options.js';
import type { CopyingCall, KnownArguments } from '../key/argument-index.js';
import { type MethodOptions, type ResolvedMethodOptions, resolveMethodOptions } from '../options.js';
import type { KnownCall, SyncToolCall, ToolCall, WhyUncached, WrapHost, WrapTarget } from '../wrap/host.js';
import type { CacheCore } from './cache-context.js';
import { clearCache, deleteEntry } from './deletion.js';
import { SyncLoads } from './load/get-or-set-sync.js';
import { MethodLoads } from './load/method-loads.js';
import { MethodLookups } from './lookup.js';
import { type MethodState, stateUnder } from './method-context.js';

/** The manager's side of `WrapHost`. */
export class ManagerHost implements WrapHost {
  readonly #core: CacheCore;

  constructor(core: CacheCore) {
    this.#core = core;
  }

  get outlivesProcess(): boolean {
    return this.#core.tiers.hasSlow;
  }

  method(name: string, options: MethodOptions, isError?: (value: unknown) => boolean): WrapTarget {
    const shared = this.#core.state(name);
    const own = resolveMethodOptions(options, '', withErrors(shared.options, isError));
    refuseIdleOptions(options, '', own);
    return new ManagerTarget(this.#core, stateUnder(shared, own));
  }

  clear(name: string): void {
    clearCache(this.#core, name);
  }

  failed(error: CacheError): void {
    this.#core.failed(error);
  }

  get isRecorded(): boolean {
    return this.#core.recorded !== undefined;
  }

  past(name: string, reason: string): void {
    this.#core.recorded?.past(name, reason);
  }
}

/** The options, with results that are errors besides theirs. */
function withErrors(
  options: ResolvedMethodOptions,
  isError: ((value: unknown) => boolean) | undefined,
): ResolvedMethodOptions {
  if (isError === undefined) return options;
  const { isError: isAlso } = options;
  return { ...options, isError: (value) => isError(value) || isAlso?.(value) === true };
}

class ManagerTarget implements WrapTarget {
  readonly #core: CacheCore;
  readonly #state: MethodState;
  readonly #loads: MethodLoads;
  readonly #syncLoads: SyncLoads;

  constructor(core: CacheCore, state: MethodState) {
    const lookups = new MethodLookups(core, state);
    this.#core = core;
    this.#state = state;
    this.#loads = new MethodLoads(core, state, lookups);
    this.#syncLoads = new SyncLoads(core, state, lookups);
  }

  get wasAnswered(): boolean {
    const { hits, staleHits, coalesced } = this.#state.counters;
    return hits + staleHits + coalesced > 0;
  }

  get ignoresParams(): boolean {
    return this.#state.options.ignore.length > 0;
  }

  key(params: unknown, scope: string | undefined): string {
    return this.#state.keyInPassing(params, scope);
  }

  known(params: unknown, scope: string | undefined, call?: CopyingCall): KnownArguments | undefined {
    if (this.#core.isClosed || this.#core.distrusted?.has(this.#state.name) === true) return undefined;
    return this.#state.known(params, scope, call);
  }

  answer(known: KnownCall): unknown {
    return this.#loads.answer(known);
  }

  answerSync(known: KnownCall): unknown {
    return this.#syncLoads.answer(known, () => known.toolCall());
  }

  getOrSet<T>(params: unknown, call: ToolCall<T>): Promise<T> {
    return Promise.resolve(this.#loads.getOrSet(params, (context) => call.run(context), call));
  }

  getOrSetSync<T>(params: unknown, call: SyncToolCall<T>): T {
    return this.#syncLoads.getOrSet(params, call);
  }

  refresh<T>(params: unknown, call: ToolCall<T>): Promise<T> {
    return this.#loads.refresh(params, (context) => call.run(context), call);
  }

  refreshSync<T>(params: unknown, call: SyncToolCall<T>): T {
    return this.#syncLoads.refresh(params, call);
  }

  bypass<T>(call: ToolCall<T>, uncached: WhyUncached): Promise<T> {
    return this.#loads.bypass((context) => call.run(context), call, uncached);
  }

  bypassSync<T>(call: SyncToolCall<T>, uncached: WhyUncached): T {
    return this.#syncLoads.bypass(call, uncached);
  }

  delete(params: unknown, scope: string | undefined): boolean {
    if (this.#core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
    return deleteEntry(this.#core, this.#state, this.key(params, scope));
  }

  uncached(reason: string, cause?: unknown): void {
    this.#core.uncached(this.#state, reason, cause);
  }

  failed(error: CacheError): void {
    this.#core.failed(error, this.#state);
  }
}
