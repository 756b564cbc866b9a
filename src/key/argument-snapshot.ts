/** Private copies of arguments, as flat lists of what was read from them. */

import { stringBytes } from '../value/heap-size.js';
import { ownString } from '../value/own-string.js';
import {
  asList,
  asObject,
  end,
  type Fields,
  isObjectPrototypeExtended,
  isPlain,
  isPlainList,
  mostContainers,
  mostTokens,
  type Token,
} from './argument-walk.js';

/** Memory of an array's headers, of a number that is no small integer, of a string besides its characters. */
const listBytes = 48;
const numberBytes = 16;
const textHeader = 24;

/** What shorter strings take is not worth a look at their characters. */
const longestShort = 32;

/** What was read, in memory of its own. */
export class Snapshot {
  readonly tokens: readonly Token[];
  /** Bytes of memory that the tokens take. */
  readonly bytes: number;

  constructor(tokens: readonly Token[], bytes: number) {
    this.tokens = tokens;
    this.bytes = bytes;
  }

  /** The same as a value that nobody else has: nothing in it can be one thing now and another later. */
  value(): unknown {
    return new Revival(this.tokens).value();
  }
}

/**
 * Takes down arguments, each part read once. `undefined` where anything is in them that is no data of JSON's kinds, at any
 * place: other types and classes, fields beside an array's elements, holes; and where they are too many. Throws what getters throw.
 */
export function snapshotOf(params: unknown): Snapshot | undefined {
  const taking = new Taking();
  if (!taking.visit(params) || isObjectPrototypeExtended()) return undefined;
  // Sliced, as what has grown is larger than what it holds.
  return new Snapshot(taking.tokens.slice(), taking.bytes + 8 * taking.tokens.length);
}

class Taking {
  readonly tokens: Token[] = [];
  bytes = listBytes;
  #containersLeft = mostContainers;

  visit(value: unknown): boolean {
    if (this.tokens.length >= mostTokens) return false;
    if (typeof value === 'object' && value !== null) {
      if (--this.#containersLeft < 0) return false;
      return Array.isArray(value) ? this.#visitList(value) : this.#visitObject(value);
    }
    if (typeof value === 'string') this.#addText(value);
    else if (value === null || typeof value === 'boolean' || value === undefined) this.tokens.push(value);
    else if (typeof value === 'number') this.#addNumber(value);
    else return false;
    return true;
  }

  #addText(value: string): void {
    const text = ownString(value);
    this.tokens.push(text);
    this.bytes += text.length > longestShort ? stringBytes(text) : 2 * text.length + textHeader;
  }

  #addNumber(value: number): void {
    this.tokens.push(value);
    if ((value | 0) !== value) this.bytes += numberBytes;
  }

  #visitObject(value: object): boolean {
    if (!isPlain(value) || Object.getOwnPropertySymbols(value).length > 0) return false;
    this.tokens.push(asObject);
    for (const name in value) {
      // Names are never cut from other texts, and are there in other places mostly.
      this.tokens.push(name);
      this.bytes += name.length + textHeader;
      if (!this.visit((value as Fields)[name])) return false;
    }
    this.tokens.push(end);
    return true;
  }

  #visitList(list: readonly unknown[]): boolean {
    const { length } = list;
    if (length > mostTokens || !isPlainList(list)) return false;
    this.tokens.push(asList, length);
    for (let at = 0; at < length; at++) {
      const value = list[at];
      if ((value === undefined && !Object.hasOwn(list, at)) || !this.visit(value)) return false;
    }
    return true;
  }
}

class Revival {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  value(): unknown {
    const token = this.#tokens[this.#at++];
    if (token === asObject) return this.#object();
    return token === asList ? this.#list() : token;
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    for (let left = this.#tokens[this.#at++] as number; left > 0; left--) list.push(this.value());
    return list;
  }

  #object(): object {
    const object: Record<string, unknown> = {};
    for (let name = this.#tokens[this.#at++]; name !== end; name = this.#tokens[this.#at++]) {
      const value = this.value();
      // What all objects inherit may be set by a function, or not at all.
      if ((name as string) in object) define(object, name as string, value);
      else object[name as string] = value;
    }
    return object;
  }
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
