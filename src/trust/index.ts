/** Whether a cache's answers can be trusted: where each comes from, and whether the tools would say the same now. */

export type { AnswerSource, CacheAnswer } from '../answers.js';
export { onAnswer } from './on-answer.js';
export type { SurvivalPoint } from './survival.js';
export {
  adviseTtl,
  type ChangedAnswers,
  type TtlAdvice,
  type TtlAdviceOptions,
  type TtlAdviser,
} from './ttl-advice.js';
export {
  type Mismatch,
  type ToolTrust,
  type Verification,
  type VerifiedTool,
  type VerifyOptions,
  verifyHits,
} from './verify-hits.js';
