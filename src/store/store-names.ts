/** The names that `eviction` takes, as a type that users can add to. */

/**
 * The stores that `eviction` takes by name. First to leave is under `lru` what was used least recently, `lfu` least often,
 * `fifo` what was stored first, `ttl` what expires first, `gdsf` what costs least to load again for its size and use;
 * `sieve` the oldest not used since it was last considered; `s3-fifo` what was used once, soon;
 * `w-tinylfu` what is used least of late, once a window has passed; `auto` picks whichever of LRU, W-TinyLFU or an S3-FIFO
 * variant has the best hit rate on sampled keys. Add your own:
 *
 * @example
 * declare module 'toolstash' {
 *   interface StoreNames {
 *     random: true;
 *   }
 * }
 */
export interface StoreNames extends Record<BuiltInStoreName, true> {}

/** The names of the stores that come with Toolstash. */
export type BuiltInStoreName =
  | 'lru'
  | 'lfu'
  | 'fifo'
  | 'ttl'
  | 'gdsf'
  | 'sieve'
  | 's3-fifo'
  | 'w-tinylfu'
  | 'auto';
