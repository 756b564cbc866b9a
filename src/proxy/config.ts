/** What a proxy is told: its servers, their cached tools, and the cache. Read from a JSON file, whose schema is published. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InvalidOptionError, messageOf } from '../errors.js';
import type { CacheOptions, ToolRules } from '../index.js';
import { checkedOptions } from '../mcp/client-options.js';
import { expected, expectedUnseen, filePath, objectOf, refuseUnknown, text } from '../option-checks.js';
import type { RedisOptions } from '../redis/index.js';
import { ToolEffects } from '../rollout/tool-effects.js';
import type { Program } from './child-server.js';
import type { HttpServer } from './http-server-link.js';
import { type ListenConfig, type ResolvedListen, resolveListen, texts } from './listen-config.js';
import { type ResolvedRollouts, type RolloutsConfig, resolveRollouts } from './rollout-names.js';
import { ofProgram, type ProxyToolRules, resolveTools, type ToolDeclarations } from './tool-declarations.js';

/** The config as it is written. */
export interface ProxyConfig {
  readonly $schema?: string;
  /** By the name under which errors and figures speak of them. */
  readonly servers: Readonly<Record<string, ServerConfig>>;
  /**
   * Where clients reach it over Streamable HTTP.
   * @default undefined (one client on standard input and output)
   */
  readonly listen?: ListenConfig;
  /**
   * How calls say which trajectory they are part of, where tools say what they read and change.
   * @default {} (by `toolstash/task` and `toolstash/rollout` in `_meta`, headers `toolstash-task` and `toolstash-rollout`)
   */
  readonly rollouts?: RolloutsConfig;
  /** Options of the `CacheManager`, as far as JSON can say them. */
  readonly cache?: Omit<CacheOptions, 'remote'> & {
    /** A tier that machines share; `{}` where the environment says where it is. */
    readonly redis?: RedisOptions;
  };
}

/** One server. */
export interface ServerConfig {
  /** The program that is the server, its arguments and what is added to its environment. `${NAME}` there is a variable's value. */
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Its working folder, seen from the config file.
   * @default that of the proxy
   */
  readonly cwd?: string;
  /** In place of `command`: where a server of Streamable HTTP is, and headers for it; `${NAME}` there is a variable's value. */
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Headers of clients that go on to it. What they say is part of the principal.
   * @default []
   */
  readonly forwardHeaders?: readonly string[];
  /**
   * Names the server and how it is set up (its root folder, its database): sessions share results with all others that
   * give the same name, also across processes.
   * @default undefined (each session has its own)
   */
  readonly identity?: string;
  /** For whom the server answers; `null`: everybody alike; or the header of clients that says so. Needed with `identity`. */
  readonly principal?: string | null | { readonly header: string };
  /**
   * Which tools are cached, and how.
   * @default {} (none)
   */
  readonly tools?: ProxyToolRules;
}

/** A config that was checked. */
export interface ResolvedConfig {
  readonly servers: readonly ResolvedServer[];
  readonly cache: Omit<CacheOptions, 'remote'>;
  readonly redis: RedisOptions | undefined;
  /** `undefined`: one client on standard input and output. */
  readonly listen: ResolvedListen | undefined;
  /** `undefined`: no answer depends on what was done before. */
  readonly rollouts: ResolvedRollouts | undefined;
}

/** One of its servers. */
export interface ResolvedServer {
  readonly name: string;
  readonly place: Program | HttpServer;
  /** `undefined`: each session has results of its own. */
  readonly identity: string | undefined;
  readonly principal: string | null;
  /** Headers of clients that make the principal, in lower case. */
  readonly principalHeaders: readonly string[];
  readonly forwardHeaders: readonly string[];
  readonly rules: ToolRules;
  /** `undefined`: nobody wants to know. */
  readonly effects: ToolEffects | undefined;
}

const programFields = ['command', 'args', 'env', 'cwd'];
const httpFields = ['url', 'headers', 'forwardHeaders'];
const serverFields = [...programFields, ...httpFields, 'identity', 'principal', 'tools'];
/** What would store what must not be stored, or is not what the relay takes for given. */
const refusedOptions: Readonly<Record<string, string>> = {
  cacheErrors: 'a proxy stores no errors',
  values: 'a proxy hands out copies',
  methods: 'give the options of a tool to its rule, `servers.….tools`',
  scope: 'say for whom a server answers, `servers.….principal`',
  remote: 'here it is called `redis`',
};

