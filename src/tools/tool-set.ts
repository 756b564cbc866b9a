/** `cache.tools`: a set of tools as a framework defines them, whose calls a cache answers. */

import { types } from 'node:util';
import { InvalidArgumentError, InvalidOptionError } from '../errors.js';
import { isPlain } from '../key/tagged-form.js';
import { type Definer, evaluationCalling, type ModuleEvaluation } from '../module-evaluation.js';
import { shown } from '../option-checks.js';
import type { WrapHost } from '../wrap/host.js';
import { functionName } from '../wrap/method-name.js';
import { copyFields, setField } from '../wrap/plain-copy.js';
import { readsReceiver } from '../wrap/receiver.js';
import type { ResolvedWrapOptions } from '../wrap/wrap-options.js';
import type { Callable } from '../wrap/wrapped-types.js';
import type { Wrapping } from '../wrap/wrapping.js';
import { type Adaptation, adaptation } from './adapted-tool.js';
import { endsInError, isErrorByConvention } from './error-result.js';
import { langChainFunction } from './langchain.js';
import { mastraFunction, type ToolRun } from './mastra.js';
import { CheckedRules, type ToolRules } from './tool-rules.js';
import { contextSchemaIn, type ToolShape, toolShape } from './tool-shape.js';

/** A set of tools, and its rules. */
export interface ToolSet<T extends object> {
  readonly tools: T;
  readonly rules: ToolRules;
  /** The function that its user called. */
  readonly definer: Definer;
}

/**
 * The same tools in the same kind of object, run by the cache where a rule says so.
 * @throws InvalidArgumentError, InvalidOptionError
 */
export function cachedTools<T extends object>(wrapping: Wrapping, { tools, rules, definer }: ToolSet<T>): T {
  const checked = new CheckedRules(rules);
  const members = membersOf(tools);
  refuseAmbiguous(members, checked);
  const set = { wrapping, rules: checked, from: evaluationCalling(definer) };
  const cached = members.map((member) => cachedTool(member, set));
  warnOfUnruled(members, set);
  if (Array.isArray(tools)) return cached as unknown as T;
  const record = copyFields(tools, (value) => value);
  for (const [at, { key }] of members.entries()) setField(record, key as string, cached[at]);
  return record as T;
}

interface CheckedSet {
  readonly wrapping: Wrapping;
  readonly rules: CheckedRules;
  readonly from: ModuleEvaluation | undefined;
}

interface Member {
  readonly key: string | undefined;
  readonly tool: unknown;
  readonly shape: ToolShape;
}

function membersOf(tools: object): readonly Member[] {
  const isList = Array.isArray(tools);
  if (!isList && (typeof tools !== 'object' || tools === null || !isPlain(tools)))
    throw new InvalidArgumentError(
      `Expected a list or a plain record of tools, as in \`cache.tools({ search }, rules)\`, got ${shown(tools)}`,
    );
  const entries: readonly (readonly [string | undefined, unknown])[] = isList
    ? Array.from(tools, (tool: unknown) => [undefined, tool])
    : Object.entries(tools);
  return entries.map(([key, tool]) => ({ key, tool, shape: shapeOf(tool, key) }));
}

function shapeOf(tool: unknown, key: string | undefined): ToolShape {
  // Tools that are there under some condition only.
  if (tool === undefined || tool === null || tool === false) return { kind: 'elsewhere', name: undefined };
  if (typeof tool === 'object' || typeof tool === 'function') return toolShape(tool as object, key);
  throw new InvalidArgumentError(
    `Expected ${key === undefined ? 'each of the tools' : `the tool \`${key}\``} to be an object or a function, got ` +
      `${shown(tool)}: a single tool goes into a list or a record, \`{ search: tool }\``,
  );
}

