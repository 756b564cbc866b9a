/** Maps from a key to whatever a store keeps for it, also for more keys than one Map of V8 can serve. */

/** The part of `Map` that stores need. */
export interface KeyMap<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
  delete(key: string): boolean;
  values(): IterableIterator<V>;
}

/**
 * The most keys that one Map serves for ever: half of the 2^24 places it can have.
 *
 * A Map keeps the places of deleted keys until all its places are taken. It then clears them away if they are at least
 * half, else it takes twice as many places, and beyond 2^24 throws `Map maximum size exceeded`, now and at every
 * later key. With up to 2^23 keys in it, there is always enough to clear away.
 */
export const largestMap = 2 ** 23;

/** Makes a map for up to `maxSize` keys: a plain Map unless that is above `largest`, by default `largestMap`. */
export function createKeyMap<V>(maxSize: number, largest = largestMap): KeyMap<V> {
  return maxSize <= largest ? new Map<string, V>() : new ShardedMap<V>();
}

/**
 * Shards of 262,144 keys at most, if they are even, so that one that grows stalls its caller for some ten milliseconds
 * and not for seconds. A shard would need 32 times its share to become too large for a Map.
 */
const shardBits = 6;
const digestLength = 32;

/** Several Maps, each with a share of the keys. */
class ShardedMap<V> implements KeyMap<V> {
  readonly #shards = Array.from({ length: 2 ** shardBits }, () => new Map<string, V>());

  get(key: string): V | undefined {
    return this.#shardOf(key).get(key);
  }

  set(key: string, value: V): void {
    this.#shardOf(key).set(key, value);
  }

  delete(key: string): boolean {
    return this.#shardOf(key).delete(key);
  }

  *values(): IterableIterator<V> {
    for (const shard of this.#shards) yield* shard.values();
  }

  #shardOf(key: string): Map<string, V> {
    return this.#shards[shardOf(key)]!;
  }
}

/** The shard of a key: the high bits, because the low ones depend on the low bits of the characters alone. */
export function shardOf(key: string): number {
  return hashOf(key) >>> (32 - shardBits);
}

/** A number of 32 bits. It looks at every character (FNV-1a), so that any keys, not only digests, spread evenly. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/**
 * The same, but the last eight digits of a digest of 32 hex digits, which takes a quarter of the time. Other keys of that length may
 * share numbers.
 */
export function quickHashOf(key: string): number {
  if (key.length !== digestLength) return hashOf(key);
  let hash = 0;
  for (let index = digestLength - 8; index < digestLength; index += 1) {
    const code = key.charCodeAt(index);
    hash = (hash << 4) | ((code & 15) + 9 * (code >> 6));
  }
  return hash;
}
