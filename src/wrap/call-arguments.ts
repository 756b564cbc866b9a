/** The arguments of one call: which of them are abort signals, and which are the params that make its key. */

import { InvalidArgumentError } from '../errors.js';
import { isPlain } from '../key/tagged-form.js';
import { copyFields, plainCopy, setField } from './plain-copy.js';

/** Makes the params of a call from its arguments. Throws where they can't be told. */
export type ParamsOf = (args: CallArguments) => unknown;

type Fields = Readonly<Record<string, unknown>>;

/**
 * A call's arguments, its abort signals told apart. A signal is the last argument, or an own field of a single object
 * argument; elsewhere it is an argument like any other.
 */
export class CallArguments {
  readonly given: readonly unknown[];
  /** The arguments without signals. */
  readonly data: readonly unknown[];
  /** Aborts the call: the signal given, or any of several. */
  readonly signal: AbortSignal | undefined;
  readonly #hasTrailing: boolean;
  readonly #fields: readonly string[] | undefined;

  constructor(given: readonly unknown[]) {
    this.given = given;
    const last = given[given.length - 1];
    this.#hasTrailing = isSignal(last);
    let data = this.#hasTrailing ? given.slice(0, -1) : given;
    this.signal = this.#hasTrailing ? (last as AbortSignal) : undefined;
    const only = data[0];
    const fields = data.length === 1 && isPlainObject(only) ? signalFields(only) : undefined;
    this.#fields = fields;
    if (fields !== undefined) {
      const object = only as Fields;
      const signals = fields.map((name) => object[name]).filter(isSignal);
      if (this.signal !== undefined) signals.push(this.signal);
      this.signal = signals.length === 1 ? signals[0] : AbortSignal.any(signals);
      data = [withoutFields(object, fields)];
    }
    this.data = data;
  }

  /** Arguments of the tool's own, which nobody else can change. Throws for what is nested too deeply. */
  copy(): CallArguments {
    return new CallArguments(this.given.map(plainCopy));
  }

  /** The arguments, with the load's signal for the caller's own: a load ends when all who wait for it have left. */
  givenUnder(signal: AbortSignal): readonly unknown[] {
    if (this.signal === undefined || this.signal === signal) return this.given;
    const args = this.given.slice();
    if (this.#hasTrailing) args[args.length - 1] = signal;
    if (this.#fields !== undefined) {
      const object = copyFields(args[0] as object, (value) => value);
      for (const name of this.#fields) setField(object, name, signal);
      args[0] = object;
    }
    return args;
  }
}

/** A single plain object is the params itself; other arguments are a list. */
export function argumentsAsParams({ data }: CallArguments): unknown {
  return data.length === 1 && isPlainObject(data[0]) ? data[0] : data;
}

/** The arguments by name, as in a Python call with keywords; what is `undefined` was not given. */
export function namedParams(names: readonly string[]): ParamsOf {
  return ({ data }) => {
    const params: Record<string, unknown> = {};
    for (let i = 0; i < data.length; i++) {
      if (data[i] === undefined) continue;
      const name = names[i];
      if (name === undefined) {
        throw new InvalidArgumentError(
          `Expected at most ${names.length} arguments, as \`params\` names ${names.join(', ') || 'none'}, got ` +
            `${data.length}: name them all`,
        );
      }
      if (name === '__proto__') setField(params, name, data[i]);
      else params[name] = data[i];
    }
    return params;
  };
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && isPlain(value);
}

function isSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value instanceof AbortSignal;
}

function signalFields(object: object): string[] | undefined {
  let found: string[] | undefined;
  for (const name in object) {
    const value = (object as Fields)[name];
    // Most fields are told by their type alone, without a walk along prototypes.
    if (typeof value !== 'object' || !isSignal(value) || !Object.hasOwn(object, name)) continue;
    found ??= [];
    found.push(name);
  }
  return found;
}

function withoutFields(object: Fields, names: readonly string[]): object {
  const rest: Record<string, unknown> = {};
  for (const name of Object.keys(object)) if (!names.includes(name)) setField(rest, name, object[name]);
  return rest;
}
