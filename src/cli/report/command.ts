/**
 * `toolstash report`: what processes that share a folder or Redis have counted together; the figures of a folder, or of a
 * trace through a cache, as a page in one file.
 */

import type { BigIntStats } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { stillFigures } from '../../dashboard/dashboard.js';
import type { DashboardFigures } from '../../dashboard/figures.js';
import { readFigures } from '../../dashboard/folder-figures.js';
import { staticPage } from '../../dashboard/static-page.js';
import { CacheManager, type Duration, hashKey } from '../../index.js';
import { findPartitionFiles } from '../../persistence/offline/inspection.js';
import { plural, printable } from '../../report/format.js';
import { storeNames } from '../../store/registry.js';
import type { CommandIo } from '../command-io.js';
import { byteSize, oneOf, wholeNumber } from '../option-value.js';
import { ErrorReport } from '../partitions/error-report.js';
import { assertFound, givenPaths, shownPath } from '../partitions/given-paths.js';
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { effectByName, splitGlobs } from '../replay/effects.js';
import { replayTasks } from '../replay/engine.js';
import { latenciesOf, parseLatency } from '../replay/latency.js';
import { groupByTask, type ToolCall } from '../replay/trace.js';
import { readTrace } from '../replay/trace-reader.js';
import { VirtualTime } from '../replay/virtual-time.js';
import { UsageError } from '../usage-error.js';
import { printSum, sumInFolder, sumInRedis } from './process-sum.js';

interface ReportFlags extends RedisFlags {
  readonly html?: string;
  readonly json: boolean;
  readonly eviction: 'lru';
  readonly maxSize: number;
  readonly maxBytes: number;
  readonly ttl?: string;
  readonly writes: readonly string[];
}

/** Tasks that a trace's replay runs at once, as `replay` does. */
const concurrency = 8;

/** The command with its flags. */
export function reportCommand(io: CommandIo, exit: (code: number) => void): Command {
  const [redisUrl, redisPrefix] = redisPlaceOptions('<path>');
  return new Command('report')
    .description(
      'Sum up what the processes of a cache folder or of Redis have counted and left there; or write what a folder holds, or ' +
        'what a cache would do for a trace, as one HTML file.',
    )
    .argument('<path>', 'a cache folder, or with --html a trace as replay takes it')
    .option('--html <file>', 'the file to write; it needs no server and loads nothing')
    .option('--json', 'print one JSON object instead of the sum', false)
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .addOption(
      new Option('--eviction <policy>', 'of a trace: which entry leaves when room is needed')
        .default('lru')
        .argParser(oneOf('--eviction', storeNames())),
    )
    .addOption(
      new Option('--max-size <entries>', 'of a trace: most entries in the cache')
        .default(1000)
        .argParser(wholeNumber('--max-size', 1, 2 ** 24)),
    )
    .addOption(
      new Option('--max-bytes <size>', 'of a trace: most bytes in the cache')
        .default(256 * 2 ** 20, '256MiB')
        .argParser(byteSize('--max-bytes')),
    )
    .option('--ttl <duration>', "of a trace: how long an answer is fresh, in the trace's time")
    .addOption(
      new Option('--writes <globs>', 'of a trace: tools that change something, never cached')
        .default([], 'none')
        .argParser((text: string, earlier: readonly string[]) => [...earlier, ...splitGlobs(text)]),
    )
    .helpOption('-h, --help', 'Show this help')
    .action(async (path: string, flags: ReportFlags) => exit(await report(path, flags, io)));
}

async function report(path: string, flags: ReportFlags, io: CommandIo): Promise<number> {
  const { html, json: isJson } = flags;
  if (flags.redis !== undefined) {
    if (html !== undefined)
      throw new UsageError('Expected --redis or --html, got both: a page is made of a folder or a trace');
    printSum(await sumInRedis(flags), 'Redis', { ...io, isJson });
    return 0;
  }
  // What isn't there is told of as it is read.
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  if (html !== undefined) return writePage(path, { ...flags, html, isFolder }, io);
  const [folder = ''] = await givenPaths([path]);
  if (!isFolder) throw new UsageError(`Expected --html <file> for the trace ${printable(path)}`);
  printSum(await sumInFolder(folder), printable(path), { ...io, isJson });
  return 0;
}

