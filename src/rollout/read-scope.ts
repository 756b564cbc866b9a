/** The scopes of a tool's results: what it may be shared with, and where the chains of what it reads stand. */

import type { LoadOptions } from '../index.js';
import type { CallOptions } from '../recorded-tools.js';
import { longestKnown, type ResourceTemplate, valueAt } from '../tools/resource.js';
import { ownString } from '../value/own-string.js';
import type { History } from './history.js';
import { namesFor } from './resource-names.js';

/** How many scopes, and how many calls, of one tool are remembered. */
const mostScopes = 1000;
const mostCalls = 1000;

/**
 * A scope, as the options of calls under it, and those that go on from it. They are remembered: the same calls come again
 * and again, and a text that was made anew is flattened and hashed anew.
 */
export class ReadScope {
  /** The options of calls under this scope. */
  readonly options: LoadOptions & CallOptions;
  readonly #scope: string;
  readonly #own: (LoadOptions & CallOptions) | undefined;
  readonly #remembered: { count: number };
  #next: Map<string, ReadScope> | undefined;

  /** @param own the options of all calls of the tool */
  constructor(
    scope: string,
    own: (LoadOptions & CallOptions) | undefined,
    remembered: { count: number } = { count: 0 },
  ) {
    // In one piece, which is compared faster than one that was put together.
    this.#scope = ownString(scope);
    this.options = { ...own, scope: this.#scope };
    this.#own = own;
    this.#remembered = remembered;
  }

  /** The scope text itself. */
  get text(): string {
    return this.#scope;
  }

  /** The scope of what depends on a further chain. */
  with(part: string): ReadScope {
    const known = this.#next?.get(part);
    if (known !== undefined) return known;
    const made = new ReadScope(this.#scope + part, this.#own, this.#remembered);
    if (this.#remembered.count >= mostScopes) return made;
    this.#remembered.count += 1;
    this.#next ??= new Map();
    this.#next.set(part, made);
    return made;
  }
}

/** What a call reads, and where its results are while nothing changes that. */
export interface ReadPlace {
  /** The names of the resources. */
  readonly names: readonly string[];
  readonly scope: ReadScope;
}

/** A place, as it was after so many changes. */
interface KnownPlace extends ReadPlace {
  readonly changes: number;
}

/** Places by the texts of the arguments that they depend on, one after the other. */
type Branch = Map<string, Branch | KnownPlace>;

/** The places of one tool's calls. Those of arguments that came before are found by these: names are made of nothing else. */
export class ReadPlaces {
  readonly #templates: readonly ResourceTemplate[];
  readonly #scope: ReadScope;
  readonly #history: History;
  /** The arguments that names depend on; `undefined`: they depend on too much. */
  readonly #variables: readonly (readonly string[])[] | undefined;
  #root: Branch = new Map();
  #count = 0;

  /** @param scope of results that depend on nothing */
  constructor(templates: readonly ResourceTemplate[], scope: ReadScope, history: History) {
    this.#templates = templates;
    this.#scope = scope;
    this.#history = history;
    this.#variables = variablesOf(templates);
  }

  /** The place of a call; `undefined` where its resources can't be told. */
  find(input: unknown): ReadPlace | undefined {
    const variables = this.#variables;
    if (variables === undefined) return this.#made(input);
    let branch = this.#root;
    const last = variables.length - 1;
    for (let at = 0; ; at++) {
      const value = valueAt(input, variables[at]!);
      if (typeof value !== 'string' || value.length > longestKnown) return this.#made(input);
      const known = branch.get(value);
      if (at === last) {
        const place = known as KnownPlace | undefined;
        return place?.changes === this.#history.length ? place : this.#remembered(branch, value, input);
      }
      const next = (known as Branch | undefined) ?? new Map();
      if (known === undefined) branch.set(value, next);
      branch = next;
    }
  }

  #remembered(branch: Branch, value: string, input: unknown): ReadPlace | undefined {
    const place = this.#made(input);
    if (place === undefined) return undefined;
    branch.set(value, place);
    if (++this.#count < mostCalls) return place;
    this.#root = new Map();
    this.#count = 0;
    return place;
  }

  #made(input: unknown): KnownPlace | undefined {
    const names = namesFor(this.#templates, input);
    if (names === undefined) return undefined;
    let scope = this.#scope;
    for (const name of names) scope = scope.with(this.#history.partFor(name));
    return { names, scope, changes: this.#history.length };
  }
}

/** The arguments that the names of resources depend on, each once; `undefined` where there are none, or a name needs several. */
function variablesOf(templates: readonly ResourceTemplate[]): readonly (readonly string[])[] | undefined {
  const variables = new Map<string, readonly string[]>();
  for (const { variable } of templates) {
    if (variable === undefined) return undefined;
    if (variable !== null) variables.set(JSON.stringify(variable), variable);
  }
  return variables.size === 0 ? undefined : [...variables.values()];
}
