/** `toolstash consolidate`: merges the closed partitions of a cache folder. */

import { Command, Option } from 'commander';
import { CacheManager, type CacheOptions } from '../../index.js';
import type { CommandIo } from '../command-io.js';
import { formatBytes, plural } from '../format.js';
import { formatBlocks, reportColumns } from '../layout.js';
import { formatJson } from '../lossless-json.js';
import { byteSize } from '../option-value.js';
import { paintFor } from '../paint.js';
import { givenPaths, shownPath } from './given-paths.js';
import { summaryLines } from './merge-summary.js';
import { Troubles } from './troubles.js';

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
    .argument('<dir>', 'the cache folder; others may share it meanwhile, but none may hold it alone')
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
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const persistDir = (await givenPaths([folder])).join('');
  const cache = new CacheManager({
    ...bounds,
    persist: true,
    persistDir,
    mode: 'multi',
    consolidateInterval: null,
  });
  const troubles = new Troubles();
  cache.on('error', ({ error }) => troubles.note(error));
  try {
    await cache.open();
    const report = await cache.consolidate();
    const columns = reportColumns(stdout.columns ?? 80);
    const paint = paintFor(stdout);
    const merged = `${plural(report.merged, 'group')} of files merged in ${shownPath(persistDir)}, which takes ${formatBytes(report.bytes)}.`;
    stdout.write(
      json
        ? `${formatJson(report, 2)}\n`
        : formatBlocks([
            [`${paint('bold', paint('green', '✓'))} ${merged}`, ...summaryLines(report, columns, paint)],
          ]),
    );
    troubles.tell(stderr);
    return report.failures === 0 && troubles.count === 0 ? 0 : 1;
  } finally {
    await cache.close();
  }
}
