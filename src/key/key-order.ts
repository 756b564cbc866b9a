/** The order in which an object's keys are printed, remembered per list of keys: the object's shape. */

import { beyondAscii } from './json-leaf.js';

/** The sorted keys of one shape and what is printed before each one's value. */
export interface KeyOrder {
  /** By code point, as Python sorts. */
  readonly keys: readonly string[];
  /** `{"first": `, then `, "next": ` for the others. */
  readonly prefixes: readonly string[];
  /** Whether a prefix has more than ASCII. */
  readonly isBeyondAscii: boolean;
}

/** Shapes with more keys, or with a longer key, are data rather than argument names: they are sorted each time. */
const mostKeys = 64;
const longestKey = 64;

/** One step in the tree of shapes: the keys seen so far, in the order the object has them. */
interface ShapeNode {
  /** The key that led on from here the last time, and where to: most call sites have one shape. */
  lastKey: string | undefined;
  lastNode: ShapeNode | undefined;
  next: Map<string, ShapeNode> | undefined;
  order: KeyOrder | undefined;
}

/**
 * Key orders by shape. Memory is bounded: a slot is one node or one key of an order, and when `maxSlots` are taken
 * all shapes are forgotten, so that an endless supply of new shapes costs time but never memory.
 */
export class KeyOrders {
  readonly #textOf: (key: string) => string;
  readonly #maxSlots: number;
  #root = newNode();
  #slots = 0;

  /** @param textOf gives the JSON string of a key, in which units beyond ASCII may stand as they are. */
  constructor(textOf: (key: string) => string, maxSlots = 32_768) {
    this.#textOf = textOf;
    this.#maxSlots = maxSlots;
  }

  /** Slots taken. Never above `maxSlots`. */
  get slots(): number {
    return this.#slots;
  }

  /** The order of these keys; `keys` is an object's own, in its own order. */
  orderOf(keys: readonly string[]): KeyOrder {
    let node = this.#root;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      if (node.lastKey === key) {
        node = node.lastNode as ShapeNode;
        continue;
      }
      const next = node.next?.get(key);
      if (next === undefined) return this.#learn(keys);
      node.lastKey = key;
      node.lastNode = next;
      node = next;
    }
    return node.order ?? this.#learn(keys);
  }

  #learn(keys: readonly string[]): KeyOrder {
    const order = sortedOrder(keys, this.#textOf);
    if (keys.length > mostKeys || keys.some((key) => key.length > longestKey)) return order;
    const needed = 2 * keys.length;
    if (needed > this.#maxSlots) return order;
    if (this.#slots + needed > this.#maxSlots) {
      this.#root = newNode();
      this.#slots = 0;
    }
    let node = this.#root;
    for (const key of keys) {
      node.next ??= new Map();
      let next = node.next.get(key);
      if (next === undefined) {
        next = newNode();
        node.next.set(key, next);
        this.#slots++;
      }
      node = next;
    }
    node.order = order;
    this.#slots += keys.length;
    return order;
  }
}

function newNode(): ShapeNode {
  return { lastKey: undefined, lastNode: undefined, next: undefined, order: undefined };
}

function sortedOrder(keys: readonly string[], textOf: (key: string) => string): KeyOrder {
  const sorted = sortByCodePoint(keys.slice());
  const prefixes = sorted.map((key, i) => `${i === 0 ? '{' : ', '}${textOf(key)}: `);
  return { keys: sorted, prefixes, isBeyondAscii: prefixes.some((prefix) => beyondAscii.test(prefix)) };
}

const surrogate = /[\ud800-\udfff]/;

/** JavaScript sorts by UTF-16 unit, which differs from the order of code points only where surrogates occur. */
function sortByCodePoint(keys: string[]): string[] {
  return keys.length > 1 && keys.some((key) => surrogate.test(key))
    ? keys.sort(compareCodePoints)
    : keys.sort();
}

function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // A high surrogate that both have in common may be half a pair in one and alone in the other.
    const before = i > 0 ? codePointDifference(a, b, i - 1) : 0;
    return before !== 0 ? before : codePointDifference(a, b, i);
  }
  return a.length - b.length;
}

function codePointDifference(a: string, b: string, at: number): number {
  return (a.codePointAt(at) as number) - (b.codePointAt(at) as number);
}
