/** The options of a rollout, checked. */

import { type Duration, positiveDuration } from '../duration.js';
import { InvalidOptionError } from '../index.js';
import { nodeCrypto } from '../node-crypto.js';
import { functionOf, hasMethods, objectOf, refuseUnknown, textOrNumber } from '../option-checks.js';
import type { Answer } from './answer.js';
import type { RolloutEnvironment } from './environment.js';
import { checkedScope, type EffectDeclarations, type SharingScope, ToolEffects } from './tool-effects.js';

/** The options of a `Rollout`. */
export interface RolloutOptions {
  /** What its tools read and change. */
  readonly effects: ToolEffects | EffectDeclarations;
  /**
   * What it is an attempt at: a prompt, an issue, a user's request. Rollouts of one task begin in the same state of the
   * world. Without one, nothing under the scopes 'task' and 'rollout' is shared with another rollout, whatever its id.
   * @default undefined
   */
  readonly task?: string | number | undefined;
  /**
   * Its name among the rollouts of its task.
   * @default a random one
   */
  readonly id?: string | number | undefined;
  /**
   * Who shares results with it: all who begin in the same state.
   * @default 'task', or without a task 'rollout'
   */
  readonly scope?: SharingScope | undefined;
  /**
   * How long a write is waited for; then its call rejects with a `LoaderTimeoutError`, and what it may have written is
   * not cached before its tool has settled.
   * @default undefined (for as long as it takes)
   */
  readonly timeout?: Duration | undefined;
  /**
   * Makes the rollout's world again from its writes, which are then answered from the cache too, until a tool has to run.
   * @default undefined: writes always run
   */
  readonly environment?: RolloutEnvironment | undefined;
  /** Called with the provenance of every answer, before it is handed out. Calls take some microseconds longer with it. */
  onAnswer?(answer: Answer): void;
  /**
   * Called with the provenance of a call that was made before, with nothing written in between: the agent may go in circles.
   * Also of calls that fail.
   */
  onRepeat?(answer: Answer): void;
}

/** The same with nothing left open. */
export interface ResolvedRolloutOptions {
  readonly effects: ToolEffects;
  readonly task: string | undefined;
  readonly id: string;
  readonly scope: SharingScope;
  readonly timeoutMs: number | undefined;
  readonly environment: RolloutEnvironment | undefined;
  readonly onAnswer: ((answer: Answer) => void) | undefined;
  readonly onRepeat: ((answer: Answer) => void) | undefined;
}

const names = ['effects', 'task', 'id', 'scope', 'timeout', 'environment', 'onAnswer', 'onRepeat'];

/** Declarations that were checked before: a group of rollouts has the same. */
const checkedEffects = new WeakMap<object, ToolEffects>();

/** @throws InvalidOptionError */
export function resolveRolloutOptions(options: RolloutOptions): ResolvedRolloutOptions {
  refuseUnknown(objectOf(options, 'Rollout', 'an object of options'), names, { of: 'a rollout' });
  const { effects, task, id, scope, timeout, environment, onAnswer, onRepeat } = options;
  const resolved =
    scope === undefined ? (task === undefined ? 'rollout' : 'task') : checkedScope(scope, 'scope');
  if (resolved === 'task' && task === undefined) {
    throw new InvalidOptionError(
      "Expected `task` with `scope: 'task'`, got none: say which rollouts begin alike",
    );
  }
  if (environment !== undefined) hasMethods(environment, 'environment', ['replay']);
  return {
    effects: effectsOf(effects),
    task: task === undefined ? undefined : String(textOrNumber(task, 'task')),
    id: id === undefined ? nodeCrypto().randomUUID() : String(textOrNumber(id, 'id')),
    scope: resolved,
    timeoutMs: timeout === undefined ? undefined : positiveDuration(timeout, 'timeout'),
    environment,
    onAnswer: onAnswer === undefined ? undefined : functionOf(onAnswer, 'onAnswer'),
    onRepeat: onRepeat === undefined ? undefined : functionOf(onRepeat, 'onRepeat'),
  };
}

function effectsOf(given: ToolEffects | EffectDeclarations): ToolEffects {
  if (given instanceof ToolEffects) return given;
  objectOf(
    given,
    'effects',
    "`new ToolEffects(…)`, or an object of effects by tool name, as `{ search: 'pure' }`",
  );
  // Changed meanwhile, they would be others: only what can't change is remembered.
  if (!Object.isFrozen(given)) return new ToolEffects(given);
  const known = checkedEffects.get(given) ?? new ToolEffects(given);
  checkedEffects.set(given, known);
  return known;
}
