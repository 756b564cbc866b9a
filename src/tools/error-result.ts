/** Results that are errors by the convention of a framework: whoever stored one would answer with it for ever. */

import type { Collected } from '../wrap/collected.js';

/**
 * Whether a result says that the tool failed: `isError` of MCP, the Claude Agent SDK and the AI SDK's MCP tools, `status:
 * 'error'` of LangChain, `{ error: true, validationErrors }` of Mastra.
 */
export function isErrorByConvention(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { isError, status, error, validationErrors } = value as Readonly<Record<string, unknown>>;
  return isError === true || status === 'error' || (error === true && validationErrors !== undefined);
}

/** The same of what was gathered of a generator, whose last item is the result to the AI SDK. */
export function endsInError(value: unknown): boolean {
  const { items, returned } = value as Collected;
  return isErrorByConvention(items.at(-1)) || isErrorByConvention(returned);
}
