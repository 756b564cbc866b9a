/** `toolstash consolidate`: merges the closed partitions of a cache folder. */

import { Command, Option } from 'commander';
import { CacheManager, type CacheOptions } from '../../index.js';
import { formatBytes, plural } from '../../report/format.js';
import type { CommandIo } from '../command-io.js';
import { byteSize } from '../option-value.js';
import { ErrorReport } from './error-report.js';
import { givenPaths, shownPath } from './given-paths.js';
import { printSummary } from './merge-summary.js';

type ConsolidateFlags = Pick<
  CacheOptions,
  'maxDiskBytes' | 'maxDiskAge' | 'closeAfter' | 'networkCloseAfter'
> & {
  readonly json: boolean;
};

/** The command with its flags. */
export function consolidateCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('consolidate')
    .description('Merge the partitions of a cache folder that nobody appends to any more.')
    .argument('<dir>', "the cache folder; caches in mode 'multi' may be open on it meanwhile")
    .addOption(
      new Option(
        '--max-disk-bytes <size>',
        'most bytes to keep: the oldest days go first (default: no bound)',
      ).argParser(byteSize('--max-disk-bytes')),
    )
    .option('--max-disk-age <duration>', 'days that ended longer ago go, such as 30d (default: no bound)')
    .option(
      '--close-after <duration>',
      'files that were not appended to for so long are merged; as all who share the folder set it (default: 10m)',
    )
    .option('--network-close-after <duration>', 'the same on a network file system (default: 1h)')
    .option('--json', 'print one JSON object instead of the report', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (folder: string, flags: ConsolidateFlags) => exit(await consolidate(folder, flags, io)));
}

async function consolidate(
  folder: string,
  { json, ...bounds }: ConsolidateFlags,
  io: CommandIo,
): Promise<number> {
  const persistDir = (await givenPaths([folder])).join('');
  const cache = new CacheManager({
    recording: false,
    ...bounds,
    persist: true,
    persistDir,
    mode: 'multi',
    consolidateInterval: null,
  });
  const errors = new ErrorReport();
  cache.on('error', ({ error }) => errors.note(error));
  try {
    await cache.open();
    const report = await cache.consolidate();
    const merged = `${plural(report.merged, 'group')} of files merged in ${shownPath(persistDir)}, which takes ${formatBytes(report.bytes)}.`;
    const isWhole = report.failures === 0 && errors.count === 0;
    return printSummary(report, { merged, isWhole, errors, json }, io);
  } finally {
    await cache.close();
  }
}
