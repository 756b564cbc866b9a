/** A middleware for agents of LangChain 1 that answers tool calls from a cache. */

import { InvalidArgumentError, InvalidOptionError, messageOf } from '../errors.js';
import type { CacheManager, ToolRules } from '../index.js';
import { type Defined, objectOf, oneOf, refuseUnknown, shown } from '../option-checks.js';
import { isNotRecorded, recordedTools } from '../recorded-tools.js';
import {
  type AdaptedFunction,
  type AdaptedTool,
  adaptedFunction,
  adapterRules,
  type CachedRule,
} from '../tools/adapted-tool.js';
import { isResumed } from '../tools/langchain.js';
import type { CheckedRules } from '../tools/tool-rules.js';
import { warnOnce } from '../tools/warn-once.js';
import { isOfTheAgent } from './agent-error.js';
import { AgentToolCall } from './agent-tool-call.js';
import {
  isTool,
  type Tool,
  type ToolCallInput,
  type ToolCallRequestLike,
  type ToolConfig,
  type ToolMessageClass,
} from './langchain-types.js';

export type {
  ToolCallLike,
  ToolCallRequestLike,
  ToolMessageClass,
  ToolMessageLike,
} from './langchain-types.js';

/** What the middleware needs of LangChain. */
export interface CacheMiddlewareOptions {
  /** The class of LangChain, of which cached answers are made. `langchain` exports it. */
  readonly ToolMessage: ToolMessageClass;
  /**
   * What becomes of a tool's error: a message to the model, as in an agent without such middleware, or a rejection of the
   * agent's run, as LangChain has it as soon as any middleware has `wrapToolCall`. Other middleware of that kind may need
   * to see it thrown.
   * @default 'message'
   */
  readonly toolErrors?: 'message' | 'throw' | undefined;
}

/** A middleware, as `createAgent({ middleware: [...] })` takes it. */
export interface CacheMiddleware {
  /** Its name in traces and errors. */
  readonly name: string;
  /** Called by the agent for each tool call. */
  readonly wrapToolCall: <R>(
    request: ToolCallRequestLike,
    handler: (request: never) => R | Promise<R>,
  ) => Promise<R>;
}

/**
 * A middleware that answers an agent's tool calls from a cache where a rule says so. Answers are messages with content,
 * artifact and status as the tool gave them, made out for the call that asks. Never stored: a `Command`, errors, and
 * answers of calls that were interrupted to ask a person.
 * @throws InvalidArgumentError, InvalidOptionError naming the value and the fix
 *
 * @example
 * const middleware = [cacheMiddleware(cache, { search: { ttl: '1h' }, '*': 'opaque' }, { ToolMessage })];
 * const agent = createAgent({ model, tools, middleware });
 */
export function cacheMiddleware(
  cache: CacheManager,
  rules: ToolRules,
  options: CacheMiddlewareOptions,
): CacheMiddleware {
  if (typeof (cache as Partial<CacheManager> | undefined | null)?.tools !== 'function') {
    throw new InvalidArgumentError(
      `Expected \`cacheMiddleware(cache, rules, { ToolMessage })\` with a \`CacheManager\`, got ${shown(cache)}`,
    );
  }
  const { ToolMessage, toolErrors } = checkedOptions(options);
  const tools = new AgentTools(cache, adapterRules(rules), ToolMessage);
  return {
    name: 'ToolstashCache',
    async wrapToolCall(request, handler) {
      const { toolCall, tool } = request;
      const cached = isTool(tool)
        ? inheriting(tool, (input, config) => tools.invoke(tool, request, { input, config }))
        : tool;
      try {
        return await handler({ ...request, tool: cached } as never);
      } catch (error) {
        if (toolErrors === 'throw' || isOfTheAgent(error) || isNotRecorded(error)) throw error;
        return new ToolMessage({
          ...{ content: `${error}\n Please fix your mistakes.`, status: 'error' },
          ...{ name: toolCall.name, tool_call_id: toolCall.id },
        }) as never;
      }
    },
  };
}

/** A tool's call, as the agent makes it. */
interface Invocation {
  readonly input: ToolCallInput;
  readonly config: ToolConfig;
}

type CachedFunction = AdaptedFunction<AgentToolCall>;

