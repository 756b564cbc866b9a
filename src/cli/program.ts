/** The command line: its commands and flags, and how complaints and exit codes come about. */

import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { CacheError } from '../index.js';
import type { CommandIo } from './command-io.js';
import { dashboardCommand } from './dashboard/command.js';
import { exampleText } from './examples.js';
import { consolidateCommand } from './partitions/consolidate-command.js';
import { deleteCommand } from './partitions/delete-command.js';
import { exportCommand } from './partitions/export-command.js';
import { getCommand } from './partitions/get-command.js';
import { importCommand } from './partitions/import-command.js';
import { inspectCommand } from './partitions/inspect-command.js';
import { mergeCommand } from './partitions/merge-command.js';
import { verifyCommand } from './partitions/verify-command.js';
import { proxyCommand } from './proxy-command.js';
import { withRedisPlace } from './redis-place.js';
import { replayCommand } from './replay/flags.js';
import { reportCommand } from './report/command.js';
import { simulateCommand } from './simulate/flags.js';
import { systemComplaint } from './system-error.js';
import { UsageError } from './usage-error.js';

/** Adds a command; it reports its exit code to `exit`. */
export type CommandFactory = (io: CommandIo, exit: (code: number) => void) => Command;

/** All commands, in the order in which the help lists them. */
const commands: readonly CommandFactory[] = [
  replayCommand,
  simulateCommand,
  dashboardCommand,
  reportCommand,
  proxyCommand,
  inspectCommand,
  verifyCommand,
  getCommand,
  exportCommand,
  importCommand,
  deleteCommand,
  consolidateCommand,
  mergeCommand,
];

/**
 * Runs the command line. The result is the exit code: 0 when all went well, 1 when a command found something wrong,
 * 2 when what was typed or handed over can't be used.
 */
export async function runProgram(args: readonly string[], io: CommandIo): Promise<number> {
  let exitCode = 0;
  const program = new Command('toolstash')
    .description('Caches the results of agent tool calls.')
    .version(packageJson.version)
    .helpOption('-h, --help', 'Show this help')
    .helpCommand('help [command]', 'Show the help of a command')
    .addHelpText('after', exampleText(''));
  for (const create of commands) {
    const command = create(io, (code) => (exitCode = code));
    program.addCommand(command.addHelpText('after', exampleText(command.name())));
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Complaints are written once, below.
      outputError: () => {},
    });
  }
  try {
    await program.parseAsync(withRedisPlace(withCommand(args.map(withTwoDashes))), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof CommanderError && error.code === 'commander.help') {
      // What was asked for is not there, so the help of all commands was shown.
      if (args[0] === 'help' && args.length > 1) io.stderr.write(`toolstash: unknown command '${args[1]}'\n`);
      return 2;
    }
    const name = withCommand(args)[0];
    const known = program.commands.find((command) => command.name() === name);
    const isInRedis = args.some((arg) => /^--redis(=|$)/.test(arg));
    const shown = known === undefined ? 'toolstash' : `toolstash ${known.name()}`;
    const complaint = complaintOf(error, shown, isInRedis);
    if (complaint === undefined) throw error;
    io.stderr.write(`toolstash: ${complaint}\n`);
    return 2;
  }
}

const ownFlags = ['-h', '--help', '-V', '--version'];

/** Flags without a command are those of `replay`, which is what the program is mostly for. */
function withCommand(args: readonly string[]): string[] {
  const [first] = args;
  const isFlag = first?.startsWith('-') && !ownFlags.includes(first);
  return isFlag ? ['replay', ...args] : [...args];
}

/** Long flags have two dashes; `-loadCache` is an older spelling that scripts may use. */
function withTwoDashes(arg: string): string {
  return arg.replace(/^-loadCache(?=$|=)/, '--load-cache');
}

/** The one sentence that tells what was wrong and how to put it right; `undefined` for what is no one's mistake. */
function complaintOf(error: unknown, command: string, isInRedis: boolean): string | undefined {
  if (error instanceof UsageError) return error.message;
  if (error instanceof CacheError) return error.message;
  if (!(error instanceof CommanderError)) return systemComplaint(error);
  const [what = '', near] = withoutUrls(error.message.replace(/^error: /, '')).split('\n');
  const suggestion = near === undefined ? undefined : /Did you mean (.+)\?/.exec(near)?.[1];
  if (error.code === 'commander.excessArguments' && isInRedis)
    return `too many arguments: with --redis, leave out the path`;
  const fix =
    suggestion === undefined ? `\`${command} --help\` lists what there is` : `did you mean ${suggestion}?`;
  return `${what.replace(/[.:]$/, '')}: ${fix}`;
}

/** A URL may hold a password. */
function withoutUrls(message: string): string {
  return message.replace(/=?\b[a-z]+:\/\/.*(?=')/gis, '');
}
