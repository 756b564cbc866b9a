/** The provenance of all answers of a cache. */

import type { AnswerObserver, CacheAnswer } from '../answers.js';
import type { CacheManager } from '../index.js';
import { callListener } from '../listener.js';
import { functionOf } from '../option-checks.js';
import { observedCore } from './observed.js';

/** The keys of calls under way whose chains are remembered, at most. */
const mostKeys = 10_000;

/**
 * Calls a listener with the provenance of every answer of a cache, before it is handed out: of `getOrSet`, `refresh`,
 * wrapped functions, tools, rollouts, and of `get` and `lookup` that find something. It is not waited for, and its
 * failure is a process warning. Calls that fail have no answer. Returns what stops it.
 * @throws InvalidArgumentError, InvalidOptionError for a listener that is no function
 *
 * @example
 * const stop = onAnswer(cache, ({ method, source, ageMs }) => log.info({ method, source, ageMs }));
 */
export function onAnswer(cache: CacheManager, listener: (answer: CacheAnswer) => void): () => void {
  const core = observedCore(cache, 'onAnswer(cache, listener)');
  return core.observe(new Listening(functionOf(listener, 'listener')));
}

class Listening implements AnswerObserver {
  readonly #listener: (answer: CacheAnswer) => void;
  /** A key that holds chains holds always the same. */
  readonly #chains = new Map<string, Readonly<Record<string, string>>>();

  constructor(listener: (answer: CacheAnswer) => void) {
    this.#listener = listener;
  }

  asked(key: string, chains: Readonly<Record<string, string>>): void {
    this.#chains.delete(key);
    this.#chains.set(key, chains);
    const [oldest] = this.#chains.keys();
    if (this.#chains.size > mostKeys && oldest !== undefined) this.#chains.delete(oldest);
  }

  answered(answer: CacheAnswer): void {
    const chains = answer.key === undefined ? undefined : this.#chains.get(answer.key);
    callListener(
      'A listener of `onAnswer`',
      this.#listener,
      chains === undefined ? answer : { ...answer, chains },
    );
  }
}
