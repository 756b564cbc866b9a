/** Keys: the md5 of a method and its params, the same from JavaScript and from Python. */

import { InvalidArgumentError } from '../errors.js';
import { nodeCrypto } from '../node-crypto.js';
import { refuseUnknown } from '../option-checks.js';
import { canonicalJson, canonicalText, printedText } from './canonical-json.js';
import { type IgnoredPath, ignoredMembers } from './ignored-path.js';
import { escapeInPieces } from './json-escape.js';

/** What enters a key beside the method and the params. */
export interface KeyOptions {
  /** Who may share the entry: a task, user or tenant, as any hashable data. Not given, or `undefined`: everybody. */
  readonly scope?: unknown;
  /** Which version of the tool answered. A changed tool is a new tool. */
  readonly version?: string | number | undefined;
  /** Paths of arguments that make no difference: `['trace_id', 'meta.requestId', ['meta', 'request.id']]`. */
  readonly ignore?: readonly IgnoredPath[] | undefined;
}

const noOptions: KeyOptions = Object.freeze({});

/** Gives the keys of one method: 32 hex digits. */
export type KeyHasher = (params: unknown, scope?: unknown) => string;

/** What enters all keys of one method under one version, before and behind the params; no two have the same. */
export function keyFrame(method: string, version: string | number | undefined): string {
  return `${method}:${versionTail(version)}`;
}

/**
 * The key of one call: the md5, as 32 hex digits, of `method + ":" + canonicalJson(params)`, followed, if scope or
 * version is given, by a newline and the canonical JSON of an object of those given. In Python:
 *
 * ```python
 * text = f"{method}:{json.dumps(params, sort_keys=True)}"
 * if extras:  # {"scope": ..., "version": ...}, those given
 *     text += "\n" + json.dumps(extras, sort_keys=True)
 * key = hashlib.md5(text.encode()).hexdigest()
 * ```
 *
 * No two calls have the same text, not even of the methods `a` and `a:b`: outside of strings a canonical JSON has
 * a space after each colon, and what follows a colon inside of a string has an odd number of quotes, so what
 * follows a colon of it is never a canonical JSON itself.
 *
 * As in JSON, fields that are hidden don't enter the key: calls may differ in them unnoticed.
 *
 * @throws InvalidArgumentError for a method that is empty, no string or not well-formed, or a malformed option.
 * @throws UnhashableParamsError for params that can't have a key of their own.
 *
 * @example
 * hashKey('search', { query: 'otters', limit: 10 }); // '26518cab557116298782478c6024f43f'
 * hashKey('search', { query: 'otters', trace_id: 7 }, { scope: 'task-1', ignore: ['trace_id'] });
 */
export function hashKey(method: string, params: unknown, options: KeyOptions = noOptions): string {
  // biome-ignore lint/complexity/noArguments: only their number tells what was left out from what is undefined.
  if (arguments.length === 1)
    throw new InvalidArgumentError(
      'Expected `hashKey(method, params)`, got 1 argument: give the params, too',
    );
  if (options !== noOptions) checkOptions(options);
  return createKeyHasher(method, options)(params, options.scope);
}

/** Prepares `hashKey` for many calls of one method. */
export function createKeyHasher(method: string, options: Omit<KeyOptions, 'scope'> = {}): KeyHasher {
  checkMethod(method);
  const { version } = options;
  checkVersion(version);
  const prefix = `${method}:`;
  const ignored = ignoredMembers(options.ignore);
  const unscoped = versionTail(version);
  return (params, scope) => {
    const printed = printedText(params, 'params', ignored);
    const tail = scope === undefined ? unscoped : scopedTail(scope, version);
    if (typeof printed === 'string') return nodeCrypto().hash('md5', prefix + printed + tail);
    const digest = nodeCrypto().createHash('md5').update(prefix);
    escapeInPieces(printed, (bytes) => digest.update(bytes));
    return digest.update(tail).digest('hex');
  };
}

function versionTail(version: string | number | undefined): string {
  return version === undefined ? '' : `\n${canonicalJson({ version })}`;
}

function scopedTail(scope: unknown, version: string | number | undefined): string {
  const versionField = version === undefined ? '' : `, "version": ${canonicalJson(version)}`;
  return `\n{"scope": ${canonicalText(scope, 'scope', undefined)}${versionField}}`;
}

const optionNames = ['scope', 'version', 'ignore'] as const satisfies (keyof KeyOptions)[];

const loneSurrogate = /\p{Surrogate}/u;

function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(
      `Expected \`hashKey(method, params, { scope, version, ignore })\`, got \`${shown(options)}\` for the options`,
    );
  }
  refuseUnknown(options, optionNames, { of: '`hashKey`', Refusal: InvalidArgumentError });
}

function checkMethod(method: unknown): void {
  if (typeof method !== 'string' || method === '') {
    throw new InvalidArgumentError(`Expected \`method\` to be a non-empty string, got \`${shown(method)}\``);
  }
  if (loneSurrogate.test(method)) {
    throw new InvalidArgumentError(
      `Expected \`method\` to be well-formed Unicode, got a lone surrogate in ${JSON.stringify(method)}: UTF-8 can't say it`,
    );
  }
}

function checkVersion(version: unknown): void {
  if (version === undefined || typeof version === 'string' || Number.isFinite(version)) return;
  throw new InvalidArgumentError(
    `Expected \`version\` to be a string or a finite number, got \`${shown(version)}\``,
  );
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