/** @throws InvalidOptionError naming the file, the field, its value and the fix */
export async function readConfig(path: string): Promise<ResolvedConfig> {
  try {
    return resolveConfig(JSON.parse(await readFile(path, 'utf8')) as ProxyConfig, dirname(path));
  } catch (cause) {
    throw new InvalidOptionError(`Can't use the config \`${path}\`: ${messageOf(cause)}`, { cause });
  }
}

/** @throws InvalidOptionError naming the field, its value and the fix */
export function resolveConfig(config: ProxyConfig, folder = '.'): ResolvedConfig {
  const of = 'the config of a proxy';
  const fields = ['$schema', 'servers', 'listen', 'rollouts', 'cache'];
  refuseUnknown(objectOf(config, 'config'), fields, { of, noun: 'field' });
  const example = "an object of servers by name, as `{ docs: { command: 'npx', args: ['docs-server'] } }`";
  const servers = Object.entries(objectOf(config.servers, 'servers', example));
  if (servers.length === 0) throw expected('servers', 'one server at least', config.servers);
  const wrong = servers.map(([name]) => name).find((name) => servers.length > 1 && !mayBePrefix(name));
  if (wrong !== undefined)
    throw expected(
      'servers',
      `named by letters, digits, - and single _, as they are prefixes of tools (\`${wrong}\`)`,
      wrong,
    );
  const { redis, ...cache } = objectOf(config.cache ?? {}, 'cache');
  for (const [name, why] of Object.entries(refusedOptions))
    if (Object.hasOwn(cache, name)) throw new InvalidOptionError(`\`cache.${name}\` can't be set: ${why}`);
  if (redis !== undefined) objectOf(redis, 'cache.redis');
  const listen = config.listen === undefined ? undefined : resolveListen(config.listen, withVariables);
  const declared = servers.map(([name, server]) =>
    resolveTools(
      `servers.${name}`,
      objectOf(server, `servers.${name}`).tools ?? {},
      server.url === undefined,
    ),
  );
  const isTracked = declared.some((each) => each.isTracked);
  const resolved = servers.map(([name, server], at) =>
    resolveServer(name, server, folder, { ...(declared[at] as ToolDeclarations), isTracked }),
  );
  if (!isTracked && config.rollouts !== undefined)
    throw new InvalidOptionError(
      '`rollouts` does nothing: no rule of `servers.….tools` says by `effect`, `scope` or `samples` what depends on them',
    );
  const rollouts = isTracked ? resolveRollouts(config.rollouts ?? {}, withVariables) : undefined;
  for (const { name, principalHeaders } of listen === undefined ? resolved : []) {
    if (principalHeaders.length === 0) continue;
    throw new InvalidOptionError(
      `Expected \`listen\` with headers of clients in \`servers.${name}\`, got none: a client on standard input has no headers`,
    );
  }
  for (const server of resolved) refuseForwarded(server, listen);
  const arePrograms = resolved.every(({ place }) => 'command' in place);
  return { servers: resolved, cache: arePrograms ? ofProgram(cache) : cache, redis, listen, rollouts };
}

function resolveServer(
  name: string,
  server: ServerConfig,
  folder: string,
  { rules, effects, isTracked }: ToolDeclarations,
): ResolvedServer {
  const path = `servers.${name}`;
  refuseUnknown(objectOf(server, path), serverFields, { of: `\`${path}\``, noun: 'field' });
  const { url, identity, principal } = server;
  const [own, other] = url === undefined ? [programFields, httpFields] : [httpFields, programFields];
  const wrong = other.find((field) => Object.hasOwn(server, field));
  if (wrong !== undefined)
    throw new InvalidOptionError(
      `\`${path}.${wrong}\` does nothing with \`${own[0]}\`: a server is a program, or has a URL`,
    );
  const forwardHeaders = texts(server.forwardHeaders, `${path}.forwardHeaders`).map((each) =>
    each.toLowerCase(),
  );
  const header = typeof principal === 'object' && principal !== null ? principal.header : undefined;
  const fixed = header === undefined ? (principal as string | null | undefined) : null;
  if (header !== undefined || typeof principal === 'object') checkHeader(principal, path);
  resolveIdentity(path, identity, fixed);
  return {
    ...{ name, identity, principal: fixed ?? null, forwardHeaders },
    place: url === undefined ? programOf(path, server, folder) : httpServerOf(path, url, server),
    principalHeaders: [...(header === undefined ? [] : [header.toLowerCase()]), ...forwardHeaders],
    rules,
    effects: isTracked ? new ToolEffects(effects) : undefined,
  };
}

