/** The names that `eviction` takes, as a type that users can add to. */

/**
 * The stores that `eviction` takes by name. Add the ones you register:
 *
 * @example
 * declare module 'toolstash' {
 *   interface StoreNames {
 *     random: true;
 *   }
 * }
 */
export interface StoreNames {
  /** Evicts what was used least recently. */
  readonly lru: true;
  /** Evicts what was used least often; of several, the one used least recently. */
  readonly lfu: true;
  /** Evicts what was stored first. */
  readonly fifo: true;
  /** Evicts what expires first. */
  readonly ttl: true;
  /** Evicts what costs least to load again, for its size and how often it is used (GreedyDual-Size-Frequency). */
  readonly gdsf: true;
}
