/** The scopes of a tool's results: what it may be shared with, and where the chains of what it reads stand. */

import type { LoadOptions } from '../index.js';
import type { AskedOptions } from '../recorded-tools.js';
import { ownString } from '../value/own-string.js';

/** How many scopes of one tool are remembered. */
const mostScopes = 1000;

/**
 * A scope, as the options of calls under it, and those that go on from it. They are remembered: the same calls come again
 * and again, and a text that was made anew is flattened and hashed anew.
 */
export class ReadScope {
  /** The options of calls under this scope. */
  readonly options: LoadOptions & AskedOptions;
  readonly #scope: string;
  readonly #own: (LoadOptions & AskedOptions) | undefined;
  readonly #remembered: { count: number };
  #next: Map<string, ReadScope> | undefined;

  /** @param own the options of all calls of the tool */
  constructor(
    scope: string,
    own: (LoadOptions & AskedOptions) | undefined,
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
