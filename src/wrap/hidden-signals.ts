/** Abort signals in what a tool is given as it is: instances of classes, maps, hidden fields, whatever lies deep. */

import { types } from 'node:util';
import { isAbortSignal } from '../guard/abort-signal.js';

/** Where the getters of classes hand out signals: `request.signal`. */
const signalNames = ['signal', 'abortSignal'] as const;

/** So many objects are looked into: enough for contexts. */
const mostObjects = 10_000;

/** Whether any signal reached from these arguments is aborted. */
export function holdsAbortedSignal(args: readonly unknown[]): boolean {
  const known = new Set<object>();
  const add = (value: unknown) => {
    if (typeof value === 'object' && value !== null && known.size < mostObjects) known.add(value);
  };
  for (const each of args) add(each);
  // What is added meanwhile has its turn too.
  for (const object of known) {
    try {
      if (isAbortSignal(object)) {
        if (object.aborted) return true;
      } else addMembers(object, add);
    } catch {
      // What can't be read holds no signal that the tool could have heeded.
    }
  }
  return false;
}

function addMembers(object: object, add: (value: unknown) => void): void {
  if (ArrayBuffer.isView(object)) return;
  for (const key of Reflect.ownKeys(object)) add(Object.getOwnPropertyDescriptor(object, key)?.value);
  for (const name of signalNames) add((object as Readonly<Record<string, unknown>>)[name]);
  if (types.isMap(object)) for (const [key, value] of object) [key, value].forEach(add);
  if (types.isSet(object)) for (const value of object) add(value);
}
