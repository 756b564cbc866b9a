/**
 * Cached errors: a failure that is sure to repeat is remembered for a short time and thrown again as an equal error.
 *
 * Every caller gets a copy of its own, because callers write on errors (`error.message += …`, `error.handled = true`).
 */

import { types } from 'node:util';
import { type Duration, parseDuration } from '../duration.js';

/** For how long a loader's error is remembered; `false` is not at all. */
export type CacheErrors = (error: unknown) => Duration | false;

/** For how long to remember this error, in ms; 0 is not at all. Throws what the policy throws. */
export function errorTtl(error: unknown, cacheErrors: CacheErrors): number {
  const ttl = cacheErrors(error);
  return ttl === false ? 0 : parseDuration(ttl, 'cacheErrors()');
}

/** An error as it was when it was caught. */
export class KeptError {
  readonly #original: unknown;

  constructor(error: unknown) {
    this.#original = copyOf(error);
  }

  /**
   * A fresh copy to throw: of the same class, with the same name, message, stack, code, cause and own properties.
   *
   * Its plain objects, arrays and nested errors are copies too; what can't be copied (functions, instances of other
   * classes such as a response) is shared. A class that keeps private `#fields` loses those.
   */
  copy(): unknown {
    return copyOf(this.#original);
  }
}

/** Deeper down, parts are shared and not copied: no error may overflow the stack. */
const deepestCopy = 50;

function copyOf(value: unknown): unknown {
  return copyInto(value, new Map(), 0);
}

/** `copies` holds what was copied already, because parts may refer to each other in circles. */
function copyInto(value: unknown, copies: Map<object, object>, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > deepestCopy) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const copy = emptyCopy(value);
  if (copy === undefined) return value;
  copies.set(value, copy);
  for (const key of Reflect.ownKeys(value)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(value, key)!;
    if (isError(value) && key === 'stack') {
      // Newer versions of V8 make it an accessor, which would tell the copy's own stack.
      Reflect.defineProperty(copy, key, { value: value.stack, writable: true, configurable: true });
    } else {
      if ('value' in descriptor) descriptor.value = copyInto(descriptor.value, copies, depth + 1);
      Reflect.defineProperty(copy, key, descriptor);
    }
  }
  return copy;
}

/** A copy yet without own properties, or `undefined` if `value` is to be shared. */
function emptyCopy(value: object): object | undefined {
  const prototype = Reflect.getPrototypeOf(value);
  if (isError(value)) {
    // A DOMException keeps its message and name where only its constructor can put them.
    const error: Error =
      value instanceof DOMException ? new DOMException(value.message, value.name) : new Error();
    delete error.stack;
    return Object.setPrototypeOf(error, prototype);
  }
  if (Array.isArray(value)) return prototype === Array.prototype ? [] : undefined;
  return prototype === Object.prototype || prototype === null ? Object.create(prototype) : undefined;
}

/** Neither test alone will do: one misses DOMExceptions on Node 20, the other the errors of `vm` contexts. */
function isError(value: object): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}
