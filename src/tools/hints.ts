/** What an MCP server says of a tool. A hint is no permission: it can only forbid. */

/** Hints of a tool. */
export interface ToolHints {
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
}

/** Why a tool is not one that only reads, by its hints; `undefined`: nothing speaks against it. */
export function hintAgainst({
  readOnlyHint,
  destructiveHint,
  idempotentHint,
}: ToolHints): string | undefined {
  if (readOnlyHint === false) return 'readOnlyHint: false';
  if (destructiveHint === true) return 'destructiveHint: true';
  // Said of tools that only read, it means nothing.
  return idempotentHint === false && readOnlyHint !== true ? 'idempotentHint: false' : undefined;
}

/** The hint against a tool, of whichever framework, that keeps what its server says of it. */
export function hintIn(tool: unknown): string | undefined {
  const annotations = (tool as { readonly annotations?: unknown } | null | undefined)?.annotations;
  return typeof annotations === 'object' && annotations !== null ? hintAgainst(annotations) : undefined;
}