/** The function that holds a tool's name in a cache, for each tool. */
const runners = new WeakMap<Tool, AdaptedTool<AgentToolCall>['run']>();

/** The tools that a middleware has met. */
class AgentTools {
  readonly #cache: CacheManager;
  readonly #rules: CheckedRules;
  readonly #ToolMessage: ToolMessageClass;
  /** `undefined`: can't be cached, as was said. */
  readonly #functions = new WeakMap<Tool, CachedFunction | undefined>();

  constructor(cache: CacheManager, rules: CheckedRules, ToolMessage: ToolMessageClass) {
    this.#cache = cache;
    this.#rules = rules;
    this.#ToolMessage = ToolMessage;
  }

  async invoke(tool: Tool, request: ToolCallRequestLike, { input, config }: Invocation): Promise<unknown> {
    const { name, args } = request.toolCall;
    const rule = this.#ruleFor(name);
    // What a person answered is one agent's.
    const ask = rule && !isResumed(config) ? this.#function(tool, name, rule) : undefined;
    if (rule === undefined || ask === undefined) {
      this.#cache[recordedTools]?.past(
        name,
        rule === undefined ? 'no rule caches it' : 'it can not be cached',
      );
      return tool.invoke(input, config);
    }
    const { key } = rule.options;
    const call = new AgentToolCall({
      ...{ tool, input, config, ToolMessage: this.#ToolMessage },
      key: () => (key === undefined ? args : key(args, request)),
    });
    return call.answer(await ask(call, call.signal));
  }

  #ruleFor(name: string): CachedRule | undefined {
    const rule = this.#rules.for(name);
    if (rule === undefined) {
      warnOnce(
        this.#cache,
        `Tools without a rule are never cached: ${name}. Give it a rule, such as \`{ ttl: '1h' }\` where equal calls ` +
          "have equal answers, 'write' where it changes something, or say `'*': 'opaque'` for all others.",
        'TOOLSTASH_TOOLS_WITHOUT_RULE',
      );
    }
    const ambiguity = this.#rules.ambiguityOf(name);
    if (ambiguity !== undefined) warnOnce(this.#cache, ambiguity, 'TOOLSTASH_AMBIGUOUS_RULES');
    return rule?.kind === 'cached' ? rule : undefined;
  }

  #function(tool: Tool, name: string, rule: CachedRule): CachedFunction | undefined {
    if (!this.#functions.has(tool)) this.#functions.set(tool, this.#made(tool, name, rule));
    return this.#functions.get(tool);
  }

  #made(tool: Tool, name: string, rule: CachedRule): CachedFunction | undefined {
    const run = runners.get(tool) ?? ((call, signal) => call.run(signal));
    runners.set(tool, run);
    try {
      return adaptedFunction<AgentToolCall>(this.#cache, {
        ...{ name, rule, run, shared: rule.options.shared },
        // Marked, so that what `cache.tools` stores under the name is never taken for a message.
        key: (call) => ['ToolMessage', call.key()],
        isPrivate: (call) => call.isPrivate,
      });
    } catch (error) {
      warnOnce(
        this.#cache,
        `The tool \`${name}\` runs uncached: ${messageOf(error)}`,
        'TOOLSTASH_TOOL_UNCACHED',
      );
      return undefined;
    }
  }
}

/** The same tool, called in another way. */
function inheriting(tool: Tool, invoke: Tool['invoke']): Tool {
  return Object.create(tool, { invoke: { value: invoke, writable: true, configurable: true } }) as Tool;
}

function checkedOptions(options: CacheMiddlewareOptions): Required<Defined<CacheMiddlewareOptions>> {
  const what = 'an object, as `{ ToolMessage }` with the class of `langchain`';
  const of = 'cacheMiddleware';
  refuseUnknown(objectOf(options, 'options', what), ['ToolMessage', 'toolErrors'], { of });
  const { ToolMessage, toolErrors = 'message' } = options;
  if (typeof ToolMessage !== 'function') {
    throw new InvalidOptionError(
      `Expected \`ToolMessage\` to be the class of that name of \`langchain\`, got ${shown(ToolMessage)}: ` +
        "`import { ToolMessage } from 'langchain'`",
    );
  }
  return { ToolMessage, toolErrors: oneOf(toolErrors, 'toolErrors', ['message', 'throw']) };
}
