/** A call of a tool by an agent of LangChain: what it stores of the answer, and for whom that is. */

import { isBubbleUp } from '../tools/langchain.js';
import type { Tool, ToolCallInput, ToolConfig, ToolMessageClass } from './langchain-types.js';

/** What is taken over from a message; who asked, and the message's own id, are not. */
const storedFields = [
  ...['content', 'artifact', 'status', 'name', 'metadata'],
  ...['additional_kwargs', 'response_metadata'],
] as const;

/** What a call is made from. */
export interface AgentToolCallInit {
  readonly tool: Tool;
  readonly input: ToolCallInput;
  readonly config: ToolConfig;
  /** What makes the key. */
  readonly key: () => unknown;
  readonly ToolMessage: ToolMessageClass;
}

/** A call under way. */
export class AgentToolCall {
  readonly key: () => unknown;
  /** Whether the answer is this caller's alone. */
  isPrivate = false;
  readonly #tool: Tool;
  readonly #input: ToolCallInput;
  readonly #config: ToolConfig;
  readonly #ToolMessage: ToolMessageClass;
  /** What the tool answered this very call. */
  #own: { readonly output: unknown } | undefined;

  constructor({ tool, input, config, key, ToolMessage }: AgentToolCallInit) {
    this.key = key;
    this.#tool = tool;
    this.#input = input;
    this.#config = config;
    this.#ToolMessage = ToolMessage;
  }

  get signal(): AbortSignal | undefined {
    return this.#config.signal;
  }

  /** Runs the tool, and gives what is to be stored of its answer. */
  async run(signal: AbortSignal | undefined): Promise<unknown> {
    const before = this.#interrupts;
    try {
      const output = await this.#tool.invoke(this.#input, this.#configUnder(signal));
      this.#own = { output };
      // A `Command`, which says how the agent goes on, among others.
      this.isPrivate = !(typeof output === 'string' || output instanceof this.#ToolMessage);
      return this.isPrivate ? undefined : this.#stored(output);
    } catch (error) {
      if (isBubbleUp(error)) this.isPrivate = true;
      throw error;
    } finally {
      // What a person answered, when the agent went on.
      if (this.#interrupts !== before) this.isPrivate = true;
    }
  }

  /** The answer, made out for this call. */
  answer(stored: unknown): unknown {
    if (this.#own !== undefined) return this.#own.output;
    if (typeof stored === 'string') return stored;
    return new this.#ToolMessage({ ...(stored as object), tool_call_id: this.#input.id });
  }

  get #interrupts(): number | undefined {
    return this.#config.configurable?.__pregel_scratchpad?.interruptCounter;
  }

  #stored(output: unknown): unknown {
    if (typeof output === 'string') return output;
    const fields = output as Readonly<Record<string, unknown>>;
    return Object.fromEntries(
      storedFields.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
    );
  }

  #configUnder(signal: AbortSignal | undefined): ToolConfig {
    if (signal === undefined) return this.#config;
    const { config } = this.#config;
    return { ...this.#config, signal, ...(config && { config: { ...config, signal } }) };
  }
}
