/** What a tool gives bit by bit, a generator or a stream: gathered, so that it can be stored, and played back. */

import { InvalidArgumentError } from '../errors.js';
import type { Callable } from './wrapped-types.js';

/** What was gathered of one call; plain data where the items are. */
export interface Collected {
  readonly as: 'generator' | 'web stream' | 'node stream' | 'value';
  readonly items: readonly unknown[];
  /** What a generator returned in the end, or the result of a call that was neither generator nor stream. */
  readonly returned?: unknown;
}

/**
 * A function that gathers what `fn` gives. It rejects where the tool, which is no generator itself, returns one at once:
 * its caller reads that without awaiting it.
 * @param tool what `fn` calls, or the same
 */
export function gathering(fn: Callable, tool: Callable): Callable {
  return async function (this: unknown, ...args: readonly unknown[]): Promise<Collected> {
    const result = Reflect.apply(fn, this, args);
    if (!isAsyncGeneratorFunction(tool) && isAsyncGenerator(result)) {
      throw new InvalidArgumentError(
        `\`${tool.name}\` returns a generator and is none: wrap an \`async function*\` with \`yield*\` of it`,
      );
    }
    return gathered(await result);
  };
}

/** A function that plays back what `call` gathers: a generator where the tool is one. */
export function playing(
  tool: Callable,
  call: (self: unknown, args: readonly unknown[]) => unknown,
): Callable {
  if (isAsyncGeneratorFunction(tool)) {
    return async function* (this: unknown, ...args: readonly unknown[]) {
      return yield* played((await call(this, args)) as Collected);
    };
  }
  return async function (this: unknown, ...args: readonly unknown[]) {
    const collected = (await call(this, args)) as Collected;
    const { as, items, returned } = collected;
    if (as === 'value') return returned;
    if (as === 'node stream') return nodeStream().Readable.from(items);
    return as === 'web stream' ? webStream(items) : played(collected);
  };
}

/** Whether calls return an async generator, whatever they do. */
export function isAsyncGeneratorFunction(fn: Callable): boolean {
  return Object.prototype.toString.call(fn) === '[object AsyncGeneratorFunction]';
}

async function gathered(result: unknown): Promise<Collected> {
  const items: unknown[] = [];
  if (isAsyncGenerator(result)) {
    for (;;) {
      const { done, value } = await result.next();
      if (done === true) return { as: 'generator', items, returned: value };
      items.push(value);
    }
  }
  const as = streamKind(result);
  if (as === undefined) return { as: 'value', items, returned: result };
  for await (const item of result as AsyncIterable<unknown>) items.push(item);
  return { as, items };
}

async function* played({ items, returned }: Collected): AsyncGenerator<unknown, unknown, undefined> {
  yield* items;
  return returned;
}

function webStream(items: readonly unknown[]): ReadableStream<unknown> {
  return new ReadableStream({
    start(controller) {
      for (const item of items) controller.enqueue(item);
      controller.close();
    },
  });
}

function streamKind(value: unknown): 'web stream' | 'node stream' | undefined {
  if (value instanceof nodeStream().Readable) return 'node stream';
  return value instanceof ReadableStream ? 'web stream' : undefined;
}

/** Loaded with the first stream: a millisecond that most programs need not spend. */
function nodeStream(): typeof import('node:stream') {
  return process.getBuiltinModule('node:stream');
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator<unknown, unknown, undefined> {
  return Object.prototype.toString.call(value) === '[object AsyncGenerator]';
}
