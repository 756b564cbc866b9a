/**
 * Which evaluation of which module a call comes from. Hot reloading evaluates a module again, and what its top level
 * defines then is what it had defined before. Source text alone can't tell that, nor can a call within a function: a
 * factory makes many functions of one text, which close over different things.
 */

// By its namespace: the banner that ES modules of esbuild often have declares `createRequire`.
import * as nodeModule from 'node:module';
import { isAbsolute } from 'node:path';
import * as util from 'node:util';

/** The function of ours that a module called. */
export type Definer = (this: never, ...args: never[]) => unknown;

/** Where something was defined. */
export interface ModuleEvaluation {
  /** The module's file or URL, without what a reload adds to it. */
  readonly module: string;
  /** Tells evaluations of the module apart; equal ones may still be two, where nothing says so. */
  readonly evaluation: string;
  /** The module's source and the place in it; `undefined` where equal ones may be run for different purposes at once. */
  readonly code: string | undefined;
  /** Later ones have a higher number. */
  readonly order: number;
}

/** Helpers of compilers, which stand between a decorator and the module that uses it: in packages, or in the module. */
const helperPackage =
  /[\\/]node_modules[\\/](?:tslib|reflect-metadata|@swc[\\/]helpers|@babel[\\/]runtime)[\\/]/;
const helperName = /^(?:__decorate\w*|__esDecorate|_ts_decorate|_?apply_?dec\w*)$/i;

/** Parameters by which reloaders make a URL that was not imported yet. Others may be the module's own arguments. */
const reloadParameter = /^(?:(?:t|v|ts|timestamp|update|hmr|reload|cachebust|bust)=[\w.-]*|\d+(?:\.\d+)?)$/i;

let evaluations = 0;

/** The evaluation of the module whose top level called `definer`; `undefined` where it can't be told. */
export function evaluationCalling(definer: Definer): ModuleEvaluation | undefined {
  const site = topLevelAbove(definer);
  const file = site?.getFileName() ?? site?.getScriptNameOrSourceURL();
  if (site === undefined || !file || file.startsWith('node:')) return undefined;
  const place = `${site.getLineNumber()}:${site.getColumnNumber()}`;
  const source = site.getScriptHash();
  const required = requiredModule(file);
  const isModule = required !== '' || file.startsWith('file:');
  evaluations += 1;
  return {
    module: withoutReload(file),
    evaluation: [file, source, required, scriptOf(site, file)].join('\n'),
    // Code that a program evaluates itself may be one plugin for each of its tenants.
    code: isModule ? `${source} ${place}` : undefined,
    order: evaluations,
  };
}

/** Whether `later` is another evaluation of the same module. */
export function isEvaluatedAgain(
  earlier: ModuleEvaluation | undefined,
  later: ModuleEvaluation | undefined,
): boolean {
  if (earlier === undefined || later === undefined) return false;
  return earlier.module === later.module && earlier.evaluation !== later.evaluation;
}

/** Whether nothing in the module has changed: a function of the same text may close over what was edited. */
export function isSameCode(
  earlier: ModuleEvaluation | undefined,
  later: ModuleEvaluation | undefined,
): boolean {
  return earlier?.code !== undefined && earlier.code === later?.code;
}

/** The call in a module's top level that leads to `definer` without a function of the module's between them. */
function topLevelAbove(definer: Definer): NodeJS.CallSite | undefined {
  let isInStaticBlock = false;
  for (const site of callSitesAbove(definer)) {
    const name = site.getFunctionName();
    if (isTopLevel(site, name)) return site;
    if (helperPackage.test(site.getFileName() ?? '') || helperName.test(name ?? '')) continue;
    // tsc puts a class with decorators into a function that is called at once, and decorates it in a static block.
    if (name !== '<static_initializer>' && !(isInStaticBlock && name === null)) return undefined;
    isInStaticBlock = name !== null;
  }
  return undefined;
}

/** A module's top level is a function without a name at the start of its script, or after one `(` of an evaluator. */
function isTopLevel(site: NodeJS.CallSite, name: string | null): boolean {
  if (name !== null && !(name === 'eval' && site.isEval())) return false;
  // Other engines than V8 don't tell.
  const { getEnclosingLineNumber, getEnclosingColumnNumber } = site as Partial<NodeJS.CallSite>;
  if (getEnclosingLineNumber === undefined || getEnclosingColumnNumber === undefined) return false;
  return site.getEnclosingLineNumber() === 1 && (site.getEnclosingColumnNumber() ?? 3) <= 2;
}

function callSitesAbove(definer: Definer): readonly NodeJS.CallSite[] {
  // A hardened realm makes its stack traces itself.
  if (!isSettable('prepareStackTrace') || !isSettable('stackTraceLimit')) return [];
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: unknown } = {};
  try {
    Error.stackTraceLimit = 8;
    Error.prepareStackTrace = (_, sites) => sites;
    Error.captureStackTrace(holder, definer);
    return Array.isArray(holder.stack) ? holder.stack : [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    // An own `undefined` is not the same as none: Node's source maps look for the property.
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Error.prepareStackTrace = prepareStackTrace;
  }
}

function isSettable(name: string): boolean {
  const property = Object.getOwnPropertyDescriptor(Error, name);
  return property === undefined ? Object.isExtensible(Error) : property.writable === true;
}

interface ScriptSite {
  readonly scriptName: string;
  readonly scriptId?: string;
  readonly lineNumber: number;
  readonly columnNumber?: number;
}

/** V8's id of the script, new for each source text that a file has had. Node tells it from 22.12 on. */
function scriptOf(site: NodeJS.CallSite, file: string): string {
  const { getCallSites } = util as {
    getCallSites?: (frames: number, options: { sourceMap: boolean }) => readonly ScriptSite[];
  };
  const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
  const found = getCallSites?.(20, { sourceMap: false }).find(
    ({ scriptName, lineNumber, columnNumber }) =>
      (scriptName === file || scriptName === '') && lineNumber === line && columnNumber === column,
  );
  return found?.scriptId ?? '';
}

const requiredIds = new WeakMap<object, number>();

/** Tells apart what `require` made of one file: a reload deletes it from `require.cache`. Empty for an ES module. */
function requiredModule(file: string): string {
  const module = isAbsolute(file) ? nodeModule.createRequire(file).cache[file] : undefined;
  if (module === undefined) return '';
  const id = requiredIds.get(module) ?? evaluations + 1;
  requiredIds.set(module, id);
  return String(id);
}

function withoutReload(file: string): string {
  const at = file.indexOf('?');
  if (at < 0) return file;
  const kept = file
    .slice(at + 1)
    .split('&')
    .filter((parameter) => !reloadParameter.test(parameter));
  return kept.length === 0 ? file.slice(0, at) : `${file.slice(0, at)}?${kept.join('&')}`;
}
