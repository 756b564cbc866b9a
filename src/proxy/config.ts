/** What a proxy is told: its servers, their cached tools, and the cache. Read from a JSON file, whose schema is published. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InvalidOptionError, messageOf } from '../errors.js';
import type { CacheOptions, ToolRules } from '../index.js';
import { type CacheClientOptions, checkedOptions } from '../mcp/client-options.js';
import { expected, filePath, objectOf, refuseUnknown, text } from '../option-checks.js';
import type { RedisOptions } from '../redis/index.js';
import { adapterRules } from '../tools/adapted-tool.js';
import type { Program } from './child-server.js';

/** The config as it is written. */
export interface ProxyConfig {
  readonly $schema?: string;
  /** By the name under which errors and figures speak of them. */
  readonly servers: Readonly<Record<string, ServerConfig>>;
  /** Options of the `CacheManager`, as far as JSON can say them. */
  readonly cache?: Omit<CacheOptions, 'remote'> & {
    /** A tier that machines share; `{}` where the environment says where it is. */
    readonly redis?: RedisOptions;
  };
}

/** One server. */
export interface ServerConfig {
  /** The program that is the server, its arguments and what is added to its environment. `${NAME}` there is a variable's value. */
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Its working folder, seen from the config file.
   * @default that of the proxy
   */
  readonly cwd?: string;
  /**
   * Names the server and how it is set up (its root folder, its database): sessions share results with all others that
   * give the same name, also across processes.
   * @default undefined (each session has its own)
   */
  readonly identity?: string;
  /** For whom the server answers; `null`: everybody alike. Needed with `identity`. */
  readonly principal?: string | null;
  /**
   * Which tools are cached, and how.
   * @default {} (none)
   */
  readonly tools?: ToolRules;
}

/** A config that was checked. */
export interface ResolvedConfig {
  readonly servers: readonly ResolvedServer[];
  readonly cache: Omit<CacheOptions, 'remote'>;
  readonly redis: RedisOptions | undefined;
}

/** One of its servers. */
export interface ResolvedServer {
  readonly name: string;
  readonly program: Program;
  readonly options: CacheClientOptions;
  readonly rules: ToolRules;
}

const serverFields = ['command', 'args', 'env', 'cwd', 'identity', 'principal', 'tools'];
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
  const fields = ['$schema', 'servers', 'cache'];
  refuseUnknown(objectOf(config, 'config'), fields, { of, noun: 'field' });
  const example = "an object of servers by name, as `{ docs: { command: 'npx', args: ['docs-server'] } }`";
  const servers = Object.entries(objectOf(config.servers, 'servers', example));
  if (servers.length !== 1) throw expected('servers', 'one server', config.servers);
  const { redis, ...cache } = objectOf(config.cache ?? {}, 'cache');
  for (const [name, why] of Object.entries(refusedOptions))
    if (Object.hasOwn(cache, name)) throw new InvalidOptionError(`\`cache.${name}\` can't be set: ${why}`);
  if (redis !== undefined) objectOf(redis, 'cache.redis');
  return { servers: servers.map(([name, server]) => resolveServer(name, server, folder)), cache, redis };
}

function resolveServer(name: string, server: ServerConfig, folder: string): ResolvedServer {
  const path = `servers.${name}`;
  refuseUnknown(objectOf(server, path), serverFields, { of: `\`${path}\``, noun: 'field' });
  const { command, args = [], env = {}, cwd, identity, principal, tools = {} } = server;
  if (!Array.isArray(args) || !args.every((each) => typeof each === 'string'))
    throw expected(`${path}.args`, 'a list of strings', args);
  const variables = Object.entries(objectOf(env, `${path}.env`)).map(([key, value]) => {
    return [key, withVariables(text(value, `${path}.env.${key}`), `${path}.env.${key}`)];
  });
  return {
    name,
    program: {
      command: filePath(command, `${path}.command`),
      args: args.map((each, at) => withVariables(each, `${path}.args[${at}]`)),
      env: Object.fromEntries(variables),
      cwd: cwd === undefined ? undefined : resolve(folder, filePath(cwd, `${path}.cwd`)),
    },
    options: resolveIdentity(path, identity, principal),
    rules: resolveRules(path, tools),
  };
}

/** Its words are those of `cacheClient`. */
function resolveIdentity(path: string, identity?: string, principal?: string | null): CacheClientOptions {
  if (identity === undefined && principal !== undefined) {
    throw new InvalidOptionError(
      `Expected \`${path}.identity\` with \`principal\`, got none: name the server and how it is set up, or each session ` +
        'has results of its own anyway',
    );
  }
  if (identity === undefined) return {};
  if (identity === '') throw expected(`${path}.identity`, 'a non-empty string', identity);
  if (principal === undefined) {
    throw new InvalidOptionError(
      `Expected \`${path}.principal\` with \`identity\`, got none: say for whom the server answers, \`"principal": "ada"\`, ` +
        'or `"principal": null` where it answers everybody alike',
    );
  }
  return checkedOptions({ server: identity, principal });
}

function resolveRules(path: string, tools: ToolRules): ToolRules {
  try {
    for (const [tool, rule] of Object.entries(objectOf(tools, 'tools'))) {
      if (typeof rule === 'object' && rule !== null && Object.hasOwn(rule, 'cacheErrors'))
        throw new InvalidOptionError(
          `\`cacheErrors\` of the rule \`${tool}\` can't be set: a proxy stores no errors`,
        );
    }
    adapterRules(tools);
    // Who runs the proxy lists what is cached, and is not asked about the rest.
    return { '*': 'opaque', ...tools };
  } catch (cause) {
    throw new InvalidOptionError(`\`${path}.tools\`: ${messageOf(cause)}`, { cause });
  }
}

/** `${NAME}` is the value of a variable, so that no secret stands in the file. */
function withVariables(value: string, path: string): string {
  return value.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const found = process.env[name];
    if (found !== undefined) return found;
    throw new InvalidOptionError(`\`${path}\` needs the environment variable ${name}, which is not set`);
  });
}