async function writePage(
  path: string,
  flags: ReportFlags & { readonly html: string; readonly isFolder: boolean },
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const { html, isFolder } = flags;
  const errors = new ErrorReport();
  await refuseOverwriting(path, html);
  const figures = isFolder ? await figuresOfFolder(path, errors) : await figuresOfTrace(path, flags);
  await writeFile(html, staticPage(figures));
  errors.print(stderr);
  const { methods, partitions = [] } = figures;
  stdout.write(`${plural(isFolder ? partitions.length : methods.length, 'method')} in ${printable(html)}.\n`);
  return errors.count === 0 ? 0 : 1;
}

/** @throws UsageError where the page would take the place of what it is made from */
async function refuseOverwriting(path: string, html: string): Promise<void> {
  const identityOf = ({ dev, ino }: BigIntStats) => `${dev} ${ino}`;
  // What can't be looked at is no page that would be written over: writing it tells what is wrong.
  const target = await stat(html, { bigint: true }).catch(() => undefined);
  if (target === undefined) return;
  // What can't be read is told of when it is.
  const sources = await findPartitionFiles([path], { onUnlisted: () => undefined }).catch(() => [path]);
  for (const source of sources) {
    const found = await stat(source, { bigint: true }).catch(() => undefined);
    if (found !== undefined && identityOf(found) === identityOf(target))
      throw new UsageError(
        `Expected --html to name a file of its own, got ${printable(html)}, which the report is made from`,
      );
  }
}

async function figuresOfFolder(path: string, errors: ErrorReport): Promise<DashboardFigures> {
  const [folder = ''] = await givenPaths([path]);
  const partitions = await readFigures(folder);
  assertFound(partitions.length, [path]);
  const cache = new CacheManager({ recording: false, loadCache: [folder] });
  cache.on('error', ({ error }) => errors.note(error));
  try {
    await cache.open();
    const figures = await stillFigures(cache, { title: shownPath(folder), partitions });
    const { stats, methods, processes } = await sumInFolder(folder);
    if (processes.length === 0) return figures;
    // What was counted, the processes know who had the calls.
    return { ...figures, stats, methods: Array.from(methods, ([name, own]) => ({ name, stats: own })) };
  } finally {
    await cache.close();
  }
}

/** Replays the trace in virtual time: nothing waits, and the outcome is the same every time. */
async function figuresOfTrace(path: string, flags: ReportFlags): Promise<DashboardFigures> {
  const { calls, name } = await readTrace(path);
  const time = new VirtualTime();
  const { eviction, maxSize, maxBytes, ttl } = flags;
  const cache = new CacheManager({
    ...{ eviction, maxSize, maxBytes, clock: time, recording: false },
    ...(ttl !== undefined && { ttl: /^\d+$/.test(ttl) ? Number(ttl) : (ttl as Duration) }),
  });
  const latencies = latenciesOf(calls, parseLatency('recorded'), 1);
  const effectOf = effectByName({ writes: flags.writes, readOnly: [] });
  await time.run(
    replayTasks({
      tasks: groupByTask(calls),
      keyOf: (call: ToolCall) => hashKey(call.tool, call.args),
      effectOf,
      latencyOf: (call: ToolCall) => latencies.ms.get(call) ?? 0,
      concurrency,
      transientErrors: false,
      cache,
      timeScale: 1,
      sleep: (ms: number) => time.sleep(ms),
      onOutcome: () => undefined,
    }),
  );
  try {
    return await stillFigures(cache, { title: printable(name) });
  } finally {
    await cache.close();
  }
}
