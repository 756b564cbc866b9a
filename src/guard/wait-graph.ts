/** Which load waits for which, so that a load never waits for itself. */

import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The load in whose loader the current code runs. Shared by all caches of the process: cycles may cross them.
 * It holds a node and not the load, because a socket opened inside a loader keeps its context for good.
 */
const currentLoad = new AsyncLocalStorage<WaitNode>();

/** One load's place in the graph. */
export class WaitNode {
  readonly key: string;
  readonly method: string;
  /** A settled load waits for nobody, and what its loader left running belongs to no load any more. */
  settled = false;
  /** Whether it has a turn that others stand in line for. */
  holdsTurn = false;
  /** Called when a load further in begins to wait for this one: it must not stand in line any longer. */
  hurry: (() => void) | undefined;
  #depth: number;
  /** The loads that this load's loader waits for, each with how many times. */
  readonly #waitsFor = new Map<WaitNode, number>();

  constructor(key: string, method: string) {
    this.key = key;
    this.method = method;
    this.#depth = enclosingLoad()?.depthBelow ?? 0;
  }

  /**
   * How many hold a turn while they wait for this load, one through the other, at least. Turns are handed out by depth,
   * so that nobody stands in line for a turn that is held by somebody who waits for him.
   */
  get depth(): number {
    return this.#depth;
  }

  /** The least depth of what this load waits for. */
  get depthBelow(): number {
    return this.#depth + (this.holdsTurn ? 1 : 0);
  }

  /** Runs a loader as this load. */
  run<R>(task: () => R): R {
    return currentLoad.run(this, task);
  }

  /** Notes a wait for `other`, until the returned function is called. */
  waitFor(other: WaitNode): () => void {
    this.#waitsFor.set(other, (this.#waitsFor.get(other) ?? 0) + 1);
    other.#sinkBelow(this);
    return () => {
      const count = this.#waitsFor.get(other) ?? 0;
      if (count > 1) this.#waitsFor.set(other, count - 1);
      else this.#waitsFor.delete(other);
    };
  }

  /** Joined from further in than it was started, a load and all it waits for come to lie deeper. */
  #sinkBelow(waiting: WaitNode): void {
    if (this.settled || this.#depth >= waiting.depthBelow) return;
    this.#depth = waiting.depthBelow;
    this.hurry?.();
    for (const other of this.#waitsFor.keys()) other.#sinkBelow(this);
  }

  /** Whether this load waits for `other`, itself or through the loads it waits for. */
  reaches(other: WaitNode): boolean {
    const seen = new Set<WaitNode>();
    const open: WaitNode[] = [this];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node === other) return true;
      if (node.settled || seen.has(node)) continue;
      seen.add(node);
      open.push(...node.#waitsFor.keys());
    }
    return false;
  }
}

/** The unsettled load in whose loader the caller runs, if any. */
export function enclosingLoad(): WaitNode | undefined {
  const node = currentLoad.getStore();
  return node === undefined || node.settled ? undefined : node;
}
