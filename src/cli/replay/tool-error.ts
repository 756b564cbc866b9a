import type { ToolCall } from './trace.js';

/** What the replayed tool throws for a call that was recorded as an error. */
export class ToolError extends Error {
  /** The call whose load failed, which need not be the one that waited for it. */
  readonly call: ToolCall;

  constructor(call: ToolCall) {
    super(`${call.tool} answered with an error`);
    this.name = 'ToolError';
    this.call = call;
  }
}