function refuseAmbiguous(members: readonly Member[], rules: CheckedRules): void {
  const names = new Set<string>();
  const aliases = new Map<string, string>();
  for (const { key, shape } of members) {
    const { name } = shape;
    if (name === undefined && shape.kind === 'runs') {
      throw new InvalidArgumentError(
        'Expected each tool of a list to have a `name`, got one without: give a record, `{ search: tool }`, as the AI ' +
          'SDK takes it',
      );
    }
    if (name === undefined) continue;
    const ambiguity = rules.ambiguityOf(name);
    if (ambiguity !== undefined) throw new InvalidOptionError(ambiguity);
    const isCached = shape.kind !== 'elsewhere' && rules.for(name)?.kind === 'cached';
    if (isCached && names.has(name)) {
      throw new InvalidArgumentError(
        `Two tools are called \`${name}\`, and one would get the other's answers: give them different names`,
      );
    }
    names.add(name);
    if (key !== undefined && key !== name) aliases.set(key, name);
  }
  rules.refuseMisspelt(names, aliases);
}

function cachedTool({ key, tool, shape }: Member, set: CheckedSet): unknown {
  const { name } = shape;
  const rule = name === undefined ? undefined : set.rules.for(name);
  if (name === undefined || rule?.kind !== 'cached') return uncachedTool(tool, shape, set.wrapping.host);
  if (shape.kind === 'runs') {
    if (cachedBy.get(shape.fn) === set.wrapping)
      throw refusal(name, 'it comes from `cache.tools` of this very cache: give the tool itself');
    // Its own name may be a minifier's.
    if (key === undefined && typeof tool === 'function')
      functionName(shape.fn, set.wrapping.host.outlivesProcess);
    refuseUnkeyedContext(name, tool as object, rule.options);
    const { [adaptation]: adapted } = tool as { readonly [adaptation]?: Adaptation };
    const fn = cachedFunction(shape, { name, tool: tool as object, adapted, ...set, ...rule });
    cachedBy.set(fn, set.wrapping);
    return shape.with(fn);
  }
  if (shape.kind === 'refused') throw refusal(name, shape.fix);
  if (rule.isNamed)
    throw refusal(name, 'it has no `execute`: who runs it is the provider, the client, or nobody');
  return tool;
}

/** A tool that no rule caches: where calls are recorded, it asks before it runs. */
function uncachedTool(tool: unknown, shape: ToolShape, host: WrapHost): unknown {
  const { kind, name = 'a tool without a name' } = shape;
  if (!host.isRecorded || kind === 'elsewhere') return tool;
  if (kind === 'runs') return shape.with(askingFirst(shape.fn, host, { name, reason: 'no rule caches it' }));
  host.past(name, `no rule caches it, and it could not be kept from running, because ${shape.fix}`);
  return tool;
}

/** A function that asks before it runs past the cache. */
function askingFirst(
  fn: Callable,
  host: WrapHost,
  { name, reason }: { readonly name: string; readonly reason: string },
): Callable {
  if (!host.isRecorded) return fn;
  return new Proxy(fn, {
    apply(_, self, args: unknown[]) {
      try {
        host.past(name, reason);
      } catch (error) {
        if (types.isAsyncFunction(fn)) return Promise.reject(error);
        throw error;
      }
      return Reflect.apply(fn, self, args);
    },
  });
}

/** By which cache a function that came from here answers. */
const cachedBy = new WeakMap<Callable, Wrapping>();

interface NamedTool extends CheckedSet {
  readonly name: string;
  readonly tool: object;
  readonly options: ResolvedWrapOptions;
  readonly adapted: Adaptation | undefined;
}

