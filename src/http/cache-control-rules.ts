/** The rules of `cacheControl`: which one fits a response, and how they are checked. */

import { notPromised } from '../at-once.js';
import { InvalidOptionError, messageOf } from '../errors.js';
import { expected, functionOf, integer, objectOf, refuseUnknown, shown, text } from '../option-checks.js';
import { parseDirectives } from './cache-directives.js';

/** What a rule is asked about. */
export interface ResponseFacts {
  /** The path as the client sent it, without the query. */
  readonly path: string;
  /** `'GET'`, in upper case. */
  readonly method: string;
  /** The status of the response. */
  readonly status: number;
  /** Whether it sets a cookie. */
  readonly setsCookie: boolean;
}

/** Headers for some responses. */
export interface CacheControlRule {
  /**
   * Which paths, as clients send them: `'/assets/'` is everything in that folder, `'/index.html'` that path alone, a
   * pattern or a function anything. Of a path with `..`, `.`, backslashes or encoded slashes, whoever serves it may
   * read it otherwise: it fits each such rule that forbids others to keep a response (`private`, `no-store`, `no-cache`),
   * and none that lets them. So does, for the first, one that differs in case, slashes, `;`, or encoded letters.
   * @default every path
   */
  readonly path?: string | RegExp | ((path: string) => boolean) | undefined;
  /** Which methods. @default every method */
  readonly methods?: readonly string[] | undefined;
  /** Which statuses: `'success'` is 200 to 299 and 304. @default every status */
  readonly status?: 'success' | readonly number[] | ((status: number) => boolean) | undefined;
  /** The headers that such a response gets. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Whether a rule lets others keep a response, forbids it, or says nothing of it. */
type Effect = 'allows' | 'forbids' | 'neither';

interface Rule {
  readonly name: string;
  readonly path: CacheControlRule['path'];
  readonly methods: readonly string[] | undefined;
  readonly status: CacheControlRule['status'];
  readonly headers: Readonly<Record<string, string>>;
  readonly effect: Effect;
}

/**
 * The headers of the first rule that fits a response.
 * @throws InvalidOptionError for a malformed rule
 */
export function rulesOf(
  rules: readonly CacheControlRule[],
): (facts: ResponseFacts) => Readonly<Record<string, string>> | undefined {
  if (!Array.isArray(rules)) {
    throw new InvalidOptionError(`Expected \`rules\` to be a list of rules, got ${shown(rules)}`);
  }
  const checked = rules.map(checkedRule);
  return (facts) => checked.find((rule) => fits(rule, facts))?.headers;
}

const fields = ['path', 'methods', 'status', 'headers'];

function checkedRule(rule: CacheControlRule, at: number): Rule {
  const name = `rules[${at}]`;
  refuseUnknown(objectOf(rule, name, 'a rule, as `{ path, headers }`'), fields, { of: name, noun: 'field' });
  const { path, methods, status, headers } = rule;
  if (typeof path === 'string') checkPath(path, `${name}.path`);
  else if (path !== undefined && !(path instanceof RegExp)) functionOf(path, `${name}.path`);
  if (methods !== undefined) checkList(methods, `${name}.methods`, "['GET']", checkMethod);
  if (Array.isArray(status)) checkList(status, `${name}.status`, '[200]', checkStatus);
  else if (status !== undefined && status !== 'success') functionOf(status, `${name}.status`);
  if (Symbol.iterator in objectOf(headers, `${name}.headers`))
    throw expected(`${name}.headers`, 'an object of names and values', headers);
  for (const [header, value] of Object.entries(headers)) {
    // Told now, and not to the first client.
    new Headers([[header, text(value, `${name}.headers.${header}`)]]);
  }
  return {
    ...{ name, path, status, headers, effect: effectOf(headers) },
    methods: methods?.map((each) => each.toUpperCase()),
  };
}

function checkPath(path: string, name: string): void {
  if (!path.startsWith('/'))
    throw new InvalidOptionError(`Expected \`${name}\` to begin with \`/\`, got ${shown(path)}`);
  // No client sends such a path: the rule would never fit.
  if (!/^[!-~]+$/.test(path) || /[?#]/.test(path))
    throw expected(name, 'a path as clients send it, without a query, as `/a%20b`', path);
}

function checkList<T>(
  list: readonly T[],
  name: string,
  example: string,
  check: (each: T, name: string) => void,
) {
  if (!Array.isArray(list) || list.length === 0) throw expected(name, `a list as \`${example}\``, list);
  for (const [at, each] of list.entries()) check(each, `${name}[${at}]`);
}

function checkMethod(method: string, name: string): void {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(text(method, name))) throw expected(name, 'a method of HTTP', method);
}

function checkStatus(status: number, name: string): void {
  integer(status, name, { from: 100, to: 999 });
}

function effectOf(headers: CacheControlRule['headers']): Effect {
  const given = new Headers(Object.entries(headers));
  // Also those for some caches alone, as `CDN-Cache-Control` (RFC 9213).
  const controls = [...given].filter(([name]) =>
    /(?:^|-)cache-control$|^(?:edge|surrogate)-control$/.test(name),
  );
  const isKept = controls.some(([, value]) => {
    const directives = parseDirectives(value);
    return !['private', 'no-store', 'no-cache'].some((name) => directives.has(name));
  });
  if (isKept || (given.has('expires') && !given.has('cache-control'))) return 'allows';
  return controls.length > 0 ? 'forbids' : 'neither';
}

/** What can't be told counts as the rule that lets less be kept. */
function fits(rule: Rule, { path, method, status, setsCookie }: ResponseFacts): boolean {
  if (rule.methods !== undefined && !rule.methods.includes(method)) return false;
  if (setsCookie && rule.effect === 'allows') return false;
  return [fitsStatus(rule, status), fitsPath(rule, path)].every((each) => each ?? rule.effect === 'forbids');
}

function fitsStatus({ status: wanted, name }: Rule, status: number): boolean | undefined {
  if (wanted === undefined) return true;
  if (wanted === 'success') return (status >= 200 && status < 300) || status === 304;
  if (typeof wanted !== 'function') return wanted.includes(status);
  return told(wanted, status, `${name}.status`);
}

function fitsPath({ path: wanted, name, effect }: Rule, path: string): boolean | undefined {
  if (wanted === undefined) return true;
  if (typeof wanted === 'function') return told(wanted, path, `${name}.path`);
  // A pattern with the flag `g` begins where it left off.
  if (wanted instanceof RegExp) return path.search(wanted) >= 0;
  const isFolder = wanted.endsWith('/');
  if (path === wanted) return true;
  if (isFolder && path.startsWith(wanted))
    return ambiguous.test(path.slice(wanted.length)) ? undefined : true;
  // What is only told apart by it is at worst kept by nobody.
  return effect === 'forbids' && mayBeRead(path, wanted, isFolder) ? undefined : false;
}

/** What routers and file systems read in several ways: dots, other slashes, what is decoded twice, parameters, controls. */
const ambiguous = /(?:^|\/)(?:\.|%2e){1,2}(?:[/;]|%3b|$)|\\|%2f|%5c|%25|%[01]|%7f/i;
/** Letters, digits and such that needed no code, and slashes that may count once. */
const written = /%(?:2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])|\/\/|;/i;

/** Whether somebody may read a path as another one, or as one in a folder. */
function mayBeRead(path: string, wanted: string, isFolder: boolean): boolean {
  if (ambiguous.test(path) || written.test(path)) return true;
  // Many routers take no account of case, nor of a slash at the end.
  const [own, theirs] = [wanted, path].map((each) => each.toLowerCase().replace(/\/$/, '')) as [
    string,
    string,
  ];
  return theirs === own || (isFolder && theirs.startsWith(`${own}/`));
}

/** Functions that have failed: one warning for each. */
const warned = new WeakSet<object>();

/** What a function of the user's says; `undefined` where it fails, which is a process warning: a response is on its way. */
function told<Of>(ask: (of: Of) => boolean, of: Of, name: string): boolean | undefined {
  try {
    // `null` of a search, too, is an answer.
    return Boolean(notPromised(ask(of), name));
  } catch (error) {
    if (!warned.has(ask)) {
      warned.add(ask);
      const message = `\`${name}\` of cacheControl failed: ${messageOf(error)}`;
      process.emitWarning(message, { type: 'ToolstashWarning' });
    }
    return undefined;
  }
}
