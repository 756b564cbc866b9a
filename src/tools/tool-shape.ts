/** What a tool is, told by its structure alone: its name, the function that runs it, and how to replace that. */

import { isPlain } from '../key/tagged-form.js';
import type { Callable } from '../wrap/wrapped-types.js';

/** A tool, as far as its structure tells. */
export type ToolShape =
  /** A function runs it. */
  | {
      readonly kind: 'runs';
      /** `undefined`: it has none, and no key of a record to go by. */
      readonly name: string | undefined;
      readonly fn: Callable;
      /** Of Mastra's, which may suspend their run. */
      readonly mastra?: { readonly requiresApproval: boolean };
      /** Of LangChain's, whose calls a graph may interrupt. */
      readonly isOfLangChain?: boolean;
      /** The same tool, run by another function. */
      readonly with: (fn: Callable) => unknown;
    }
  /** The provider runs it, the client, or nobody: there is nothing to cache. */
  | { readonly kind: 'elsewhere'; readonly name: string | undefined }
  /** It can't be cached as it is. */
  | { readonly kind: 'refused'; readonly name: string | undefined; readonly fix: string };

type Fields = Readonly<Record<string, unknown>>;

/** The fields by which frameworks call the function that runs a tool. */
const callableFields = ['execute', 'handler', 'func'] as const;

/** @param key the tool's key in a record; `undefined` in a list */
export function toolShape(tool: object | Callable, key: string | undefined): ToolShape {
  if (typeof tool === 'function') return functionShape(tool as Callable, key);
  const fields = tool as Fields;
  const name = isName(fields['name']) ? fields['name'] : key;
  if (isFinishedFunctionTool(fields)) {
    return {
      kind: 'refused',
      name,
      fix:
        'what its `invoke` answers may be the text of an error: give `cache.tools` what you give to `tool()`, ' +
        '`{ name, parameters, execute }`, and call `tool()` with what comes back',
    };
  }
  return isPlain(tool) ? plainShape(tool, name) : instanceShape(tool, name, key);
}

/** The field by which a tool declares that it reads a context besides its input: AI SDK 7, Mastra 1. */
export function contextSchemaIn(tool: object): string | undefined {
  return ['contextSchema', 'requestContextSchema'].find((field) => Reflect.get(tool, field) !== undefined);
}

function functionShape(fn: Callable, key: string | undefined): ToolShape {
  const name = key ?? (isName(fn.name) ? fn.name : undefined);
  return { kind: 'runs', name, fn, with: (cached) => cached };
}

/** AI SDK, Claude Agent SDK, OpenAI Agents before `tool()`, and plain objects like theirs. */
function plainShape(tool: object, name: string | undefined): ToolShape {
  const callable = callableFields.filter((field) => typeof (tool as Fields)[field] === 'function');
  const [field, another] = callable;
  if (field === undefined) return { kind: 'elsewhere', name };
  if (another !== undefined) {
    const fix = `it has ${callable.map((each) => `\`${each}\``).join(' and ')}: give it one of them alone`;
    return { kind: 'refused', name, fix };
  }
  const fn = (tool as Fields)[field] as Callable;
  const withFunction = (cached: Callable): object =>
    Object.create(Object.getPrototypeOf(tool), {
      ...Object.getOwnPropertyDescriptors(tool),
      [field]: ownField(cached),
    });
  return { kind: 'runs', name, fn, with: withFunction };
}

/** LangChain's and Mastra's classes. A spread would lose what their prototypes have, so the copy inherits from the tool. */
function instanceShape(tool: object, name: string | undefined, key: string | undefined): ToolShape {
  const fields = tool as Fields;
  const inheriting = (field: string) => (cached: Callable) =>
    Object.create(tool, { [field]: ownField(cached) }) as object;
  const isOfLangChain =
    hasOwnFunction(fields, 'func') && typeof fields['invoke'] === 'function' && runsFunc(fields);
  const isOfMastra = hasOwnFunction(fields, 'execute') && isName(fields['id']);
  const method = isOfLangChain || isOfMastra ? methodWithPrivateFields(tool) : undefined;
  if (method !== undefined) {
    return {
      kind: 'refused',
      name: isOfMastra ? (fields['id'] as string) : name,
      fix:
        `its \`${method}\` reads private fields (\`this.#…\`), which a copy of it has not: call the framework's own ` +
        '`tool()` or `createTool()` with a function that reads them',
    };
  }
  if (isOfLangChain) {
    return {
      kind: 'runs',
      name,
      fn: fields['func'] as Callable,
      isOfLangChain: true,
      with: inheriting('func'),
    };
  }
  if (isOfMastra) {
    const fn = fields['execute'] as Callable;
    const mastra = { requiresApproval: fields['requireApproval'] === true };
    return { kind: 'runs', name: fields['id'] as string, fn, mastra, with: inheriting('execute') };
  }
  const runs = [...callableFields, 'invoke', 'call', '_call'].find(
    (field) => typeof fields[field] === 'function',
  );
  if (runs === undefined) return { kind: 'elsewhere', name: isName(fields['id']) ? fields['id'] : key };
  const made = tool.constructor?.name;
  return {
    kind: 'refused',
    name,
    fix:
      `it is an instance of ${isName(made) ? `\`${made}\`` : 'a class'}, and what its \`${runs}\` does is not known: make ` +
      "it with the framework's own `tool()` or `createTool()`, give a plain `{ name, execute }`, or in LangChain take " +
      '`cacheMiddleware` of `toolstash/langchain`',
  };
}

/** Whether LangChain's own method calls `func`: a subclass may have another. */
function runsFunc({ _call: run }: Fields): boolean {
  return typeof run !== 'function' || /\bthis\.func\b/.test(Function.prototype.toString.call(run));
}

const privateField = /\bthis\.#|__(?:classPrivateField|private)\w+\(this\b/;

/** The name of a method that would fail on a copy which inherits from the tool; also as compilers write private fields. */
function methodWithPrivateFields(tool: object): string | undefined {
  for (let proto = Object.getPrototypeOf(tool); proto !== null; proto = Object.getPrototypeOf(proto)) {
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
      const isCode = name !== 'constructor' && [value, get].some((each) => isPrivateReader(each));
      if (isCode) return name;
    }
  }
  return undefined;
}

function isPrivateReader(fn: unknown): boolean {
  return typeof fn === 'function' && privateField.test(Function.prototype.toString.call(fn));
}

/** Of OpenAI Agents, as `tool()` makes it. */
function isFinishedFunctionTool(fields: Fields): boolean {
  return fields['type'] === 'function' && typeof fields['invoke'] === 'function';
}

function hasOwnFunction(fields: Fields, name: string): boolean {
  return Object.hasOwn(fields, name) && typeof fields[name] === 'function';
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function ownField(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}
