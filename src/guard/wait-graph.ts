/** Which load waits for which, so that a load never waits for itself. */

import { AsyncLocalStorage } from 'node:async_hooks';
import timers from 'node:timers';

// Before any test fakes the timers.
const { setImmediate: soon } = timers;

/**
 * The load in whose loader the current code runs. Shared by all caches of the process: cycles may cross them.
 * It holds a node and not the load, because a socket opened inside a loader keeps its context for good.
 */
const currentLoad = new AsyncLocalStorage<WaitNode>();

/** Loads that run and have not settled. */
let running = 0;
/** Whether it will be looked whether any are left. */
let isLooking = false;

/** Where no load runs nobody is in one: before Node 24, to follow contexts slows down every promise of the process. */
function rest(): void {
  isLooking = false;
  if (running === 0) currentLoad.disable();
}

/** A permit, as a load queues for it and holds it. */
export interface NodePermit {
  /** Grants it at once, even above the limit. */
  grantNow(): void;
  /** Gives it up, where it is held, for some time. */
  suspend(): void;
  /** Queues for it again. */
  resume(): Promise<void>;
}

/** Where a load stands with its tool's limiter. The depth is the one at which it queued: it keeps that permit. */
type PermitState =
  | { readonly kind: 'none' }
  | { readonly kind: 'queued' | 'held'; readonly depth: number; readonly permit: NodePermit };

const noPermit: PermitState = { kind: 'none' };

/** One load's place in the graph. */
export class WaitNode {
  readonly key: string;
  readonly method: string;
  #isSettled = false;
  #isRunning = false;
  #permit: PermitState = noPermit;
  #depth: number;
  /** The loads that this load's loader waits for, each with how many times. Most loads wait for none. */
  #waitsFor: Map<WaitNode, number> | undefined;
  /** The loads whose loaders wait for this one. */
  #waitedForBy: Set<WaitNode> | undefined;

  constructor(key: string, method: string) {
    this.key = key;
    this.method = method;
    this.#depth = enclosingLoad()?.depthBelow ?? 0;
  }

  /** A settled load waits for nobody, and what its loader left running belongs to no load any more. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether another load waits for this one. */
  get isWaitedFor(): boolean {
    return this.#waitedForBy !== undefined;
  }

  /**
   * Greater than the depth of every permit that is held by a load that waits for this one, itself or through others.
   * Permits are granted by depth, so that nobody queues for a permit that is held by somebody who waits for him.
   */
  get depth(): number {
    return this.#depth;
  }

  /** The least depth of what this load waits for. */
  get depthBelow(): number {
    return this.#permit.kind === 'held' ? Math.max(this.#depth, this.#permit.depth + 1) : this.#depth;
  }

  /** Runs a loader as this load. */
  run<R>(task: () => R): R {
    if (!this.#isRunning && !this.#isSettled) {
      this.#isRunning = true;
      running++;
    }
    return currentLoad.run(this, task);
  }

  /**
   * Queues for a permit of its depth, which is granted at once when a load that holds a permit of that depth or a greater
   * one begins to wait for this one: it must not wait any longer.
   */
  queue(permit: NodePermit): void {
    this.#permit = { kind: 'queued', depth: this.#depth, permit };
  }

