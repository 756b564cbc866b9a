/** The flags of `toolstash replay`. */

import { Command, Option } from 'commander';
import { builtInStores } from '../../store/registry.js';
import type { CommandIo } from '../command-io.js';
import { byteSize, nonNegative, oneOf, wholeNumber } from '../option-value.js';
import { redisOptions } from '../redis-place.js';
import { type ReplayFlags, replay } from './command.js';
import { splitGlobs } from './effects.js';
import { latencyUsage, parseLatency } from './latency.js';

const largestStore = 2 ** 24;
const largestSeed = 2 ** 32 - 1;

/** The command with its flags, their defaults and checks. */
export function replayCommand(io: CommandIo, exit: (code: number) => void): Command {
  const modes = ['single', 'multi'] as const;
  const globs = (text: string, earlier: readonly string[]) => [...earlier, ...splitGlobs(text)];
  const [redisUrl, redisPrefix] = redisOptions(
    'share entries by Redis too, as machines do; ttls then run in real time',
  );
  return new Command('replay')
    .description('Send a trace of tool calls through a cache and report what it would have saved.')
    .argument(
      '[trace]',
      'JSONL file, one tool call a line, or - for standard input; without it, a generated workload',
    )
    .addOption(
      new Option('--eviction <policy>', `which entry leaves when room is needed: ${builtInStores.join(', ')}`)
        .default('lru')
        .argParser(oneOf('--eviction', builtInStores)),
    )
    .addOption(
      new Option(
        '--compare <policies>',
        'replay under each of these, in virtual time, and report what each saves, such as lru,gdsf',
      )
        .argParser((text) =>
          text.split(',').map((policy) => oneOf('--compare', builtInStores)(policy.trim())),
        )
        .conflicts(['eviction', 'persist', 'persistDir', 'cache', 'loadCache', 'timeScale']),
    )
    .addOption(
      new Option('--max-size <entries>', 'most entries in the cache')
        .default(1000)
        .argParser(wholeNumber('--max-size', 1, largestStore)),
    )
    .addOption(
      new Option('--max-bytes <size>', 'most bytes in the cache')
        .default(256 * 2 ** 20, '256MiB')
        .argParser(byteSize('--max-bytes')),
    )
    .option(
      '--ttl <duration>',
      "how long an answer is fresh, in the trace's time, such as 5m (default: for ever)",
    )
    .option(
      '--persist',
      'keep entries on disk too, for the next replay to find; ttls then run in real time',
      false,
    )
    .option('--persist-dir <dir>', 'the cache folder that --persist writes to (default: ./cache)')
    .addOption(
      new Option('--cache <mode>', 'with --persist, who uses the folder: single (this replay alone) or multi')
        .default('single')
        .argParser(oneOf('--cache', modes)),
    )
    .addOption(
      new Option(
        '--load-cache <path>',
        'file, folder or pattern to read entries from, left as it is; repeatable',
      )
        .default([], 'none')
        .argParser((path: string, earlier: readonly string[]) => [...earlier, path]),
    )
    .addOption(
      new Option('--writes <globs>', 'tools that change something, never cached')
        .default([], 'none')
        .argParser(globs),
    )
    .addOption(
      new Option('--read-only <globs>', 'the only tools that are cached')
        .default([], 'all but --writes')
        .argParser(globs),
    )
    .option(
      '--transient-errors',
      'recorded errors were passing ones: an answer in their place is right',
      false,
    )
    .addOption(
      new Option('--latency <model>', `how long the tools take: ${latencyUsage}`)
        .default(parseLatency('recorded'), 'recorded')
        .argParser(parseLatency),
    )
    .addOption(
      new Option(
        '--time-scale <factor>',
        'real time per recorded time: 1 is real time, 0 does not wait (default: a few seconds in all)',
      ).argParser(nonNegative('--time-scale')),
    )
    .addOption(
      new Option('--concurrency <tasks>', 'tasks at once; the rollouts of a task always run together')
        .default(8)
        .argParser(wholeNumber('--concurrency', 1, 10_000)),
    )
    .addOption(
      new Option('--tasks <count>', 'prompts of the generated workload, with 8 rollouts each')
        .default(48)
        .argParser(wholeNumber('--tasks', 1, 100_000)),
    )
    .addOption(
      new Option('--seed <number>', 'seed of the generated workload and of drawn latencies')
        .default(1)
        .argParser(wholeNumber('--seed', 0, largestSeed)),
    )
    .addOption(redisUrl.conflicts('compare'))
    .addOption(redisPrefix)
    .option(
      '--effects <file>',
      'what the tools read and write, as JSON: what rollouts would answer then, in the order of the trace',
    )
    .addOption(
      new Option(
        '--scope <who>',
        'with --effects, which rollouts begin alike: those of a task, or all (global)',
      )
        .default('task')
        .argParser(oneOf('--scope', ['task', 'global'])),
    )
    .option('--json', 'print one JSON object instead of the report', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (trace: string | undefined, flags: ReplayFlags) => exit(await replay(trace, flags, io)));
}
