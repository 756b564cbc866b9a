/**
 * Errors: the built-in classes, with all their own properties, hidden ones too, as name, message, stack and cause are.
 * Only hidden properties with symbols as keys are left out: they are the runtime's bookkeeping.
 */

import { types } from 'node:util';
import { builtInName } from '../built-in-name.js';
import { Tag } from './format.js';
import { expectNumber, expectString, type FormSink, type RichType } from './type.js';

const classes = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
];

const byName = new Map<string, () => Error>(
  classes.map((errorClass) => [
    errorClass.name,
    () => (errorClass === AggregateError ? new AggregateError([]) : new (errorClass as ErrorConstructor)()),
  ]),
);

const isEnumerable = Object.prototype.propertyIsEnumerable;

interface Property {
  readonly key: string;
  readonly value: unknown;
}

export const errorType: RichType<Error> = {
  tag: Tag.Error,
  prototypes: classes.map(({ prototype }) => prototype),
  isOne: types.isNativeError,
  report(error, to) {
    const { hidden, shown } = propertiesOf(error, to);
    to.sink.begin(Tag.Error, 2 * (hidden.length + shown.length) + 2);
    to.sink.string(builtInName(Object.getPrototypeOf(error)) ?? '');
    to.sink.number(hidden.length);
    for (const { key, value } of [...hidden, ...shown]) {
      to.visit(key);
      to.visitAt(key, value);
    }
    to.sink.end(Tag.Error);
  },
  revive: {
    from: 2,
    width: 2,
    create: ([name]) => createError(expectString(name)),
    add(error, value, key, at, [, hiddenCount]) {
      // The first value lies at 3, behind its key.
      const enumerable = at - 3 >= 2 * expectNumber(hiddenCount);
      Object.defineProperty(error, expectString(key), {
        value,
        enumerable,
        configurable: true,
        writable: true,
      });
    },
  },
};

function propertiesOf(error: Error, to: FormSink): { hidden: Property[]; shown: Property[] } {
  const hidden: Property[] = [];
  const shown: Property[] = [];
  for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(error))) {
    // The stack is a getter in newer versions of V8.
    const value: unknown = key === 'stack' ? error.stack : property.value;
    if (key !== 'stack' && !('value' in property)) to.refuse(`an error with the getter \`${key}\``);
    (property.enumerable ? shown : hidden).push({ key, value });
  }
  const symbol = Object.getOwnPropertySymbols(error).find((key) => isEnumerable.call(error, key));
  if (symbol !== undefined)
    to.refuse(`an error with a property whose key is the symbol \`${String(symbol)}\``);
  return { hidden, shown };
}

/** A bare error of this class: nothing of its own, not even a stack. */
function createError(name: string): Error {
  const create = byName.get(name);
  if (create === undefined)
    throw new TypeError(`Expected the name of a built-in class of errors, got ${name}`);
  const error = withoutFrames(create);
  for (const key of Reflect.ownKeys(error)) Reflect.deleteProperty(error, key);
  return error;
}

/** Makes an error without a stack, whose frames would stay in memory with it, and what they refer to, though nobody sees them. */
export function withoutFrames(create: () => Error): Error {
  const { stackTraceLimit } = Error;
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return create();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}
