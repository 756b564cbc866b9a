/** The walk over any value: it reports its rich form, or refuses with the path to what can't be stored. */

import { types } from 'node:util';
import { UnstorableValueError } from '../../errors.js';
import type { ClassCodec, ClassCodecs } from '../class-codec.js';
import type { MsgpackSink } from '../msgpack/writer.js';
import { hasElementsOnly, hasOtherKeys, isArrayPrototype, isGetter, isObjectPrototype } from '../plain.js';
import { formatPath, type PathStep, Step } from '../value-path.js';
import { maxDepth, Tag } from './format.js';
import { MemoryRanges } from './memory-ranges.js';
import type { FormSink, RichType } from './type.js';
import { richTypeOf } from './types.js';

/** Reports the form of `value` to `sink`. */
export function walkRich(value: unknown, sink: MsgpackSink, codecs: ClassCodecs): void {
  new RichWalk(sink, codecs).visit(value);
}

const arrayIndex = /^(?:0|[1-9]\d{0,9})$/;

class RichWalk implements FormSink {
  readonly sink: MsgpackSink;
  readonly memory = new MemoryRanges();
  readonly #codecs: ClassCodecs;
  readonly #path: PathStep[] = [];
  /** Numbers of the objects met, functions and symbols with a codec among them. */
  readonly #numbers = new Map<unknown, number>();
  /** Values whose codec is at work: they can't contain themselves. */
  readonly #open = new Set<unknown>();
  #depth = 0;

  constructor(sink: MsgpackSink, codecs: ClassCodecs) {
    this.sink = sink;
    this.#codecs = codecs;
  }

  visit(value: unknown): void {
    const { sink } = this;
    switch (typeof value) {
      case 'string':
        this.#visitString(value);
        break;
      case 'number':
        sink.number(value);
        break;
      case 'boolean':
        sink.boolean(value);
        break;
      case 'undefined':
        sink.begin(Tag.Undefined, 0);
        sink.end(Tag.Undefined);
        break;
      case 'bigint':
        sink.begin(Tag.BigInt, 1);
        sink.string(value.toString(16));
        sink.end(Tag.BigInt);
        break;
      default:
        if (value === null) sink.nil();
        else this.#visitObject(value as object);
    }
  }

  visitAt(step: PathStep, value: unknown): void {
    this.#path.push(step);
    this.visit(value);
    this.#path.pop();
  }

  refuse(what: string, fix = 'store plain data instead', cause?: unknown): never {
    const path = formatPath(this.#path);
    throw new UnstorableValueError(
      path,
      `Expected \`${path}\` to be something that can be stored, got ${what}; ${fix}`,
      cause === undefined ? undefined : { cause },
    );
  }

  #visitString(text: string): void {
    if (text.isWellFormed()) {
      this.sink.string(text);
    } else {
      this.sink.begin(Tag.Utf16, 1);
      this.sink.binary(Buffer.from(text, 'utf16le'));
      this.sink.end(Tag.Utf16);
    }
  }

  /** Objects, and the functions and symbols that a codec may know. */
  #visitObject(object: object): void {
    const number = this.#numbers.get(object);
    if (number !== undefined) {
      this.#visitAgain(object, number);
      return;
    }
    if (this.#depth === maxDepth) this.refuse(`more than ${maxDepth} levels of nesting`);
    this.#numbers.set(object, this.#numbers.size);
    this.#depth += 1;
    this.#visitNew(object);
    this.#depth -= 1;
  }

  #visitAgain(object: object, number: number): void {
    if (this.#open.has(object)) this.refuse('an instance of a class with a codec that contains itself');
    this.sink.begin(Tag.Reference, 1);
    this.sink.number(number);
    this.sink.end(Tag.Reference);
  }

