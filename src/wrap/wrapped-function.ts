/** The function that callers get for a tool: the tool's name and length, the cache's answers. */

import type { CachedTool } from './cached-tool.js';
import { playing } from './collected.js';
import { copyMetadata } from './reflect-metadata.js';
import type { Callable } from './wrapped-types.js';

/** A wrapped function, its types yet to be told. */
export type WrappedFunction = Callable & {
  readonly key: Callable;
  readonly invalidate: Callable;
  readonly refresh: Callable;
  readonly original: Callable;
};

/** A function that returns promises. */
export function promisingFunction(tool: CachedTool): WrappedFunction {
  const wrapped = function (this: unknown, ...args: unknown[]): Promise<unknown> {
    return Promise.resolve(tool.call(this, args));
  };
  return withPromisingMembers(wrapped, tool);
}

/** A function that returns promises, but for values that memory has. */
export function soonFunction(tool: CachedTool): WrappedFunction {
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    return tool.call(this, args);
  };
  return withPromisingMembers(wrapped, tool);
}

/** A function that plays back what was gathered of a generator or a stream. */
export function collectingFunction(tool: CachedTool): WrappedFunction {
  const { original } = tool;
  const refresh = playing(original, (self, args) => tool.refresh(self, args));
  return withMembers(
    playing(original, (self, args) => tool.call(self, args)),
    tool,
    {
      refresh: (self, args) => Reflect.apply(refresh, self, args),
      invalidate: async (self, args) => tool.invalidate(self, args),
    },
  );
}

/** A function that returns at once. */
export function synchronousFunction(tool: CachedTool): WrappedFunction {
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    return tool.callSync(this, args);
  };
  return withMembers(wrapped, tool, {
    refresh: (self, args) => tool.refreshSync(self, args),
    invalidate: (self, args) => tool.invalidate(self, args),
  });
}

function withPromisingMembers(wrapped: Callable, tool: CachedTool): WrappedFunction {
  return withMembers(wrapped, tool, {
    refresh: (self, args) => tool.refresh(self, args),
    invalidate: async (self, args) => tool.invalidate(self, args),
  });
}

type Member = (self: unknown, args: readonly unknown[]) => unknown;

function withMembers(
  wrapped: Callable,
  tool: CachedTool,
  members: { readonly refresh: Member; readonly invalidate: Member },
): WrappedFunction {
  // `tools.search.key(…)` calls `key` on the function itself: that names no receiver.
  const member = (run: Member) =>
    function (this: unknown, ...args: unknown[]): unknown {
      return run(this === wrapped ? undefined : this, args);
    };
  const { original: fn } = tool;
  copyOwnFields(fn, wrapped);
  copyMetadata(fn, wrapped);
  Object.defineProperties(wrapped, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
    key: { value: member((self, args) => tool.key(self, args)) },
    invalidate: { value: member(members.invalidate) },
    refresh: { value: member(members.refresh) },
    original: { value: fn },
  });
  return wrapped as WrappedFunction;
}

/** What every function has, and what ours carry. */
const ownMembers: ReadonlySet<PropertyKey> = new Set([
  ...['length', 'name', 'prototype', 'arguments', 'caller'],
  ...['key', 'invalidate', 'refresh', 'original'],
]);

/** A tool often carries its description or the schema of its params: whoever reads those is given the wrapped one. */
function copyOwnFields(from: Callable, to: Callable): void {
  for (const key of Reflect.ownKeys(from)) {
    const field = ownMembers.has(key) ? undefined : Object.getOwnPropertyDescriptor(from, key);
    if (field !== undefined) Object.defineProperty(to, key, field);
  }
}
