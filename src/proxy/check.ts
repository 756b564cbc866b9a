/** What a proxy would do with each tool of its servers, and why: `toolstash proxy --check`. */

import { setTimeout as sleep } from 'node:timers/promises';
import { CacheError, messageOf } from '../errors.js';
import { CacheManager } from '../index.js';
import { isRecord, type McpTool } from '../mcp/mcp-client.js';
import { vetoOf } from '../mcp/tool-call.js';
import { adapterRules } from '../tools/adapted-tool.js';
import type { ResolvedConfig, ResolvedServer } from './config.js';
import { jsonText } from './json-text.js';
import { kindOf, parsedMessages, RpcError, recordIn } from './message.js';
import { openSession } from './open-session.js';

/** What is said of one server. */
export interface CheckedServer {
  readonly name: string;
  /** What it calls itself, and the revision it speaks; `undefined` where it can't be asked. */
  readonly server: string | undefined;
  readonly tools: readonly CheckedTool[];
  /** What should be put right. */
  readonly problems: readonly string[];
}

/** What is said of a tool. */
export interface CheckedTool {
  readonly name: string;
  readonly isCached: boolean;
  readonly why: string;
}

/** The revision that is asked for: the latest that begins with `initialize`. */
const revision = '2025-11-25';
/** In ms. `npx` may have to download it. */
const startTimeout = 60_000;
const mostPages = 64;

/** Starts the servers, lists their tools, and ends them, at once when the signal says so. */
export async function checkServers(
  { servers }: ResolvedConfig,
  signal?: AbortSignal,
): Promise<readonly CheckedServer[]> {
  return Promise.all(servers.map((server) => checkServer(server, signal)));
}

async function checkServer(server: ResolvedServer, signal?: AbortSignal): Promise<CheckedServer> {
  const { name } = server;
  await using cache = new CacheManager();
  const answers = new Map<unknown, (answer: unknown) => void>();
  const session = openSession(server, cache, (text) => {
    const message = parsedMessages(text);
    if (message === undefined || !('value' in message)) return;
    // The ids of what it asks are its own.
    if (kindOf(message.value) === 'response') answers.get(message.value['id'])?.(message.value);
  });
  let ids = 0;
  const ask = async (method: string, params: object) => {
    const id = ++ids;
    const answer = new Promise<unknown>((resolve) => answers.set(id, resolve));
    session.receive(jsonText({ jsonrpc: '2.0', id, method, params }));
    const late = sleep(startTimeout, undefined, { ref: false, ...(signal && { signal }) });
    const found = await Promise.race([answer, late]);
    if (!isRecord(found))
      throw new Error(`it does not answer \`${method}\` within ${startTimeout / 1_000} s`);
    if (found['error'] !== undefined) throw new RpcError(found['error']);
    return recordIn(found, 'result');
  };
  try {
    const clientInfo = { name: 'toolstash-proxy-check', version: '1' };
    const welcome = await ask('initialize', { protocolVersion: revision, capabilities: {}, clientInfo });
    session.receive('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    const tools: McpTool[] = [];
    let cursor: unknown;
    for (let page = 0; page < mostPages; page++) {
      const { tools: some, nextCursor } = await ask('tools/list', cursor === undefined ? {} : { cursor });
      if (Array.isArray(some)) tools.push(...(some as McpTool[]));
      if (nextCursor === undefined) break;
      cursor = nextCursor;
    }
    const info = recordIn(welcome, 'serverInfo');
    const title = `${info['name']} ${info['version']}, MCP ${welcome['protocolVersion']}`;
    return { name, server: title, ...checkTools(server, tools) };
  } catch (error) {
    return { name, server: undefined, tools: [], problems: [messageOf(error)] };
  } finally {
    await session.close();
  }
}

function checkTools({ rules: given }: ResolvedServer, tools: readonly McpTool[]) {
  const rules = adapterRules(given);
  const problems = tools.flatMap(({ name }) => rules.ambiguityOf(name) ?? []);
  try {
    rules.refuseMisspelt(new Set(tools.map(({ name }) => name)), new Map());
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    problems.push(error.message);
  }
  const names = Object.keys(given).filter((rule) => !rule.includes('*'));
  for (const rule of names) {
    const isThere = tools.some(({ name }) => name === rule);
    if (!isThere && problems.length === 0)
      problems.push(`There is no tool \`${rule}\`, for which there is a rule`);
  }
  const checked = tools.map((tool): CheckedTool => {
    const { name } = tool;
    const rule = rules.for(name);
    if (rule?.kind !== 'cached') return { name, isCached: false, why: 'no rule lists it' };
    const veto = vetoOf(tool);
    if (veto !== undefined) {
      if (rule.isNamed) problems.push(`The rule of \`${name}\` does nothing: its server says ${veto}`);
      return { name, isCached: false, why: `its server says ${veto}` };
    }
    const options = Object.entries(rule.options.method).map(([key, value]) => `${key} ${jsonText(value)}`);
    return { name, isCached: true, why: options.length === 0 ? 'for ever' : options.join(', ') };
  });
  return { tools: checked, problems };
}
