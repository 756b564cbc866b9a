/** What there is to say of a server's tools and their rules, each said once for a cache. */

import { messageOf } from '../errors.js';
import type { CheckedRules } from '../tools/tool-rules.js';
import { warnOnce } from '../tools/warn-once.js';
import type { McpTool } from './mcp-client.js';
import { vetoOf } from './tool-call.js';

/** Warnings about one server. */
export class Warnings {
  readonly #cache: object;
  readonly #server: string;

  constructor(cache: object, server: string) {
    this.#cache = cache;
    this.#server = server;
  }

  /** Says something once. */
  warn(text: string, code: string): void {
    warnOnce(this.#cache, `MCP server \`${this.#server}\`: ${text}`, code);
  }

  /** Rules whose names are likely misspelt, tools without a rule, and rules that the server's hints forbid. */
  onListed(tools: readonly McpTool[], rules: CheckedRules): void {
    try {
      rules.refuseMisspelt(new Set(tools.map(({ name }) => name)), new Map());
    } catch (error) {
      this.warn(messageOf(error), 'TOOLSTASH_RULE_WITHOUT_TOOL');
    }
    for (const { name } of tools) {
      const ambiguity = rules.ambiguityOf(name);
      if (ambiguity !== undefined) this.warn(ambiguity, 'TOOLSTASH_AMBIGUOUS_RULES');
    }
    const unruled = tools.filter(({ name }) => rules.for(name) === undefined).map(({ name }) => name);
    if (unruled.length > 0) {
      this.warn(
        `Tools without a rule are never cached: ${unruled.join(', ')}. Give each a rule, such as \`{ ttl: '1h' }\` where ` +
          "equal calls have equal answers, or say `'*': 'opaque'` for all others.",
        'TOOLSTASH_TOOLS_WITHOUT_RULE',
      );
    }
    const vetoed = tools.flatMap((tool) => {
      const rule = rules.for(tool.name);
      const veto = rule?.kind === 'cached' && rule.isNamed ? vetoOf(tool) : undefined;
      return veto === undefined ? [] : [`\`${tool.name}\` (${veto})`];
    });
    if (vetoed.length > 0) {
      this.warn(
        `Tools are not cached although their rules say so, because the server says what they do: ${vetoed.join(', ')}. ` +
          "Make their rules 'write' or 'opaque'.",
        'TOOLSTASH_VETOED_TOOL',
      );
    }
  }

  onUnlisted(reason: string): void {
    this.warn(
      `Its tools can't be listed, so calls run uncached for now: ${reason}`,
      'TOOLSTASH_TOOLS_UNLISTED',
    );
  }
}
