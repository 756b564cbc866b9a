/** Built-in classes by name, whichever realm they are from: Jest and vitest's vm pools run tests in another one than Node's. */

const names = new WeakMap<object, string>();

/** The name of the built-in class that `prototype` belongs to, of this realm or another; `undefined` if to none. */
export function builtInName(prototype: object): string | undefined {
  let name = names.get(prototype);
  if (name === undefined) {
    name = findName(prototype);
    names.set(prototype, name);
  }
  return name === '' ? undefined : name;
}

function findName(prototype: object): string {
  const owner: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof owner !== 'function' || owner.prototype !== prototype) return '';
  // Fake timers put a class of their own in its place.
  if (prototype === Date.prototype) return 'Date';
  const isNative = Function.prototype.toString.call(owner) === `function ${owner.name}() { [native code] }`;
  return isNative ? owner.name : '';
}
