/** The arguments of one call: which of them are abort signals, and which are the params that make its key. */

import { InvalidArgumentError } from '../errors.js';
import { type AbortSource, AnySignal } from '../guard/shared-abort.js';
import { isPlain } from '../key/tagged-form.js';
import { plainCopy, setField } from './plain-copy.js';
import { SignalPlaces, withoutSignals } from './signal-places.js';

/** Makes the params of a call from its arguments. Throws where they can't be told. */
export type ParamsOf = (args: Pick<CallArguments, 'given' | 'data'>) => unknown;

/** A call's arguments, its abort signals told apart wherever they are: those are its caller's alone. */
export class CallArguments {
  readonly given: readonly unknown[];
  /** The arguments without signals. */
  readonly data: readonly unknown[];
  /** Aborts the call: the signal given, or any of several. */
  readonly signal: AbortSource | undefined;
  readonly #places: SignalPlaces | undefined;

  constructor(given: readonly unknown[]) {
    this.given = given;
    const places = SignalPlaces.among(given);
    this.#places = places;
    this.data = places === undefined ? given : places.dataOf(given);
    const signals = places === undefined ? [] : places.signals;
    this.signal = signals.length > 1 ? new AnySignal(signals) : signals[0];
  }

  /** Arguments of the tool's own, which nobody else can change. Throws for what is nested too deeply. */
  copy(): CallArguments {
    return new CallArguments(this.given.map(plainCopy));
  }

  /** The arguments as they are now: somebody may have changed them since. */
  readAgain(): CallArguments {
    return this.#places === undefined ? this : new CallArguments(this.given);
  }

  /**
   * The arguments, with the load's signal for the caller's own: a load ends when all who wait for it have left. A load's
   * signal is made when it is asked for: most calls have none that it could stand for.
   */
  givenUnder(load: { readonly signal: AbortSignal }): readonly unknown[] {
    if (this.#places === undefined) return this.given;
    // Anew, so that what has changed since is what the tool is given.
    return SignalPlaces.among(this.given)?.replacedBy(load.signal, this.given) ?? this.given;
  }
}

/** What the user's own function makes of the arguments. A signal that it hands on is no part of the key either. */
export function paramsByKey(key: (...args: readonly unknown[]) => unknown): ParamsOf {
  return ({ given }) => withoutSignals(key(...given));
}

/** A single plain object is the params itself; other arguments are a list. */
export function listAsParams(data: readonly unknown[]): unknown {
  if (data.length !== 1) return data;
  const only = data[0];
  return typeof only === 'object' && only !== null && isPlain(only) ? only : data;
}

export const argumentsAsParams: ParamsOf = ({ data }) => listAsParams(data);

/** The arguments by name, as in a Python call with keywords; what is `undefined` was not given. */
export function namedParams(names: readonly string[]): ParamsOf {
  return ({ data }) => {
    const params: Record<string, unknown> = {};
    for (let i = 0; i < data.length; i++) {
      if (data[i] === undefined) continue;
      const name = names[i];
      if (name === undefined) {
        throw new InvalidArgumentError(
          `Expected at most ${names.length} argument${names.length === 1 ? '' : 's'}, as \`params\` names ` +
            `${names.join(', ') || 'none'}, got ${data.length}: name them all`,
        );
      }
      if (name === '__proto__') setField(params, name, data[i]);
      else params[name] = data[i];
    }
    return params;
  };
}