function cachedFunction(
  { fn, mastra, isOfLangChain }: ToolShape & { readonly kind: 'runs' },
  { wrapping, from, name, tool, options, adapted }: NamedTool,
): Callable {
  const { key = (...args: readonly unknown[]) => theInput(name, args), shared, method, collect } = options;
  const isError = collect ? endsInError : isErrorByConvention;
  const wrap = (run: ToolRun): Callable =>
    wrapping.wrapTool({
      ...{ name, original: fn, fn: run.fn, from, isError, advice },
      // Tools may share a function that finds on each what makes the difference.
      owner: readsReceiver(fn) ? tool : fn,
      options: {
        ...options,
        key: run.key,
        // Whoever says who shares results gives the name on purpose.
        name: shared || method.scope !== undefined ? name : undefined,
        // Frameworks call a tool on itself, or on nothing.
        shared: true,
      },
      ...(run.isPrivate && { isPrivate: run.isPrivate }),
      takesSoon: adapted !== undefined,
    });
  if (adapted !== undefined) {
    return wrap({
      fn,
      key: (call) => adapted.key(call as object),
      isPrivate: ([call]) => adapted.isPrivate(call as object),
    });
  }
  const resume = askingFirst(fn, wrapping.host, { name, reason: 'it goes on after an interrupt' });
  if (mastra !== undefined) return mastraFunction({ fn, key, resume, ...mastra }, wrap);
  return isOfLangChain ? langChainFunction({ fn, key, resume }, wrap) : wrap({ fn: finished(fn, name), key });
}

/** A tool that declares what it reads of its context answers otherwise by another: AI SDK 7, Mastra 1. */
function refuseUnkeyedContext(name: string, tool: object, { key, method }: ResolvedWrapOptions): void {
  const declared = contextSchemaIn(tool);
  if (declared === undefined || key !== undefined || method.scope !== undefined) return;
  throw refusal(
    name,
    `it reads a context (\`${declared}\`) that is no part of its key: say what of it makes a difference, ` +
      '`key: (input, context) => [input, …]`, or who shares results, `scope`',
  );
}

function refusal(name: string | undefined, fix: string): InvalidOptionError {
  return new InvalidOptionError(
    `The tool \`${name}\` can't be cached as its rule says, because ${fix}. Or make its rule 'opaque'`,
  );
}

/** Whatever else a framework passes is a context, and an object. A function of several arguments is another matter. */
function theInput(name: string, args: readonly unknown[]): unknown {
  for (let at = 1; at < args.length; at++) {
    const value = args[at];
    if (typeof value === 'object' || typeof value === 'function' || value === undefined) continue;
    throw new InvalidArgumentError(
      `Expected \`${name}\` to be called as a tool is, with an input and contexts, got ${shown(value)} as argument ` +
        `${at + 1}: take \`cache.wrap\` for a function of several arguments, or say what makes the \`key\``,
    );
  }
  return args[0];
}

/** Refuses what a framework reads bit by bit, which a promise of it can't stand for. */
function finished(fn: Callable, name: string): Callable {
  // An async generator is one of them: whether it can be cached its rule says.
  if (types.isAsyncFunction(fn)) return fn;
  return function (this: unknown, ...args: readonly unknown[]): unknown {
    const result = Reflect.apply(fn, this, args);
    if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) return result;
    throw new InvalidArgumentError(
      `The tool \`${name}\` returns what it yields bit by bit: make its function an \`async function*\``,
    );
  };
}

/** Tools without a rule that a cache warned of: once is enough. */
const warnedOf = new WeakMap<Wrapping, Set<string>>();

function warnOfUnruled(members: readonly Member[], { wrapping, rules }: CheckedSet): void {
  const known = warnedOf.get(wrapping) ?? new Set();
  warnedOf.set(wrapping, known);
  const unruled = members.flatMap(({ shape: { kind, name } }) =>
    name === undefined || kind === 'elsewhere' || rules.for(name) !== undefined ? [] : [name],
  );
  const untold = unruled.filter((name) => !known.has(name));
  if (untold.length === 0) return;
  for (const name of untold) known.add(name);
  process.emitWarning(
    `Tools without a rule are never cached: ${untold.join(', ')}. Give each a rule, such as \`{ ttl: '1h' }\` where ` +
      "equal calls have equal answers, 'write' where it changes something, or say `'*': 'opaque'` for all others.",
    { type: 'ToolstashWarning', code: 'TOOLSTASH_TOOLS_WITHOUT_RULE' },
  );
}

const advice =
  "say `shared: true` in its rule where all tools of that name answer alike, `scope: '…'` where each closes over " +
  'something of its own, such as a tenant or a session, or make the tools once, outside of the function that uses them';
