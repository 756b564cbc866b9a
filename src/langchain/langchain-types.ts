/** What is used of LangChain, told by its structure. */

/** A tool's answer as the agent takes it. */
export interface ToolMessageLike {
  /** What the model sees. */
  readonly content: unknown;
  /** The call that it answers. */
  readonly tool_call_id: string;
}

/** The class `ToolMessage` of `langchain` or `@langchain/core/messages`. */
export interface ToolMessageClass {
  // biome-ignore lint/suspicious/noExplicitAny: the class takes fields that no structural type can name
  new (fields: any): ToolMessageLike;
}

/** A tool call, as the model makes it. */
export interface ToolCallLike {
  /** Told again in the answer. */
  readonly id?: string | undefined;
  /** The tool's name. */
  readonly name: string;
  /** What it is asked for. */
  readonly args: unknown;
}

/** What `wrapToolCall` of a middleware is given. */
export interface ToolCallRequestLike {
  /** What the model asked for. */
  readonly toolCall: ToolCallLike;
  /** The tool; `undefined` for one that another middleware brings along. */
  readonly tool?: unknown;
  /** The agent's state. */
  readonly state?: unknown;
  /** Context, store and signal. */
  readonly runtime?: unknown;
}

/** A tool, as the agent calls it. */
export interface Tool {
  invoke(input: ToolCallInput, config: ToolConfig): Promise<unknown>;
}

export interface ToolCallInput {
  readonly id?: string;
}

export interface ToolConfig {
  readonly signal?: AbortSignal;
  /** The same once more, as tools read it at run time. */
  readonly config?: object;
  readonly configurable?: {
    /** What LangGraph notes of the interrupts of a task. */
    readonly __pregel_scratchpad?: { readonly interruptCounter?: number };
  };
}

export function isTool(tool: unknown): tool is Tool {
  return typeof tool === 'object' && tool !== null && typeof Reflect.get(tool, 'invoke') === 'function';
}
