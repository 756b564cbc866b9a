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
  /** Gives the instance its number. To be called before any form inside it is revived. */
  enter<T extends object>(instance: T): T;
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
  revive(items: unknown[], from: FormSource): T;
}

export function expectString(item: unknown): string {
  if (typeof item !== 'string') throw new TypeError('Expected a string in a form');
  return item;
}

export function expectNumber(item: unknown): number {
  if (typeof item !== 'number') throw new TypeError('Expected a number in a form');
  return item;
}
