/** What a wrapped function sees of its cache: its method, under options of its own. */

import { CacheClosedError, type CacheError } from '../errors.js';
import { type MethodOptions, resolveMethodOptions } from '../options.js';
import type { SyncToolCall, ToolCall, WhyUncached, WrapHost, WrapTarget } from '../wrap/host.js';
import type { CacheCore } from './core.js';
import { MethodLoads } from './method-loads.js';
import { MethodLookups } from './method-lookups.js';
import { MethodState } from './method-state.js';
import { SyncLoads } from './sync-loads.js';

/** The manager's side of `WrapHost`. */
export class ManagerHost implements WrapHost {
  readonly #core: CacheCore;

  constructor(core: CacheCore) {
    this.#core = core;
  }

  get outlivesProcess(): boolean {
    return this.#core.tiers.hasSlow;
  }

  method(name: string, options: MethodOptions): WrapTarget {
    const shared = this.#core.state(name);
    const own = resolveMethodOptions(options, '', shared.options);
    return new ManagerTarget(this.#core, new MethodState(name, own, shared));
  }

  failed(error: CacheError): void {
    this.#core.failed(error);
  }
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

  get ignoresParams(): boolean {
    return this.#state.options.ignore.length > 0;
  }

  key(params: unknown, scope: string | undefined): string {
    return this.#state.hash(params, scope ?? this.#state.options.scope);
  }

  getOrSet<T>(params: unknown, call: ToolCall<T>): Promise<T> {
    return this.#loads.getOrSet(params, (context) => call.run(context), call);
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

  alone<T>(call: ToolCall<T>, uncached: WhyUncached): Promise<T> {
    return this.#loads.alone((context) => call.run(context), call, uncached);
  }

  aloneSync<T>(call: SyncToolCall<T>, uncached: WhyUncached): T {
    return this.#syncLoads.alone(call, uncached);
  }

  delete(params: unknown, scope: string | undefined): boolean {
    if (this.#core.isClosed) throw new CacheClosedError('The cache is closed: make a new CacheManager');
    const key = this.key(params, scope);
    this.#core.loads.supersede(key);
    this.#state.errors.forget(key);
    const existed = this.#core.tiers.remove(this.#state, key, 'delete');
    const { events } = this.#core;
    if (events.isHeard('delete')) events.emit('delete', { method: this.#state.name, key });
    return existed;
  }

  uncached(reason: string, cause?: unknown): void {
    this.#core.uncached(this.#state, reason, cause);
  }

  failed(error: CacheError): void {
    this.#core.failed(error, this.#state);
  }
}
