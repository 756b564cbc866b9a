/** What a proxy would do with each tool of its servers, and why: `toolstash proxy --check`. */

import { setTimeout as sleep } from 'node:timers/promises';
import { CacheError, messageOf } from '../errors.js';
import { CacheManager } from '../index.js';
import { isRecord, type McpTool } from '../mcp/mcp-client.js';
import { vetoOf } from '../mcp/tool-call.js';
import { nothingDeclared, type ResolvedDeclaration } from '../rollout/tool-effects.js';
import { adapterRules } from '../tools/adapted-tool.js';
import type { ResolvedConfig, ResolvedServer } from './config.js';
import { jsonText } from './json-text.js';
import { kindOf, parsedMessages, RpcError, recordIn } from './message.js';
import { openSessions } from './open-session.js';
import { Worlds } from './session-worlds.js';
import { inBackground } from './tool-declarations.js';

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
  const config = { servers: [server], rollouts: undefined };
  const session = openSessions(config, { cache, worlds: new Worlds() }, (text) => {
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

function checkTools({ rules: given, effects }: ResolvedServer, tools: readonly McpTool[]) {
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
    if (effects !== undefined && rules.ambiguityOf(name) !== undefined)
      return { name, isCached: false, why: 'its rules disagree' };
    const declared = effects?.for(name);
    const does = declared === undefined ? '' : effectText(declared);
    if (rule?.kind !== 'cached') {
      const isListed = declared !== undefined && declared !== nothingDeclared;
      return { name, isCached: false, why: isListed ? does : `no rule lists it${does}` };
    }
    const veto = vetoOf(tool);
    if (veto !== undefined) {
      if (rule.isNamed) problems.push(`The rule of \`${name}\` does nothing: its server says ${veto}`);
      return { name, isCached: false, why: `its server says ${veto}` };
    }
    for (const argument of declared === undefined ? [] : argumentsIn(declared))
      if (!hasArgument(tool, argument))
        problems.push(
          `\`effect\` of \`${name}\` names an argument \`${argument}\`, which the tool does not have`,
        );
    const options = Object.entries(rule.options.method)
      .filter(([key]) => declared?.effect.kind !== 'tracked' || !Object.hasOwn(inBackground, key))
      .map(([key, value]) => `${key} ${jsonText(value)}`);
    if (does !== '') options.unshift(does);
    return { name, isCached: true, why: options.length === 0 ? 'for ever' : options.join(', ') };
  });
  return { tools: checked, problems };
}

/** What was declared of a tool; a pure one says nothing of it. */
function effectText(declared: ResolvedDeclaration): string {
  const { effect, scope, samples } = declared;
  if (declared === nothingDeclared) return ', so it may change everything';
  if (effect.kind === 'opaque') return 'by its effect it changes nothing';
  const listed = (what: string, of: readonly { readonly text: string }[]) =>
    of.length === 0 ? [] : [`${what} ${of.map(({ text }) => text).join(' ')}`];
  const does =
    effect.kind === 'pure' ? [] : [...listed('reads', effect.reads), ...listed('writes', effect.writes)];
  const whose = scope === undefined ? [] : [`scope ${jsonText(scope)}`];
  return [...does, ...whose, ...(samples === 1 ? [] : [`samples ${samples}`])].join(', ');
}

/** The arguments that are part of names of resources. */
function argumentsIn({ effect }: ResolvedDeclaration): readonly string[] {
  if (effect.kind !== 'tracked') return [];
  const texts = [...effect.reads, ...effect.writes].map(({ text }) => text);
  const found = texts.flatMap((text) =>
    Array.from(text.matchAll(/\{([^{}.]+)/g), ([, name]) => name as string),
  );
  return [...new Set(found)];
}

function hasArgument(tool: McpTool, name: string): boolean {
  const properties = recordIn(recordIn(tool, 'inputSchema'), 'properties');
  // One that lists none may take any.
  return Object.keys(properties).length === 0 || Object.hasOwn(properties, name);
}
