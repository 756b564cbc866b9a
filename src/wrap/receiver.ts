/** Which objects a wrapped function may be called on without one getting an answer that was another's. */

import { InvalidArgumentError, messageOf } from '../errors.js';
import { shown } from '../option-checks.js';

/** Decides by the object that a function is called on: its `this`. */
export interface ReceiverRule {
  /** Whether a call on this object may use the cache. */
  admits(self: unknown): boolean;
  /** The scope of the entries of calls on this object, `undefined` for none of its own. @throws CacheError */
  scopeOf(self: unknown): string | undefined;
  /** The object to call on when a caller names none. */
  readonly usual: unknown;
}

/** The result does not depend on the receiver, or the user says so. */
export const anyReceiver: ReceiverRule = {
  admits: () => true,
  scopeOf: () => undefined,
  usual: undefined,
};

/** The user's function tells who shares entries. */
export function scopedReceivers(scopeOf: (self: unknown) => unknown): ReceiverRule {
  return {
    admits: () => true,
    usual: undefined,
    scopeOf(self) {
      let scope: unknown;
      try {
        scope = scopeOf(self);
      } catch (cause) {
        const hint = self === undefined ? ` Called without an object: \`.call(instance, …)\` names one.` : '';
        throw new InvalidArgumentError(`The \`scope\` function threw: ${messageOf(cause)}.${hint}`, {
          cause,
        });
      }
      if (typeof scope === 'string') return scope;
      throw new InvalidArgumentError(
        `Expected the \`scope\` function to return a string, got ${shown(scope)}`,
      );
    },
  };
}

/** Only calls on the first receiver are cached: the result may depend on which one it is. */
export class FirstReceiver implements ReceiverRule {
  readonly #needsObject: boolean;
  readonly #onFurther: () => void;
  /** Held weakly: a cache must not keep a user's object alive. */
  #first: WeakRef<object> | { readonly primitive: unknown } | undefined;

  /** @param onFurther called each time another receiver turns up */
  constructor(init: { readonly needsObject: boolean; readonly onFurther: () => void }) {
    this.#needsObject = init.needsObject;
    this.#onFurther = init.onFurther;
  }

  get usual(): unknown {
    if (this.#first === undefined) return undefined;
    return this.#first instanceof WeakRef ? this.#first.deref() : this.#first.primitive;
  }

  scopeOf(): undefined {
    return undefined;
  }

  admits(self: unknown): boolean {
    const first = this.#first;
    if (first === undefined) {
      if (isObject(self)) {
        this.#first = new WeakRef(self);
        return true;
      }
      if (!this.#needsObject) {
        this.#first = { primitive: self };
        return true;
      }
    } else if (first instanceof WeakRef) {
      // Once it is gone nobody takes its place: its entries are still there.
      if (self !== undefined && first.deref() === self) return true;
    } else if (Object.is(first.primitive, self)) {
      return true;
    }
    this.#onFurther();
    return false;
  }
}

const receiverWords = /\b(?:this|super|eval)\b/;

/** Whether a function can't tell what it is called on, going by its source. */
export function ignoresReceiver(fn: (...args: never[]) => unknown): boolean {
  return !readsReceiver(fn) && !Function.prototype.toString.call(fn).endsWith('{ [native code] }');
}

/** Whether a function's source speaks of what it is called on. That of a bound one says nothing. */
export function readsReceiver(fn: (...args: never[]) => unknown): boolean {
  return receiverWords.test(Function.prototype.toString.call(fn));
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
