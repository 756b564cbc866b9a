/** Errors in an agent of LangChain: which of them the agent itself knows how to take. */

import { isBubbleUp } from '../tools/langchain.js';

type Fields = Readonly<Record<string, unknown>>;

/** Whether an error is the agent's own: an interrupt, another middleware's, or of arguments that don't fit the schema. */
export function isOfTheAgent(error: unknown): boolean {
  const brand = isFields(error) ? error['~brand'] : undefined;
  return isBubbleUp(error) || brand === 'ToolInvocationError' || brand === 'MiddlewareError';
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
