/** The way back from a form to the value, in place where it can: forms are freshly decoded and belong to nobody. */

import { ownSlice, type TimeSlice } from '../../next-turn.js';
import type { ClassCodec, ClassCodecs } from '../class-codec.js';
import { unreadable } from '../msgpack/reader.js';
import type { MsgpackSink } from '../msgpack/writer.js';
import { Tag } from './format.js';
import { expectNumber, expectString, type FormSource, type RichParts } from './type.js';
import { richTypeWithTag } from './types.js';

/** What a revival goes by. */
export interface Reviving {
  readonly codecs: ClassCodecs;
  /** Hears of the forms in it. */
  readonly meter?: Pick<MsgpackSink, 'begin'> | undefined;
  /** In slices: the keys of each map under which there are forms to revive. */
  readonly nested?: ReadonlyMap<object, readonly string[]> | undefined;
}

/** The value that `form` stands for. Throws anything when it is no form. */
export function reviveRich(form: unknown, reviving: Reviving): unknown {
  return new Revival(reviving).revive(form);
}

/** The same in slices. @param check throws where the value is not wanted any more: asked before each slice */
export async function reviveRichInSlices(
  form: unknown,
  { check, ...reviving }: Reviving & { readonly check?: (() => void) | undefined },
): Promise<unknown> {
  const revival = new SlicedRevival(form, reviving);
  // What has few parts is made at once.
  let isWhole = revival.goOn({ isOver: true });
  while (!isWhole) {
    const slice = await ownSlice();
    check?.();
    isWhole = revival.goOn(slice);
  }
  return revival.value;
}

/** Stands in for an instance of a user's class until its codec has made it. */
const unfinished = Symbol('unfinished');
/** What `open` returns for an object whose parts come first. */
const opened = Symbol('opened');

/** Longer arrays with holes are made without room for each. */
const mostHoles = 64;
/** Parts of which each takes a microsecond or so: after so many it is time to look at the clock. */
const partsUnseen = 256;

/** An object, or what will be one, some parts of which have yet to be revived. One shape for all, as that is much faster. */
class Open {
  readonly target: unknown;
  readonly items: readonly unknown[];
  /** The item that is revived next. */
  at: number;
  end: number;
  /** Where it is a map: its keys, which are gone through in place of items. */
  readonly keys: readonly string[] | undefined;
  /** Where parts are given to it: how. Else they take the place of their forms. */
  readonly parts: RichParts | undefined;
  /** Where it is the data of such an instance, in a list. */
  readonly unmade: Unmade | undefined;
  /** The key of the part whose value is next. */
  key: unknown = undefined;

  constructor(target: unknown, items: readonly unknown[], { keys, parts, unmade }: Kind) {
    this.target = target;
    this.items = items;
    this.keys = keys;
    this.parts = parts;
    this.unmade = unmade;
    this.at = parts?.from ?? 0;
    this.end = keys === undefined ? items.length : keys.length;
    // A key without its value.
    if (parts?.width === 2 && (this.end - this.at) % 2 === 1) this.end -= 1;
  }

  /** The form of a part, if it is one that is to be revived. */
  form(at: number): unknown {
    return this.keys === undefined ? this.items[at] : (this.target as Fields)[this.keys[at] as string];
  }

  /** Takes the value of the form at this place. */
  take(value: unknown, at: number): void {
    const { keys, parts } = this;
    if (keys !== undefined) (this.target as Fields)[keys[at] as string] = value;
    else if (parts === undefined) (this.target as unknown[])[at] = value;
    else if (parts.width === 2 && (at - parts.from) % 2 === 0) this.key = value;
    else parts.add(this.target as object, value, this.key, at, this.items);
  }
}

type Kind = { readonly [Name in 'keys' | 'parts' | 'unmade']?: Open[Name] };

type Fields = Record<string, unknown>;

const nothing: readonly unknown[] = [];

/** An instance of a user's class that its codec is to make: its data is its only part. */
interface Unmade {
  readonly tag: string;
  readonly codec: ClassCodec;
  readonly number: number;
}

class Revival implements FormSource {
  readonly #codecs: ClassCodecs;
  readonly #meter: Reviving['meter'];
  readonly #nested: Reviving['nested'];
  /** Objects by number. */
  readonly #objects: unknown[] = [];
  /** In slices: the objects that the next part is within, the innermost last. */
  readonly #open: Open[] | undefined;

  constructor({ codecs, meter, nested }: Reviving, open?: Open[]) {
    this.#codecs = codecs;
    this.#meter = meter;
    this.#nested = nested;
    this.#open = open;
  }

  enter<T extends object>(instance: T): T {
    this.#objects.push(instance);
    return instance;
  }

  /** What an object whose parts are all there is in the end. */
  finished({ target, items, unmade }: Open): unknown {
    return unmade === undefined ? target : this.#finish(unmade, items[0]);
  }

  /** The value of a form; in slices `opened` where it has parts, which come first. */
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

