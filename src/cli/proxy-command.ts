/** `toolstash proxy`: a cache in front of an MCP server. */

import { Command, Option } from 'commander';
import type { CheckedServer, ProxyConfig } from '../proxy/index.js';
import { printable } from '../report/format.js';
import type { CommandIo } from './command-io.js';
import { watchInterruption } from './interrupt.js';
import { wholeNumber } from './option-value.js';
import { splitGlobs } from './replay/effects.js';
import { UsageError } from './usage-error.js';

interface ProxyFlags {
  readonly config?: string;
  readonly tools?: readonly string[];
  readonly ttl?: string;
  readonly identity?: string;
  readonly principal?: string;
  readonly persistDir?: string;
  readonly listen?: number;
  readonly check?: boolean;
}

/** The command with its flags. */
export function proxyCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('proxy')
    .description(
      'Put a cache in front of an MCP server: started with --, or set up in a config file. Speaks MCP over standard input ' +
        'and output.',
    )
    .argument('[command...]', 'after --, the program that is the server, and its arguments')
    .option('--config <file>', 'JSON file that says which server, which tools are cached, and where')
    .addOption(
      new Option(
        '--tools <globs>',
        'tools that are cached, which answer alike when asked alike; no others are',
      )
        .argParser(splitGlobs)
        .conflicts('config'),
    )
    .addOption(
      new Option('--ttl <duration>', 'how long an answer is fresh, such as 5m (default: for ever)').conflicts(
        'config',
      ),
    )
    .addOption(
      new Option(
        '--identity <name>',
        'names the server and how it is set up: all who give the same name share answers',
      ).conflicts('config'),
    )
    .addOption(
      new Option(
        '--principal <name>',
        'with --identity, for whom the server answers (default: everybody alike)',
      ).conflicts('config'),
    )
    .addOption(
      new Option('--persist-dir <dir>', 'keep answers in this folder, which processes share').conflicts(
        'config',
      ),
    )
    .addOption(
      new Option('--listen <port>', 'speak Streamable HTTP at http://127.0.0.1:<port>/mcp instead')
        .argParser(wholeNumber('--listen', 0, 65_535))
        .conflicts('config'),
    )
    .option('--check', 'start the server, say of each of its tools what will happen and why, and end')
    .helpOption('-h, --help', 'Show this help')
    .action(async (command: readonly string[], flags: ProxyFlags) => exit(await proxy(command, flags, io)));
}

async function proxy(
  command: readonly string[],
  flags: ProxyFlags,
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const {
    checkServers,
    killServers,
    openCache,
    readConfig,
    resolveConfig,
    serveHttp,
    serveStdio,
    startTable,
  } = await import('../proxy/index.js');
  const config =
    flags.config === undefined
      ? resolveConfig(configOf(command, flags))
      : await readConfig(withoutCommand(flags.config, command));
  // Servers are in process groups of their own, which a terminal's signals don't reach.
  const interrupting = { signals: ['SIGHUP', 'SIGINT', 'SIGTERM'], beforeEnd: killServers } as const;
  if (flags.check === true) {
    const interruption = watchInterruption(interrupting);
    const checked = await checkServers(config, interruption.signal).finally(() => interruption.stop());
    if (interruption.exitCode !== undefined) return interruption.exitCode;
    stdout.write(checked.map(checkReport).join('\n'));
    return checked.some(({ problems }) => problems.length > 0) ? 1 : 0;
  }
  const cache = await openCache(config);
  const interruption = watchInterruption(interrupting);
  const stopTable = startTable(cache, config.cache, stderr);
  const left = new AbortController();
  // The entry of the command line ends the process at once then: here calls are under way, and entries to be written.
  stdout.removeAllListeners('error').on('error', () => left.abort());
  try {
    const signal = AbortSignal.any([interruption.signal, left.signal]);
    if (config.listen === undefined)
      await serveStdio(config, cache, { input: process.stdin, output: stdout, signal });
    else {
      const onListening = (url: string) => stderr.write(`toolstash proxy: listening on ${url}\n`);
      await serveHttp(config, cache, { signal, onListening });
    }
  } finally {
    stopTable();
    await cache.close();
    interruption.stop();
  }
  return interruption.exitCode ?? 0;
}

function configOf(command: readonly string[], flags: ProxyFlags): ProxyConfig {
  const [program, ...args] = command;
  if (program === undefined)
    throw new UsageError('Expected a server: `toolstash proxy -- npx some-server`, or `--config <file>`');
  const { tools = [], ttl, identity, principal = null, persistDir, listen } = flags;
  if (persistDir !== undefined && identity === undefined) {
    throw new UsageError(
      'Expected --identity with --persist-dir, got none: sessions share no answers unless a name says that they ask one ' +
        'server that is set up in one way',
    );
  }
  const rule = ttl === undefined ? {} : { ttl };
  return {
    servers: {
      server: {
        ...{ command: program, args, tools: Object.fromEntries(tools.map((tool) => [tool, rule])) },
        ...(identity !== undefined && { identity, principal }),
      },
    },
    ...(listen !== undefined && { listen: { port: listen } }),
    ...(persistDir !== undefined && { cache: { persist: true, persistDir, mode: 'multi' } }),
  } as ProxyConfig;
}

function withoutCommand(config: string, [program]: readonly string[]): string {
  if (program === undefined) return config;
  throw new UsageError(
    `Expected --config alone, got \`${program}\` too: the config says which server is started`,
  );
}

function checkReport({ name, server = 'can not be asked', tools, problems }: CheckedServer): string {
  const width = Math.max(0, ...tools.map((tool) => tool.name.length));
  const lines = tools.map(
    ({ name: tool, isCached, why }) =>
      `  ${isCached ? '✓' : '·'} ${tool.padEnd(width)}  ${isCached ? 'cached' : 'passes'}: ${why}`,
  );
  return [`${name}: ${server}`, ...lines, ...problems.map((problem) => `  ✗ ${problem}`), '']
    .map(printable)
    .join('\n');
}
