/** What the process has of memory and uses of it, garbage aside. */

import type { PerformanceObserver as Observer, PerformanceEntry } from 'node:perf_hooks';
import { inBackground } from '../clock.js';

/** Bytes in use and the most there can be. */
export interface MemoryUse {
  readonly used: number;
  readonly limit: number;
}

/** The process as a watch sees it. */
export interface ProcessMemory {
  /** V8's heap, garbage included. */
  heap(): MemoryUse;
  /** All memory of the process: heap, external, code, stacks. */
  rss(): MemoryUse;
  /** Calls the listener after each collection of all garbage, until what is returned is called. */
  onCollected(listener: () => void): () => void;
}

/** What V8 counts in its limit for the young generation, by default, and does not have for what lives long. */
const youngGeneration = 48 * 2 ** 20;

/** Collections of the whole heap (`NODE_PERFORMANCE_GC_MAJOR`), as opposed to those of the young generation. */
const majorCollection = 4;

const listeners = new Set<() => void>();
let observer: Observer | undefined;

/** This process. */
export const processMemory: ProcessMemory = {
  heap() {
    const { used_heap_size: used, heap_size_limit: all } = process
      .getBuiltinModule('node:v8')
      .getHeapStatistics();
    return { used, limit: Math.max(all / 2, all - youngGeneration) };
  },
  rss() {
    const limit = mostMemory();
    try {
      return { used: process.memoryUsage.rss(), limit };
    } catch {
      // It is read from a file, for which a process may have no descriptor left.
      return { used: 0, limit };
    }
  },
  onCollected(listener) {
    listeners.add(listener);
    observer ??= inBackground(observeCollections);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      observer?.disconnect();
      observer = undefined;
    };
  },
};

/** One observer for all caches of the process. */
function observeCollections(): Observer {
  const { PerformanceObserver } = process.getBuiltinModule('node:perf_hooks');
  const created = new PerformanceObserver((list) => {
    const isMajor = (entry: PerformanceEntry) =>
      (entry as { readonly detail?: { readonly kind?: number } }).detail?.kind === majorCollection;
    if (list.getEntries().some(isMajor)) for (const listener of listeners) listener();
  });
  created.observe({ entryTypes: ['gc'] });
  return created;
}

/** What the container grants, where it does so, but no more than the machine has. */
function mostMemory(): number {
  const granted = process.constrainedMemory?.() ?? 0;
  const machine = process.getBuiltinModule('node:os').totalmem();
  return granted > 0 && granted < machine ? granted : machine;
}
