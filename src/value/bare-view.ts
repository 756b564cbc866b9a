/** Whether a typed array or DataView is its bytes and nothing else. */

import { isDeepStrictEqual, types } from 'node:util';

interface ViewConstructor {
  new (buffer: ArrayBufferLike, start: number, length: number): ArrayBufferView;
}

/**
 * Whether a view, whose class is built in, has no enumerable properties besides its elements. Throws when its
 * ArrayBuffer is detached.
 */
export function isBareView(view: ArrayBufferView): boolean {
  // Listing the keys would make a string of each index. Comparing views, Node looks at the other keys alone.
  return isDeepStrictEqual(view, bareTwin(view));
}

/** Another view of the same class on the same bytes. */
function bareTwin(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view;
  const prototype: object = Object.getPrototypeOf(view);
  if (prototype === Buffer.prototype) return Buffer.from(buffer, byteOffset, byteLength);
  const viewClass = prototype.constructor as unknown as ViewConstructor;
  const length = types.isTypedArray(view) ? view.length : byteLength;
  return new viewClass(buffer, byteOffset, length);
}
