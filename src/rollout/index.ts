/** Tools with state: rollouts, and what their tools read and change. */

export type { Answer } from './answer.js';
export type { RecordedWrite, RolloutEnvironment } from './environment.js';
export type { RolloutLookup, UncachedCall } from './lookup.js';
export { Rollout } from './rollout.js';
export type { RolloutCallOptions, RunTool, ToolRunContext } from './rollout-call.js';
export type { RolloutOptions } from './rollout-options.js';
export {
  type EffectDeclaration,
  type EffectDeclarations,
  type HintedTool,
  type SharingScope,
  ToolEffects,
} from './tool-effects.js';