  /** It has its permit. */
  holdPermit(): void {
    if (this.#permit.kind === 'queued') this.#permit = { ...this.#permit, kind: 'held' };
  }

  /**
   * Waits without the permit that it holds, for something that a load which queues for that may hold, and queues for it
   * again.
   */
  async withoutPermit<T>(wait: () => Promise<T>): Promise<T> {
    const held = this.#permit;
    if (held.kind !== 'held') return wait();
    const { permit, depth } = held;
    permit.suspend();
    this.#permit = noPermit;
    try {
      return await wait();
    } finally {
      this.#permit = { kind: 'queued', depth, permit };
      const granted = permit.resume();
      // Others have come to wait for it meanwhile that hold permits of that depth.
      if (this.#depth > depth) permit.grantNow();
      await granted;
      this.holdPermit();
    }
  }

  /** Gives its permit, or its place in the queue, back. */
  releasePermit(): void {
    this.#permit = noPermit;
  }

  /** Notes a wait for `other`, until that has settled or the returned function is called, once. */
  waitFor(other: WaitNode): () => void {
    if (this.#isSettled || other.#isSettled) return () => undefined;
    this.#waitsFor ??= new Map();
    this.#waitsFor.set(other, (this.#waitsFor.get(other) ?? 0) + 1);
    other.#waitedForBy ??= new Set();
    other.#waitedForBy.add(this);
    other.#sinkTo(this.depthBelow);
    return () => {
      const count = this.#waitsFor?.get(other) ?? 0;
      if (count > 1) this.#waitsFor?.set(other, count - 1);
      else this.#forget(other);
    };
  }

  /** The load is over. Its context may live on for as long as a socket does, and must hold nothing else. */
  settle(): void {
    this.#isSettled = true;
    if (this.#isRunning) {
      this.#isRunning = false;
      // Once in a turn, as it takes longer than to go on.
      if (--running === 0 && !isLooking) {
        isLooking = true;
        soon(rest);
      }
    }
    this.#permit = noPermit;
    for (const other of this.#waitsFor?.keys() ?? []) this.#forget(other);
    for (const other of this.#waitedForBy ?? []) other.#forget(this);
  }

  /**
   * Whether this load waits for `other`, itself or through the loads it waits for.
   *
   * Looks from both ends in turns, one wait at a time, and stops where the first of them has nowhere to go: a load that
   * begins to wait is mostly waited for by few, however many there are below.
   */
  reaches(other: WaitNode): boolean {
    if (this === other) return true;
    if (this.#waitsFor === undefined || other.#waitedForBy === undefined) return false;
    const up = walk(other, (node) => node.#waitedForBy);
    const down = walk(this, (node) => node.#waitsFor?.keys());
    for (;;) {
      const above = up.next();
      if (above.done || above.value === this) return !above.done;
      const below = down.next();
      if (below.done || below.value === other) return !below.done;
    }
  }

  #forget(other: WaitNode): void {
    this.#waitsFor?.delete(other);
    if (this.#waitsFor?.size === 0) this.#waitsFor = undefined;
    other.#waitedForBy?.delete(this);
    if (other.#waitedForBy?.size === 0) other.#waitedForBy = undefined;
  }

  /**
   * Joined from further in than it was started, a load and all it waits for come to lie deeper. Only permits make depth,
   * so this ends at once where no limiter is, and where all hold permits of one depth.
   */
  #sinkTo(depth: number): void {
    const open: WaitNode[] = [this];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node.#depth >= depth) continue;
      node.#depth = depth;
      if (node.#permit.kind === 'queued') node.#permit.permit.grantNow();
      // What waits below a permit of this depth, or of a greater one, lies deeper already.
      if (node.depthBelow === depth) for (const other of node.#waitsFor?.keys() ?? []) open.push(other);
    }
  }
}

/** The unsettled load in whose loader the caller runs, if any. */
export function enclosingLoad(): WaitNode | undefined {
  const node = currentLoad.getStore();
  return node === undefined || node.isSettled ? undefined : node;
}

/**
 * Notes that the current code waits for `node`, until the returned function is called. `undefined`: it must not wait, for
 * `node` waits for it.
 */
export function beginWait(node: WaitNode): (() => void) | undefined {
  const parent = enclosingLoad();
  if (parent === undefined) return () => undefined;
  return node.reaches(parent) ? undefined : parent.waitFor(node);
}

/** Follows one edge at a step, and tells where it leads, known or not: a step must not cost more than that. */
function* walk(
  start: WaitNode,
  edges: (node: WaitNode) => Iterable<WaitNode> | undefined,
): Generator<WaitNode, void> {
  const seen = new Set([start]);
  const open = [start];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const next of edges(node) ?? []) {
      if (!seen.has(next)) {
        seen.add(next);
        open.push(next);
      }
      yield next;
    }
  }
}
