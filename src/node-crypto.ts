/** Node's `crypto`, loaded when it is first needed: that takes 2 to 4 ms, more than most packages take to import. */

let loaded: typeof import('node:crypto') | undefined;

export function nodeCrypto(): typeof import('node:crypto') {
  loaded ??= process.getBuiltinModule('node:crypto');
  return loaded;
}
