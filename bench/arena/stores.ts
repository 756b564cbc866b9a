/** Stores of a million texts behind one small face. */

import { LRUCache } from 'lru-cache';
import { arena } from '../../src/arena/index.js';
import { CacheManager } from '../../src/index.js';
import { valueBytes } from './values.js';

/** The entries of a store. */
export const million = 1_000_000;

/** Parts of an arena are filled by chance, each to the 97th part or more. */
const maxSize = Math.ceil(million / 0.97);

/** What all stores are driven by. */
export interface Store {
  set(number: number, text: string): void;
  get(number: number): string | undefined;
  readonly size: number;
}

export const stores: Record<string, () => Store> = {
  arena() {
    const memory = arena({ maxBytes: Math.ceil(maxSize * (valueBytes + 200)), maxSize });
    const tool = new CacheManager({ memory }).method('tool');
    return {
      set: (number, text) => void tool.setSync(number, text),
      get: (number) => tool.getSync(number),
      get size() {
        return memory.stats().entries;
      },
    };
  },
  'lru-cache'() {
    const cache = new LRUCache<string, string>({ max: million });
    return {
      set: (number, text) => void cache.set(`tool:${number}`, text),
      get: (number) => cache.get(`tool:${number}`),
      get size() {
        return cache.size;
      },
    };
  },
};