  #visitNew(object: object): void {
    if (typeof object !== 'object' || types.isProxy(object)) {
      this.#visitOther(object);
      return;
    }
    const prototype: object | null = Object.getPrototypeOf(object);
    const type = richTypeOf(object, prototype);
    if (type !== undefined) this.#visitType(object, type);
    else if (isObjectPrototype(prototype)) this.#visitPlain(object, Tag.Entries);
    else if (prototype === null && !types.isExternal(object)) this.#visitPlain(object, Tag.NullPrototype);
    else if (Array.isArray(object) && isArrayPrototype(prototype)) this.#visitArray(object);
    else this.#visitOther(object);
  }

  #visitType(object: object, type: RichType): void {
    if (type.ownKeys !== undefined && Reflect.ownKeys(object).length !== type.ownKeys) {
      this.refuse(`${describe(object)} with properties of its own`);
    }
    type.report(object, this);
  }

  #visitPlain(object: object, tag: number): void {
    const keys = Object.keys(object);
    if (hasOtherKeys(object, keys)) this.#refuseOtherKeys(object, keys);
    if (tag === Tag.Entries && keys.every(suitsMap)) {
      this.sink.map(keys.length);
      for (const key of keys) {
        this.sink.key(key);
        this.#visitProperty(object, key);
      }
      return;
    }
    this.sink.begin(tag, 2 * keys.length);
    for (const key of keys) {
      this.#visitString(key);
      this.#visitProperty(object, key);
    }
    this.sink.end(tag);
  }

  #visitArray(array: readonly unknown[]): void {
    if (!hasElementsOnly(array) || !isDense(array)) {
      this.#visitSparse(array);
      return;
    }
    const { length } = array;
    this.sink.begin(Tag.Array, length);
    for (let index = 0; index < length; index += 1) this.visitAt(index, array[index]);
    this.sink.end(Tag.Array);
  }

  #visitSparse(array: readonly unknown[]): void {
    const keys = Object.keys(array);
    if (hasOtherKeys(array, [...keys, 'length'])) this.#refuseOtherKeys(array, [...keys, 'length']);
    this.sink.begin(Tag.SparseArray, 2 * keys.length + 1);
    this.sink.number(array.length);
    for (const key of keys) {
      const index = arrayIndex.test(key) ? Number(key) : Number.POSITIVE_INFINITY;
      if (index < array.length) {
        this.sink.number(index);
        this.#visitProperty(array, index);
      } else {
        this.#visitString(key);
        this.#visitProperty(array, key);
      }
    }
    this.sink.end(Tag.SparseArray);
  }

  #visitProperty(object: object, key: string | number): void {
    const property = Object.getOwnPropertyDescriptor(object, key);
    this.#path.push(key);
    if (property === undefined || !('value' in property)) this.refuse('a getter');
    this.visit(property.value);
    this.#path.pop();
  }

  #refuseOtherKeys(object: object, keys: readonly string[]): never {
    const known = new Set<string | symbol>(keys);
    const other = Reflect.ownKeys(object).find((key) => !known.has(key)) ?? '';
    if (typeof other === 'string') {
      this.#path.push(other);
      this.refuse('a hidden (non-enumerable) property');
    }
    this.#path.push(new Step(`[${String(other)}]`));
    this.refuse('a property whose key is a symbol');
  }

  /** What only a user's codec can store. */
  #visitOther(value: object): void {
    const codec = this.#codecOf(value);
    if (codec === undefined) this.refuse(describe(value), 'give a codec for it or store plain data instead');
    this.#open.add(value);
    this.sink.begin(Tag.Class, 2);
    this.sink.string(codec.tag);
    this.visitAt(new Step(`<${codec.tag} data>`), this.#encode(codec, value));
    this.sink.end(Tag.Class);
    this.#open.delete(value);
  }

  #codecOf(value: object): ClassCodec | undefined {
    try {
      return this.#codecs.of(value);
    } catch (error) {
      return this.refuse('an error from the `test` of a codec', 'mend the codec', error);
    }
  }

  #encode(codec: ClassCodec, value: object): unknown {
    try {
      return codec.encode(value);
    } catch (error) {
      return this.refuse(`an error from the codec \`${codec.tag}\``, 'mend the codec', error);
    }
  }
}

function suitsMap(key: string): boolean {
  return key !== '__proto__' && key.isWellFormed();
}

/** Whether each element is there and has a value: no holes, no getters, no lone setters. */
function isDense(array: readonly unknown[]): boolean {
  for (let index = 0; index < array.length; index += 1) {
    if (isGetter(array, index)) return false;
    if (array[index] === undefined && !hasValue(array, index)) return false;
  }
  return true;
}

function hasValue(array: readonly unknown[], index: number): boolean {
  const element = Object.getOwnPropertyDescriptor(array, index);
  return element !== undefined && 'value' in element;
}

function describe(value: unknown): string {
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function \`${value.name}\``;
  if (types.isProxy(value)) return 'a Proxy';
  if (types.isPromise(value)) return 'a Promise (was an `await` forgotten?)';
  const prototype: unknown = Object.getPrototypeOf(value);
  const maker = prototype === null ? undefined : Object.getOwnPropertyDescriptor(prototype, 'constructor');
  const name: unknown = typeof maker?.value === 'function' ? maker.value.name : '';
  return typeof name === 'string' && name !== ''
    ? `an instance of \`${name}\``
    : 'an object with a prototype of its own';
}
