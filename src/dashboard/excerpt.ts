/** As much of a value as can be shown: Node's `inspect` goes through all keys of an object, however long its text may be. */

/** Of one array, map or set. */
export const mostItems = 1000;
/** Levels below the value. */
export const deepest = 10;

/** The value itself where it has fewer parts than `most`, else a copy of the first ones. Parts of instances of classes don't count. */
export function excerptOf(
  value: unknown,
  most: number,
): { readonly value: unknown; readonly isWhole: boolean } {
  const copies = new Map<object, object>();
  let left = most;
  const begin = <T extends object>(part: object, copy: T): T => {
    copies.set(part, copy);
    return copy;
  };
  const copyOf = (part: unknown, depth: number): unknown => {
    left -= 1;
    if (typeof part !== 'object' || part === null || depth > deepest) return part;
    const known = copies.get(part);
    if (known !== undefined) return known;
    if (Array.isArray(part)) {
      const copy = begin(part, [] as unknown[]);
      for (const item of firstOf(part)) copy.push(copyOf(item, depth + 1));
      return copy;
    }
    if (part instanceof Set) {
      const copy = begin(part, new Set());
      for (const item of firstOf(part)) copy.add(copyOf(item, depth + 1));
      return copy;
    }
    if (part instanceof Map) {
      const copy = begin(part, new Map());
      for (const [key, own] of firstOf(part)) copy.set(copyOf(key, depth + 1), copyOf(own, depth + 1));
      return copy;
    }
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== Object.prototype && prototype !== null) return part;
    const copy = begin(part, Object.create(prototype as object | null) as object);
    for (const key of Object.keys(part)) {
      if (left <= 0) break;
      const own = copyOf((part as Record<string, unknown>)[key], depth + 1);
      // Assigned, `__proto__` would be no key.
      Object.defineProperty(copy, key, { value: own, enumerable: true });
    }
    return copy;
  };
  function* firstOf<T>(items: Iterable<T>): Generator<T> {
    let at = 0;
    for (const item of items) {
      if (left <= 0 || at === mostItems) return;
      at += 1;
      yield item;
    }
  }
  const copy = copyOf(value, 0);
  return left > 0 ? { value, isWhole: true } : { value: copy, isWhole: false };
}
