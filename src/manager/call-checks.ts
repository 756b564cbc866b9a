/**
 * Checks of what a call is given, before anything is looked up, so that a mistake shows on a hit too: its options, its
 * arguments (`set(key, value, ttl)` as other caches take it is refused with the right call), and the request of `load`.
 */

import { resolve } from 'node:path';
import { isDurationText } from '../duration.js';
import { InvalidArgumentError, InvalidOptionError } from '../errors.js';
import { nativeSignal } from '../guard/abort-signal.js';
import { refuseIdleOptions } from '../guard/idle-options.js';
import { needStackRoom } from '../guard/stack-room.js';
import { refuseUnknown, shown } from '../option-checks.js';
import {
  type LoadOptions,
  type LookupOptions,
  methodOptionNames,
  ofTheCache,
  type ResolvedMethodOptions,
  resolveCallOptions,
  type SetOptions,
} from '../options.js';

/** A kind of call, and the options that it takes. */
interface CallKind<O> {
  readonly name: string;
  readonly example: string;
  readonly options: Readonly<Record<keyof Required<O>, true>>;
}

/** `get`, `has`, `delete` and their like. */
export const lookupCall: CallKind<LookupOptions> = {
  name: 'a lookup',
  example: "{ scope: 'task-1' }",
  options: { scope: true },
};

/** `set` and `setSync`. */
export const setCall: CallKind<SetOptions> = {
  name: '`set`',
  example: '{ ttl: 60_000 }',
  options: {
    scope: true,
    ttl: true,
    staleWhileRevalidate: true,
    staleIfError: true,
    jitter: true,
    memoryTtl: true,
    negativeTtl: true,
    isNegative: true,
    tags: true,
    sliding: true,
    maxAge: true,
    cost: true,
  },
};

/** `getOrSet` and `refresh`. */
export const loadCall: CallKind<LoadOptions> = {
  name: '`getOrSet`',
  example: '{ ttl: 60_000 }',
  options: {
    ...setCall.options,
    signal: true,
    refreshAhead: true,
    cacheErrors: true,
    isError: true,
    softTimeout: true,
    hardTimeout: true,
  },
};

/** Those of a call that has none. */
export const noOptions: LoadOptions = Object.freeze({});

/** The options that decide how fresh a value is to a call: its method's, where the call says nothing of its own. */
export function ttlOptions(
  call: Omit<LoadOptions, 'signal'>,
  method: ResolvedMethodOptions,
): ResolvedMethodOptions {
  const isUnsaid =
    call.ttl === undefined &&
    call.negativeTtl === undefined &&
    call.sliding === undefined &&
    call.maxAge === undefined;
  return isUnsaid ? method : resolveCallOptions(call, method);
}

/** @throws InvalidOptionError naming the option, its value and the fix */
export function checkCallOptions<O extends object>(
  options: O,
  kind: CallKind<O>,
  method: ResolvedMethodOptions,
): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(
      `Expected the options of ${kind.name} to be an object, as \`${kind.example}\`, got ${shown(options)}`,
    );
  }
  let isPlain = true;
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(kind.options, name)) refuseOption(options, kind);
    // A scope is checked where it becomes part of the key.
    if (name === 'signal') checkSignal((options as LoadOptions).signal);
    else if (name !== 'scope') isPlain = false;
  }
  if (!isPlain) refuseIdleOptions(options, '', resolveCallOptions(options, method));
}

/** The options with a signal of Node's own for a foreign one, which may know no reason: the wait then ends with an `AbortError`. */
export function withNativeSignal(options: LoadOptions): LoadOptions {
  const { signal } = options;
  if (signal === undefined || signal instanceof AbortSignal) return options;
  return { ...options, signal: nativeSignal(signal) };
}

function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  if (typeof signal === 'object' && signal !== null) {
    const { aborted, addEventListener } = signal as Partial<AbortSignal>;
    if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return;
  }
  const fix = signal instanceof AbortController ? ': pass its `signal`' : '';
  throw new InvalidOptionError(`Expected \`signal\` to be an AbortSignal, got ${shown(signal)}${fix}`);
}

function refuseOption(given: object, { name: of, options }: CallKind<never>): void {
  refuseUnknown(given, Object.keys(options), {
    of,
    elsewhere: (name) => {
      if (!(methodOptionNames as readonly string[]).includes(name)) return ofTheCache(name);
      return (
        `\`${name}\` is no option of ${of}: give it to the method, \`methods: { <name>: { ${name}: … } }\`, or to the ` +
        'wrapped function'
      );
    },
  });
}

/** Each call as it is made, and how many arguments it can't do without. */
const calls = {
  key: ['key(method, params)', 2],
  get: ['get(method, params)', 2],
  getSync: ['getSync(method, params)', 2],
  lookup: ['lookup(method, params)', 2],
  peek: ['peek(method, params)', 2],
  has: ['has(method, params)', 2],
  delete: ['delete(method, params)', 2],
  expire: ['expire(method, params)', 2],
  set: ['set(method, params, value, { ttl })', 3],
  setSync: ['setSync(method, params, value, { ttl })', 3],
  getOrSet: ['getOrSet(method, params, loader, { ttl })', 3],
  refresh: ['refresh(method, params, loader)', 3],
  getMany: ['getMany(method, listOfParams)', 2],
  setMany: ['setMany(method, [[params, value], …])', 2],
  deleteMany: ['deleteMany(method, listOfParams)', 2],
  deleteKey: ['deleteKey(method, key)', 2],
  expireKey: ['expireKey(method, key)', 2],
  deleteWhere: ['deleteWhere(method, { scope, version, params })', 2],
} as const;