  #reviveMap(map: Fields): unknown {
    this.enter(map);
    if (this.#open !== undefined) {
      const keys = this.#keysIn(map);
      return keys.length === 0 ? map : this.#later(map, nothing, { keys });
    }
    for (const key of Object.keys(map)) {
      const item = map[key];
      if (typeof item === 'object' && item !== null) map[key] = this.revive(item);
    }
    return map;
  }

  /** Under which keys of a map there are forms to revive. */
  #keysIn(map: object): readonly string[] {
    const keys = this.#nested?.get(map) ?? [];
    // Bytes that others have made may say one twice.
    return keys.length > 1 ? [...new Set(keys)] : keys;
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
        return this.#reviveParts(sparseArrayParts, items);
      case Tag.Entries:
        return this.#reviveParts(entriesParts, items);
      case Tag.NullPrototype:
        return this.#reviveParts(nullPrototypeParts, items);
      case Tag.Class:
        return this.#reviveInstance(items);
      default:
        return this.#reviveType(items, tag);
    }
  }

  #later(target: unknown, items: readonly unknown[], kind: Kind = {}): typeof opened {
    this.#open?.push(new Open(target, items, kind));
    return opened;
  }

  #reviveArray(items: unknown[]): unknown {
    this.enter(items);
    if (this.#open !== undefined) return this.#later(items, items);
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      if (typeof item === 'object' && item !== null) items[index] = this.revive(item);
    }
    return items;
  }

  #reviveParts(parts: RichParts, items: readonly unknown[]): unknown {
    const { from, width } = parts;
    const target = this.enter(parts.create(items));
    if (this.#open !== undefined) return this.#later(target, items, { parts });
    for (let at = from + width - 1; at < items.length; at += width) {
      const key = width === 2 ? this.revive(items[at - 1]) : undefined;
      parts.add(target, this.revive(items[at]), key, at, items);
    }
    return target;
  }

  #reviveReference(item: unknown): unknown {
    const object = this.#objects[expectNumber(item)];
    if (object === undefined || object === unfinished)
      throw new TypeError(`Expected an object numbered ${item}`);
    return object;
  }

  #reviveInstance([item, data]: readonly unknown[]): unknown {
    const tag = expectString(item);
    const codec = this.#codecs.withTag(tag);
    if (codec === undefined) {
      throw unreadable(
        `Expected \`codecs\` to have one with the tag \`${tag}\`, which the stored value was written with`,
      );
    }
    const unmade = { tag, codec, number: this.#objects.push(unfinished) - 1 };
    if (this.#open === undefined) return this.#finish(unmade, this.revive(data));
    const list = [data];
    return this.#later(list, list, { unmade });
  }

  #finish({ tag, codec, number }: Unmade, data: unknown): unknown {
    try {
      const instance = codec.decode(data);
      this.#objects[number] = instance;
      return instance;
    } catch (error) {
      throw unreadable(`Expected the codec \`${tag}\` to decode what it had encoded, got an error`, error);
    }
  }

  #reviveType(items: unknown[], tag: unknown): unknown {
    const type = typeof tag === 'number' ? richTypeWithTag(tag) : undefined;
    if (type === undefined) throw new TypeError(`Expected a known tag, got ${String(tag)}`);
    return typeof type.revive === 'function'
      ? type.revive(items, this)
      : this.#reviveParts(type.revive, items);
  }
}

/** The same without recursion, so that it can stop anywhere. */
class SlicedRevival {
  readonly #revival: Revival;
  readonly #open: Open[] = [];
  /** What was made last: in the end, the whole. */
  value: unknown;

  constructor(form: unknown, reviving: Reviving) {
    this.#revival = new Revival(reviving, this.#open);
    this.value = this.#revival.revive(form);
  }

  /** Goes on until the slice is over; tells whether the value is whole. */
  goOn(slice: Pick<TimeSlice, 'isOver'>): boolean {
    const open = this.#open;
    let partsLeft = partsUnseen;
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      let value: unknown;
      while (top.at < top.end && value !== opened) {
        if (--partsLeft === 0) {
          if (slice.isOver) return false;
          partsLeft = partsUnseen;
        }
        const at = top.at++;
        const form = top.form(at);
        // Most stand for themselves, and are in their places.
        if (top.parts === undefined && (typeof form !== 'object' || form === null)) continue;
        value = this.#revival.revive(form);
        if (value !== opened) top.take(value, at);
      }
      if (value === opened) continue;
      open.pop();
      this.value = this.#revival.finished(top);
      const outer = open.at(-1);
      outer?.take(this.value, outer.at - 1);
    }
    return true;
  }
}

/** Objects that are made of keys and values. A numeric key is an index. */
function partsOf(create: RichParts['create'], from = 0): RichParts {
  return {
    from,
    width: 2,
    create,
    add(target, value, given) {
      const key = typeof given === 'number' ? given : expectString(given);
      // Not an assignment, which would make `__proto__` the prototype.
      Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
    },
  };
}

const entriesParts = partsOf(() => ({}));
const nullPrototypeParts = partsOf(() => Object.create(null));
const sparseArrayParts = partsOf(([first]) => {
  const array: unknown[] = [];
  const length = expectNumber(first);
  // From this length on V8 keeps a hash table and never makes room for the holes, however many a few bytes claim.
  if (length > mostHoles) array.length = 2 ** 32 - 1;
  array.length = length;
  return array;
}, 1);

function reviveBigInt(item: unknown): bigint {
  const digits = expectString(item);
  return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
}

function reviveUtf16(item: unknown): string {
  if (!Buffer.isBuffer(item)) throw new TypeError('Expected bytes in a form');
  return item.toString('utf16le');
}
