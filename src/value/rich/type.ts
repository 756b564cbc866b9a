/** The contract of built-in classes that can be stored: how one is written as a form, and made again from it. */

import type { MsgpackSink } from '../msgpack/writer.js';
import type { PathStep } from '../value-path.js';
import type { MemoryRanges } from './memory-ranges.js';

/** What a type writes its form to. */
export interface FormSink {
  readonly sink: MsgpackSink;
  /** The memory of binary values reported so far. */
  readonly memory: MemoryRanges;
  /** Reports a value inside this one. */
  visit(value: unknown): void;
  visitAt(step: PathStep, value: unknown): void;
  refuse(what: string, fix?: string, cause?: unknown): never;
}

/** What a type makes its instance with. */
export interface FormSource {
  /** Gives the instance its number. */
  enter<T extends object>(instance: T): T;
  /** The value of a form with no parts of any number. */
  revive(form: unknown): unknown;
}

/** One built-in class, or several that share a form. */
export interface RichType<T extends object = object> {
  readonly tag: number;
  readonly prototypes: readonly object[];
  /** Whether it really is one, and no object with a borrowed prototype. */
  isOne(value: object): boolean;
  /** How many own properties every instance has. More are refused. `undefined`: not looked at. */
  readonly ownKeys?: number;
  report(value: T, to: FormSink): void;
  /** Throws anything when `items` are not what `report` wrote. */
  readonly revive: ((items: unknown[], from: FormSource) => T) | RichParts<T>;
}

/** How an object with any number of parts is made again: empty first, and given them as they are revived. */
export interface RichParts<T extends object = object> {
  /** Items before the first part, which stand for themselves. */
  readonly from: number;
  /** Items that make a part: 2 are a key and a value. */
  readonly width: 1 | 2;
  create(items: readonly unknown[]): T;
  /**
   * @param key that of the value, where the parts have keys
   * @param at the place of the value among the items
   */
  add(target: T, value: unknown, key: unknown, at: number, items: readonly unknown[]): void;
}

export function expectString(item: unknown): string {
  if (typeof item !== 'string') throw new TypeError('Expected a string in a form');
  return item;
}

export function expectNumber(item: unknown): number {
  if (typeof item !== 'number') throw new TypeError('Expected a number in a form');
  return item;
}