/** A call that takes a method and params. */
export type CallName = keyof typeof calls;

/**
 * @param given how many arguments there are; `undefined` is one
 * @param value what is to be stored, for `set` and `setSync`
 * @throws InvalidArgumentError with the right call
 */
export function checkCount(call: CallName, method: unknown, given: number, value: unknown): void {
  const [form, least] = calls[call];
  if (value !== undefined) refuseKeyedSet(method, value, given);
  if (given >= least) return;
  throw new InvalidArgumentError(
    `Expected \`${form}\`, got ${given} argument${given === 1 ? '' : 's'}, the first of them ${shown(method)}: a ` +
      "method is a tool's name, and what it is called with are its params",
  );
}

/**
 * `checkCount` for a method's handle, which knows the method.
 * @throws InvalidArgumentError with the right call
 */
export function checkHandleCount(call: CallName, given: number): void {
  const [form, least] = calls[call];
  if (given >= least - 1) return;
  const own = form.replace('method, ', '');
  throw new InvalidArgumentError(`Expected \`${own}\`, got ${given} argument${given === 1 ? '' : 's'}`);
}

/** A call that takes nothing would leave an argument unread, and do more than was meant. @throws InvalidArgumentError */
export function refuseArguments(call: string, given: number, instead: string): void {
  if (given > 0) throw new InvalidArgumentError(`Expected \`${call}\` without arguments: ${instead}`);
}

/** @throws InvalidArgumentError for `method(name, options)` */
export function refuseMethodOptions(given: number): void {
  if (given < 2) return;
  throw new InvalidArgumentError(
    'Expected `method(name)`: options of a method go into the cache, `new CacheManager({ methods: { name: { ttl } } })`',
  );
}

/** @throws InvalidArgumentError for what is neither a method's name nor left out */
export function checkMethodName(call: string, method: unknown): void {
  if (method === undefined || (typeof method === 'string' && method !== '')) return;
  throw new InvalidArgumentError(
    `Expected \`${call}(method)\` with a method's name, or \`${call}()\` for all, got ${shown(method)}`,
  );
}

/** A name that ends in an id: what other caches call a key. */
const keyLike = /[:/|#](?:\d+|[\da-f]{8,}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i;

/**
 * `set('user:1', value, 60_000)` would store 60000, and with `'1m'` that text. Only what can hardly be anything else is
 * refused: a method that looks like a key, and a time to live in the place of a value.
 * @throws InvalidArgumentError with the right call
 */
function refuseKeyedSet(method: unknown, value: unknown, given: number): void {
  if (given > 3 || typeof method !== 'string') return;
  // V8 ends the process where it makes code of a regular expression and the stack has no room for that.
  needStackRoom();
  if (!keyLike.test(method) || !isTtl(value)) return;
  throw new InvalidArgumentError(
    `Expected \`${calls.set[0]}\`, got ${shown(method)}, a value and ${shown(value)}: write ` +
      `\`set('user', { id: 1 }, value, { ttl: ${typeof value === 'number' ? value : 60_000} })\`. Where that is the ` +
      'value of such a method, say so by options, which may be `{}`.',
  );
}

/** @throws InvalidArgumentError for what is no list; text is none, though it can be iterated */
export function checkList(call: CallName, list: unknown): void {
  const isList = typeof list === 'object' && list !== null && Symbol.iterator in list;
  if (!isList)
    throw new InvalidArgumentError(`Expected \`${calls[call][0]}\`, got ${shown(list)} for the list`);
}

/** @throws InvalidArgumentError for an item of `setMany` that is no pair */
export function checkPair(pair: unknown): void {
  if (Array.isArray(pair) && pair.length === 2) return;
  throw new InvalidArgumentError(
    `Expected \`${calls.setMany[0]}\`, got the item ${shown(pair)}: a pair of params and value`,
  );
}

function isTtl(value: unknown): boolean {
  if (typeof value === 'number') return value >= 0;
  if (typeof value === 'string') return isDurationText(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.keys(value).length === 1 && 'ttl' in value;
}

/** What `load` reads. */
export interface LoadRequest {
  /** What is new in `persistDir`, or all of it. @default 'incremental' */
  readonly mode?: 'full' | 'incremental';
  /** Files or folders to read instead of `persistDir`. */
  readonly files?: string | readonly string[];
}

const fields = ['mode', 'files'];

/** The request with its paths made absolute. @throws InvalidArgumentError */
export function checkedLoadRequest(request: LoadRequest): {
  readonly mode?: 'full' | 'incremental';
  readonly files?: readonly string[];
} {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw expected('what `load` is given', 'an object', request);
  }
  refuseUnknown(request, fields, { of: '`load`', noun: 'field', Refusal: InvalidArgumentError });
  const { mode, files } = request;
  if (mode !== undefined && mode !== 'full' && mode !== 'incremental') {
    throw expected('`mode` of `load`', "'incremental' or 'full'", mode);
  }
  if (files === undefined) return mode === undefined ? {} : { mode };
  if (mode !== undefined) {
    throw new InvalidArgumentError(
      'Expected `mode` or `files` of `load`, got both: files are read as a whole',
    );
  }
  const paths: readonly unknown[] = Array.isArray(files) ? files : [files];
  const isPath = (path: unknown) => typeof path === 'string' && path !== '' && !path.includes('\0');
  if (!paths.every(isPath)) throw expected('`files` of `load`', 'a path or an array of paths', files);
  return { files: paths.map((path) => resolve(path as string)) };
}

function expected(what: string, kind: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`Expected ${what} to be ${kind}, got ${shown(value)}`);
}
