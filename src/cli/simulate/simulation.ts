/** One policy of one size under a trace: what a cache of that kind would have answered. */

import { createStore } from '../../store/registry.js';
import type { StoreEntry } from '../../store/store.js';
import type { AccessTrace } from './access-trace.js';

/** What was answered from the cache. */
export interface Answered {
  readonly hits: number;
  /** Bytes of the values that hits answered. */
  readonly hitBytes: number;
  /** What these lookups would have cost, in ms. */
  readonly savedMs: number;
}

/** What a simulation came to. */
export interface SimulationFigures extends Answered {
  readonly evicted: number;
  /** The most entries that were held at once. */
  readonly mostEntries: number;
  /** As what a store that adapts evicts in the end, and why. */
  readonly policy?: string;
}

class SimulatedEntry implements StoreEntry {
  readonly expiresAt = null;
  readonly key: string;
  readonly bytes: number;
  readonly method: string | undefined;
  loadMs = 0;

  constructor(id: number, bytes: number, method: string | undefined) {
    // A letter first, so that no key is an array index, which V8 treats apart.
    this.key = `k${id.toString(36)}`;
    this.bytes = bytes;
    this.method = method;
  }
}

/** Sends a trace through stores. Its entries are made once, and so is the hash of each key. */
export class Simulator {
  readonly #trace: AccessTrace;
  readonly #entries: SimulatedEntry[];

  constructor(trace: AccessTrace) {
    this.#trace = trace;
    this.#entries = Array.from(
      trace.bytes,
      (bytes, id) => new SimulatedEntry(id, bytes, trace.methods[trace.methodOf[id] as number]),
    );
  }

  /** @param maxBytes the size of the cache; where the trace knows no sizes, in entries */
  run(policy: string, maxBytes: number): SimulationFigures {
    const { keys, costs } = this.#trace;
    const entries = this.#entries;
    let evicted = 0;
    let mostEntries = 0;
    let hits = 0;
    let hitBytes = 0;
    let savedMs = 0;
    const store = createStore<SimulatedEntry>(policy, {
      maxSize: Math.max(1, entries.length),
      maxBytes,
      random: Math.random,
      onRemove: () => {
        evicted += 1;
      },
    });
    for (let at = 0; at < keys.length; at += 1) {
      const entry = entries[keys[at] as number] as SimulatedEntry;
      const cost = costs[at] as number;
      if (store.get(entry.key) !== undefined) {
        hits += 1;
        hitBytes += entry.bytes;
        savedMs += cost;
      } else {
        entry.loadMs = cost;
        store.set(entry);
        if (store.size > mostEntries) mostEntries = store.size;
      }
    }
    const { policy: chosen } = store as { policy?: string };
    return { hits, hitBytes, savedMs, evicted, mostEntries, ...(chosen !== undefined && { policy: chosen }) };
  }
}
