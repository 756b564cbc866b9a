/** How the memory tier gives way when the process runs short of memory. */

import { expected, functionOf, given, objectOf, refuseUnknown } from '../option-checks.js';

/** When the cache lets go of entries, because the process runs short of memory. */
export interface MemoryOptions {
  /**
   * The share of V8's heap limit that may be in use, and of the memory that the process may have (its container's, or the
   * machine's): above 0 and below 1.
   * @default 0.85
   */
  readonly maxHeapFraction?: number | undefined;
  /** Hears each time that entries had to leave. What it throws is a process warning. */
  readonly onPressure?: ((pressure: MemoryPressure) => void) | undefined;
}

/** The memory of the process, as it was when entries had to leave, in bytes. */
export interface MemoryPressure {
  /** What ran short: V8's heap, or all memory of the process, external included. */
  readonly kind: 'heap' | 'rss';
  /** What was in use of it, garbage aside as far as that is known. */
  readonly used: number;
  /** What there is of it. */
  readonly limit: number;
  /** Entries that left. */
  readonly evicted: number;
  /** Their bytes. */
  readonly evictedBytes: number;
  /** The most bytes the cache takes until there is room again. */
  readonly maxBytes: number;
}

/** The same with nothing left open. */
export interface ResolvedMemoryOptions {
  readonly maxHeapFraction: number;
  readonly onPressure: ((pressure: MemoryPressure) => void) | undefined;
}

const defaultFraction = 0.85;

/** @throws InvalidOptionError */
export function resolveMemoryOptions(memory: MemoryOptions | undefined): ResolvedMemoryOptions | undefined {
  if (memory === undefined) return undefined;
  const { maxHeapFraction, onPressure } = objectOf(memory, 'memory', 'an object of options');
  refuseUnknown(memory, ['maxHeapFraction', 'onPressure'], { of: 'memory' });
  const fraction = given(maxHeapFraction, defaultFraction);
  if (!(typeof fraction === 'number' && fraction > 0 && fraction < 1))
    throw expected('memory.maxHeapFraction', 'a number above 0 and below 1', fraction);
  return {
    maxHeapFraction: fraction,
    onPressure: onPressure === undefined ? undefined : functionOf(onPressure, 'memory.onPressure'),
  };
}
