/** The options of a single call: checked before anything is looked up, so that a mistake shows on a hit too. */

import { inspect } from 'node:util';
import { InvalidOptionError } from '../errors.js';
import {
  type LoadOptions,
  type LookupOptions,
  methodOptionNames,
  type ResolvedMethodOptions,
  resolveCallOptions,
  type SetOptions,
} from '../options.js';

/** A kind of call, and the options that it takes. */
interface CallKind<O> {
  readonly name: string;
  readonly options: Readonly<Record<keyof Required<O>, true>>;
}

/** `get`, `has`, `delete` and their like. */
export const lookupCall: CallKind<LookupOptions> = { name: 'a lookup', options: { scope: true } };

/** `set` and `setSync`. */
export const setCall: CallKind<SetOptions> = {
  name: '`set`',
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

/** @throws InvalidOptionError naming the option, its value and the fix */
export function checkCallOptions<O extends object>(
  options: O,
  kind: CallKind<O>,
  method: ResolvedMethodOptions,
): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(
      `Expected the options of ${kind.name} to be an object, got \`${inspect(options, { depth: 0 })}\``,
    );
  }
  let isPlain = true;
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(kind.options, name)) throw unknownOption(name, kind);
    // A scope is checked where it becomes part of the key.
    if (name === 'signal') checkSignal((options as LoadOptions).signal);
    else if (name !== 'scope') isPlain = false;
  }
  if (!isPlain) resolveCallOptions(options, method);
}

function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  if (typeof signal === 'object' && signal !== null) {
    const { aborted, addEventListener } = signal as Partial<AbortSignal>;
    if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return;
  }
  const fix = signal instanceof AbortController ? ': pass its `signal`' : '';
  throw new InvalidOptionError(
    `Expected \`signal\` to be an AbortSignal, got \`${inspect(signal, { depth: 0 })}\`${fix}`,
  );
}

function unknownOption(name: string, { name: call, options }: CallKind<never>): InvalidOptionError {
  if ((methodOptionNames as readonly string[]).includes(name)) {
    return new InvalidOptionError(
      `\`${name}\` is no option of ${call}: give it to the method, \`methods: { <name>: { ${name}: … } }\`, or to the ` +
        'wrapped function',
    );
  }
  return new InvalidOptionError(
    `Unknown option \`${name}\` of ${call}. Known: ${Object.keys(options).join(', ')}`,
  );
}
