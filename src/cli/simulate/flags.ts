/** The flags of `toolstash simulate`. */

import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { storeNames } from '../../store/registry.js';
import type { CommandIo } from '../command-io.js';
import { oneOf, wholeNumber } from '../option-value.js';
import { splitGlobs } from '../replay/effects.js';
import { type SimulateFlags, simulate } from './command.js';
import { parseColumns } from './csv-columns.js';
import { defaultSizes, parseSizes } from './sizes.js';
import { traceFormats } from './trace-format.js';

/** The command with its flags, their defaults and checks. */
export function simulateCommand(io: CommandIo, exit: (code: number) => void): Command {
  const policies = storeNames();
  return new Command('simulate')
    .description('Compare eviction policies and sizes on a trace with the optimum, and recommend one.')
    .argument(
      '<trace>',
      'tool calls as replay takes them, keys, ARC .lis or a CSV; .gz and .zst too; - is standard input',
    )
    .addOption(
      new Option(
        '--sizes <list>',
        "of the cache: shares of all keys' bytes, or bytes; entries where sizes are unknown",
      )
        .default(parseSizes(defaultSizes), defaultSizes)
        .argParser(parseSizes),
    )
    .addOption(
      new Option('--policies <list>', 'which to compare')
        .default(policies, policies.join(','))
        .argParser((text) => [
          ...new Set(text.split(',').map((policy) => oneOf('--policies', policies)(policy.trim()))),
        ]),
    )
    .addOption(
      new Option(
        '--format <format>',
        `of the trace: ${traceFormats.join(', ')} (default: as its name and first line say)`,
      ).argParser(oneOf('--format', traceFormats)),
    )
    .addOption(
      new Option(
        '--columns <places>',
        "of a CSV, as libCacheSim has it, from 1: obj-id-col=2,obj-size-col=3,cost-col=4 (default: by the header, else libCacheSim's)",
      ).argParser(parseColumns),
    )
    .addOption(
      new Option('--writes <globs>', 'tools that change something, never cached')
        .default([], 'none')
        .argParser((text: string, earlier: readonly string[]) => [...earlier, ...splitGlobs(text)]),
    )
    .addOption(
      new Option('--threads <count>', 'threads that simulate')
        .default(availableParallelism(), 'one for each core')
        .argParser(wholeNumber('--threads', 1, 256)),
    )
    .option('--json', 'print one JSON object instead of the report', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (trace: string, flags: SimulateFlags) => exit(await simulate(trace, flags, io)));
}
