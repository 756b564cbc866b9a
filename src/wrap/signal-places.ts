/** Where abort signals are among the arguments of a call, so that they can be left out of its key, or replaced. */

import { isAbortSignal, nativeSignal } from '../guard/abort-signal.js';
import { isPlain } from '../key/tagged-form.js';
import { copyFields, setField } from './plain-copy.js';

/**
 * How many plain objects and lists lie within each other, an argument itself counted, that are looked into: enough for
 * the contexts that agent SDKs hand to tools (`context.mcpReq.signal`), and for options that hold such a context.
 */
const maxDepth = 4;

type Fields = Readonly<Record<string, unknown>>;

/**
 * The signals among a call's arguments: as arguments, and at any place in plain objects and lists down to `maxDepth`.
 * Instances of classes are not looked into, since nothing in them can be replaced.
 */
export class SignalPlaces {
  /** All that were found, each once, foreign ones as Node's own. */
  readonly signals: readonly AbortSignal[];
  /** The objects and lists through which signals are reached. */
  readonly #holders: ReadonlySet<object>;

  private constructor(signals: ReadonlySet<AbortSignal>, holders: ReadonlySet<object>) {
    this.signals = [...signals];
    this.#holders = holders;
  }

  /** `undefined` when there are none, as in most calls. */
  static among(args: readonly unknown[]): SignalPlaces | undefined {
    let signals: Set<AbortSignal> | undefined;
    let containers: Set<object> | undefined;
    const look = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      if (Array.isArray(value) || isPlain(value)) {
        containers ??= new Set();
        containers.add(value);
      } else if (isAbortSignal(value)) {
        signals ??= new Set();
        signals.add(nativeSignal(value));
      }
    };
    for (const each of args) look(each);
    // Level by level, and each container once: data may refer to itself, or to one thing many times.
    let level: readonly object[] = containers === undefined ? [] : [...(containers as Set<object>)];
    for (let depth = 1; level.length > 0; depth++) {
      const known = containers === undefined ? 0 : containers.size;
      const mayGoOn = depth < maxDepth;
      for (const container of level) eachField(container, mayGoOn ? look : lookForSignal);
      level = mayGoOn && containers !== undefined ? [...containers].slice(known) : [];
    }
    function lookForSignal(value: unknown): void {
      if (isAbortSignal(value)) look(value);
    }
    if (signals === undefined) return undefined;
    return new SignalPlaces(signals, holdersAmong(containers ?? new Set()));
  }

  /** The arguments without signals: those at the end and fields are left out, others become `undefined`. */
  dataOf(args: readonly unknown[]): readonly unknown[] {
    let count = args.length;
    while (count > 0 && isAbortSignal(args[count - 1])) count--;
    const rebuild = this.#rebuilding(noSignal);
    return args.slice(0, count).map(rebuild);
  }

  /** The arguments with another signal in place of each. What holds none stays the very same object. */
  replacedBy(signal: AbortSignal, args: readonly unknown[]): readonly unknown[] {
    return args.map(this.#rebuilding(signal));
  }

  #rebuilding(replacement: AbortSignal | typeof noSignal): (value: unknown) => unknown {
    const rebuilt = new Map<object, unknown>();
    const rebuild = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value;
      if (!this.#holders.has(value))
        return isAbortSignal(value) ? (replacement === noSignal ? undefined : replacement) : value;
      const known = rebuilt.get(value);
      if (known !== undefined) return known;
      if (Array.isArray(value)) {
        const list: unknown[] = [];
        rebuilt.set(value, list);
        for (const each of value) list.push(rebuild(each));
        return list;
      }
      const object: object = Object.create(Object.getPrototypeOf(value));
      rebuilt.set(value, object);
      if (replacement !== noSignal) return copyFields(value, rebuild, object);
      for (const name of Object.keys(value)) {
        const field = (value as Fields)[name];
        if (!isAbortSignal(field)) setField(object, name, rebuild(field));
      }
      return object;
    };
    return rebuild;
  }
}

/** Stands for "leave it out". */
const noSignal = Symbol('no signal');

/** The arguments without a signal of Node's own at their end, unless that is aborted. */
export function withoutLastSignal(args: readonly unknown[]): readonly unknown[] {
  if (args.length < 2) return args;
  const last = args[args.length - 1];
  return last instanceof AbortSignal && !last.aborted ? args.slice(0, -1) : args;
}

/** Whether an argument, or a field of a plain object among them, is a signal that is aborted. */
export function isSeenAborted(args: readonly unknown[]): boolean {
  for (const each of args) {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) continue;
    if (isPlain(each) ? holdsAborted(each as Fields) : isAbortSignal(each) && each.aborted) return true;
  }
  return false;
}

function holdsAborted(fields: Fields): boolean {
  for (const name in fields) {
    const value = fields[name];
    // Most fields are told by their type alone.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue;
    if (isAbortSignal(value) && value.aborted && Object.hasOwn(fields, name)) return true;
  }
  return false;
}

/** Params without the signals in them. */
export function withoutSignals(params: unknown): unknown {
  if (typeof params !== 'object' || params === null) return params;
  const places = SignalPlaces.among([params]);
  return places === undefined ? params : places.dataOf([params])[0];
}

/** Those of the containers through which a signal is reached. */
function holdersAmong(containers: ReadonlySet<object>): ReadonlySet<object> {
  const holders = new Set<object>();
  // The innermost first, so that one round is enough unless data refers to itself.
  const innermostFirst = [...containers].reverse();
  for (let known = -1; known < holders.size; ) {
    known = holders.size;
    for (const container of innermostFirst) {
      if (holders.has(container)) continue;
      eachField(container, (value) => {
        if (typeof value !== 'object' || value === null) return;
        const isContainer = containers.has(value);
        if (isContainer ? holders.has(value) : isAbortSignal(value)) holders.add(container);
      });
    }
  }
  return holders;
}

function eachField(container: object, visit: (value: unknown) => void): void {
  if (Array.isArray(container)) {
    for (const each of container) if (typeof each === 'object') visit(each);
    return;
  }
  for (const name in container) {
    const value = (container as Fields)[name];
    // Most fields are told by their type alone.
    if (typeof value === 'object' && value !== null && Object.hasOwn(container, name)) visit(value);
  }
}
