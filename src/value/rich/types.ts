/** The built-in classes that can be stored, one line each in the list below. */

import { types } from 'node:util';
import { builtInName } from '../built-in-name.js';
import { Step } from '../value-path.js';
import { arrayBufferType, bufferType, viewType } from './binary.js';
import { errorType } from './error.js';
import { Tag } from './format.js';
import { expectNumber, expectString, type RichType } from './type.js';

const dateType: RichType<Date> = {
  tag: Tag.Date,
  prototypes: [Date.prototype],
  isOne: types.isDate,
  report(date, to) {
    if (Reflect.ownKeys(date).some((key) => !isOfFakeTimers(date, key))) {
      to.refuse('an instance of `Date` with properties of its own');
    }
    to.sink.begin(Tag.Date, 1);
    to.sink.number(Date.prototype.getTime.call(date));
    to.sink.end(Tag.Date);
  },
  revive: ([time], from) => from.enter(new Date(expectNumber(time))),
};

/** Those of test runners hide a `constructor` in each of their dates. */
function isOfFakeTimers(date: Date, key: PropertyKey): boolean {
  return key === 'constructor' && Object.getOwnPropertyDescriptor(date, key)?.enumerable === false;
}

const regExpType: RichType<RegExp> = {
  tag: Tag.RegExp,
  prototypes: [RegExp.prototype],
  isOne: types.isRegExp,
  ownKeys: 1,
  report(regExp, to) {
    if (typeof regExp.lastIndex !== 'number') to.refuse('a RegExp whose `lastIndex` is not a number');
    to.sink.begin(Tag.RegExp, 3);
    to.visit(regExp.source);
    to.sink.string(regExp.flags);
    to.visit(regExp.lastIndex);
    to.sink.end(Tag.RegExp);
  },
  revive([source, flags, lastIndex], from) {
    const regExp = from.enter(new RegExp(expectString(from.revive(source)), expectString(flags)));
    regExp.lastIndex = expectNumber(lastIndex);
    return regExp;
  },
};

const mapType: RichType<Map<unknown, unknown>> = {
  tag: Tag.Map,
  prototypes: [Map.prototype],
  isOne: types.isMap,
  ownKeys: 0,
  report(map, to) {
    // A copy, since a class codec at work inside may change the map.
    const entries = [...map];
    to.sink.begin(Tag.Map, 2 * entries.length);
    for (const [index, [key, value]] of entries.entries()) {
      to.visitAt(new Step(`<key ${index}>`), key);
      to.visitAt(new Step(`<value ${index}>`), value);
    }
    to.sink.end(Tag.Map);
  },
  revive: {
    from: 0,
    width: 2,
    create: () => new Map<unknown, unknown>(),
    add: (map, value, key) => void map.set(key, value),
  },
};

const setType: RichType<Set<unknown>> = {
  tag: Tag.Set,
  prototypes: [Set.prototype],
  isOne: types.isSet,
  ownKeys: 0,
  report(set, to) {
    const items = [...set];
    to.sink.begin(Tag.Set, items.length);
    for (const [index, item] of items.entries()) to.visitAt(new Step(`<item ${index}>`), item);
    to.sink.end(Tag.Set);
  },
  revive: {
    from: 0,
    width: 1,
    create: () => new Set<unknown>(),
    add: (set, value) => void set.add(value),
  },
};

const urlType: RichType<URL> = {
  tag: Tag.Url,
  prototypes: [URL.prototype],
  isOne: (value) => isUsable(() => (value as URL).href),
  ownKeys: Reflect.ownKeys(new URL('about:blank')).length,
  report(url, { sink }) {
    sink.begin(Tag.Url, 1);
    sink.string(url.href);
    sink.end(Tag.Url);
  },
  revive: ([href], from) => from.enter(new URL(expectString(href))),
};

const urlSearchParamsType: RichType<URLSearchParams> = {
  tag: Tag.UrlSearchParams,
  prototypes: [URLSearchParams.prototype],
  isOne: (value) => isUsable(() => (value as URLSearchParams).toString()),
  ownKeys: Reflect.ownKeys(new URLSearchParams()).length,
  report(params, { sink }) {
    sink.begin(Tag.UrlSearchParams, 1);
    sink.string(params.toString());
    sink.end(Tag.UrlSearchParams);
  },
  revive: ([query], from) => from.enter(new URLSearchParams(expectString(query))),
};

const richTypes = [
  dateType,
  regExpType,
  mapType,
  setType,
  errorType,
  bufferType,
  arrayBufferType,
  viewType,
  urlType,
  urlSearchParamsType,
] as unknown as readonly RichType[];

const byPrototype = new Map(
  richTypes.flatMap((type) => type.prototypes.map((prototype) => [prototype, type])),
);

/** By class name, for instances of another realm's classes. The names are those of the prototypes above. */
const byName = new Map(
  richTypes.flatMap((type) =>
    type.prototypes.flatMap((prototype) => {
      const name = builtInName(prototype);
      return name === undefined ? [] : [[name, type] as const];
    }),
  ),
);

const byTag = new Map(richTypes.map((type) => [type.tag, type]));

/** The type that this object is of. */
export function richTypeOf(value: object, prototype: object | null): RichType | undefined {
  if (prototype === null) return undefined;
  const type = byPrototype.get(prototype) ?? byName.get(builtInName(prototype) ?? '');
  return type?.isOne(value) === true ? type : undefined;
}

export function richTypeWithTag(tag: number): RichType | undefined {
  return byTag.get(tag);
}

function isUsable(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
}