function programOf(path: string, { command, args, env, cwd }: ServerConfig, folder: string): Program {
  return {
    command: filePath(command, `${path}.command`),
    args: texts(args, `${path}.args`).map((each, at) => withVariables(each, `${path}.args[${at}]`)),
    env: allWithVariables(env, `${path}.env`),
    cwd: cwd === undefined ? undefined : resolve(folder, filePath(cwd, `${path}.cwd`)),
  };
}

function httpServerOf(path: string, given: string, { headers }: ServerConfig): HttpServer {
  const url = withVariables(text(given, `${path}.url`), `${path}.url`);
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw expectedUnseen(`${path}.url`, "a URL, as 'https://example.com/mcp'", url);
  const { username, password } = new URL(url);
  if (`${username}${password}` !== '')
    throw new InvalidOptionError(
      `\`${path}.url\` can't hold a name and a password: give them in \`${path}.headers\``,
    );
  const all = Object.entries(allWithVariables(headers, `${path}.headers`));
  for (const [name, value] of all)
    if (!isHeader(name, value))
      throw expectedUnseen(`${path}.headers.${name}`, 'what a header can say', value);
  return { url, headers: Object.fromEntries(all.map(([name, value]) => [name.toLowerCase(), value])) };
}

function isHeader(name: string, value: string): boolean {
  try {
    return new Headers([[name, value]]).has(name);
  } catch {
    return false;
  }
}

/** Each header is said once, and the token of the proxy is nobody else's. */
function refuseForwarded(
  { name, place, forwardHeaders }: ResolvedServer,
  listen: ResolvedListen | undefined,
): void {
  const path = `servers.${name}.forwardHeaders`;
  const own = 'url' in place ? place.headers : {};
  const twice = forwardHeaders.find((header) => Object.hasOwn(own, header));
  if (twice !== undefined)
    throw new InvalidOptionError(`\`${path}\` can't hold \`${twice}\`: \`servers.${name}.headers\` sets it`);
  if (listen?.token !== undefined && forwardHeaders.includes('authorization'))
    throw new InvalidOptionError(
      `\`${path}\` can't hold \`authorization\` with \`listen.token\`: it is what clients show that token in`,
    );
}

function allWithVariables(record: unknown, path: string): Readonly<Record<string, string>> {
  const entries = Object.entries(objectOf(record ?? {}, path) as Record<string, unknown>);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, withVariables(text(value, `${path}.${key}`), `${path}.${key}`)]),
  );
}

function checkHeader(principal: unknown, path: string): void {
  if (principal === null) return;
  refuseUnknown(objectOf(principal, `${path}.principal`) as object, ['header'], {
    of: `\`${path}.principal\``,
    noun: 'field',
  });
  const { header } = principal as { header?: unknown };
  if (typeof header !== 'string' || header === '')
    throw expected(`${path}.principal.header`, 'the name of a header', header);
}

/** Its words are those of `cacheClient`. */
function resolveIdentity(path: string, identity?: string, principal?: string | null): void {
  if (identity === undefined && principal !== undefined) {
    throw new InvalidOptionError(
      `Expected \`${path}.identity\` with \`principal\`, got none: name the server and how it is set up, or each session ` +
        'has results of its own anyway',
    );
  }
  if (identity === undefined) return;
  if (identity === '') throw expected(`${path}.identity`, 'a non-empty string', identity);
  if (principal === undefined) {
    throw new InvalidOptionError(
      `Expected \`${path}.principal\` with \`identity\`, got none: say for whom the server answers, \`"principal": "ada"\`, ` +
        'or `"principal": null` where it answers everybody alike',
    );
  }
  checkedOptions({ server: identity, principal });
}

/** `${NAME}` is the value of a variable, so that no secret stands in the file. */
function withVariables(value: string, path: string): string {
  return value.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const found = process.env[name];
    if (found !== undefined) return found;
    throw new InvalidOptionError(`\`${path}\` needs the environment variable ${name}, which is not set`);
  });
}

/** So that no two servers can have a tool of one name behind the proxy. */
function mayBePrefix(name: string): boolean {
  return /^[a-z0-9-]+(?:_[a-z0-9-]+)*$/i.test(name);
}
