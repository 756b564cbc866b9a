/** The way back from a form to the value, in place where it can: forms are freshly decoded and belong to nobody. */

import type { ClassCodecs } from '../class-codec.js';
import { unreadable } from '../msgpack/reader.js';
import type { MsgpackSink } from '../msgpack/writer.js';
import { Tag } from './format.js';
import { expectNumber, expectString, type FormSource } from './type.js';
import { richTypeWithTag } from './types.js';

/** The value that `form` stands for; `meter` hears of the forms in it. Throws anything when it is no form. */
export function reviveRich(form: unknown, codecs: ClassCodecs, meter?: FormMeter): unknown {
  return new Revival(codecs, meter).revive(form);
}

type FormMeter = Pick<MsgpackSink, 'begin'>;

/** Stands in for an instance of a user's class until its codec has made it. */
const unfinished = Symbol('unfinished');

/** Longer arrays with holes are made without room for each. */
const mostHoles = 64;

class Revival implements FormSource {
  readonly #codecs: ClassCodecs;
  readonly #meter: FormMeter | undefined;
  /** Objects by number. */
  readonly #objects: unknown[] = [];

  constructor(codecs: ClassCodecs, meter: FormMeter | undefined) {
    this.#codecs = codecs;
    this.#meter = meter;
  }

  revive(form: unknown): unknown {
    switch (typeof form) {
      case 'string':
      case 'number':
      case 'boolean':
        return form;
      case 'object':
        if (form === null) return null;
        if (Array.isArray(form)) return this.#reviveTagged(form, form.pop());
        if (Object.getPrototypeOf(form) === Object.prototype)
          return this.#reviveMap(form as Record<string, unknown>);
    }
    throw new TypeError(`Expected a form, got ${Object.prototype.toString.call(form)}`);
  }

  enter<T extends object>(instance: T): T {
    this.#objects.push(instance);
    return instance;
  }

  #reviveMap(map: Record<string, unknown>): object {
    this.enter(map);
    for (const key of Object.keys(map)) {
      const item = map[key];
      if (typeof item === 'object' && item !== null) map[key] = this.revive(item);
    }
    return map;
  }

  #reviveTagged(items: unknown[], tag: unknown): unknown {
    if (this.#meter !== undefined && typeof tag === 'number') this.#meter.begin(tag, items.length);
    switch (tag) {
      case Tag.Array:
        return this.#reviveArray(items);
      case Tag.Reference:
        return this.#reviveReference(items[0]);
      case Tag.Undefined:
        return undefined;
      case Tag.BigInt:
        return reviveBigInt(items[0]);
      case Tag.Utf16:
        return reviveUtf16(items[0]);
      case Tag.SparseArray:
        return this.#reviveSparse(items);
      case Tag.Entries:
        return this.#reviveEntries({}, items, 0);
      case Tag.NullPrototype:
        return this.#reviveEntries(Object.create(null), items, 0);
      case Tag.Class:
        return this.#reviveInstance(items);
      default:
        return this.#reviveType(items, tag);
    }
  }

  #reviveArray(items: unknown[]): unknown[] {
    this.enter(items);
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      if (typeof item === 'object' && item !== null) items[index] = this.revive(item);
    }
    return items;
  }

  #reviveSparse(items: unknown[]): unknown {
    const array: unknown[] = [];
    const length = expectNumber(items[0]);
    // From this length on V8 keeps a hash table and never makes room for the holes, however many a few bytes claim.
    if (length > mostHoles) array.length = 2 ** 32 - 1;
    array.length = length;
    return this.#reviveEntries(array, items, 1);
  }

  #reviveEntries(target: object, items: unknown[], from: number): object {
    this.enter(target);
    for (let index = from; index + 1 < items.length; index += 2) {
      const item = items[index];
      const key = typeof item === 'number' ? item : expectString(this.revive(item));
      const value = this.revive(items[index + 1]);
      // Not an assignment, which would make `__proto__` the prototype.
      Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return target;
  }

  #reviveReference(item: unknown): unknown {
    const object = this.#objects[expectNumber(item)];
    if (object === undefined || object === unfinished)
      throw new TypeError(`Expected an object numbered ${item}`);
    return object;
  }

  #reviveInstance([item, data]: unknown[]): unknown {
    const tag = expectString(item);
    const codec = this.#codecs.withTag(tag);
    if (codec === undefined) {
      throw unreadable(
        `Expected \`codecs\` to have one with the tag \`${tag}\`, which the stored value was written with`,
      );
    }
    const number = this.#objects.push(unfinished) - 1;
    const revived = this.revive(data);
    try {
      const instance = codec.decode(revived);
      this.#objects[number] = instance;
      return instance;
    } catch (error) {
      throw unreadable(`Expected the codec \`${tag}\` to decode what it had encoded, got an error`, error);
    }
  }

  #reviveType(items: unknown[], tag: unknown): unknown {
    const type = typeof tag === 'number' ? richTypeWithTag(tag) : undefined;
    if (type === undefined) throw new TypeError(`Expected a known tag, got ${String(tag)}`);
    return type.revive(items, this);
  }
}

function reviveBigInt(item: unknown): bigint {
  const digits = expectString(item);
  return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
}

function reviveUtf16(item: unknown): string {
  if (!Buffer.isBuffer(item)) throw new TypeError('Expected bytes in a form');
  return item.toString('utf16le');
}
