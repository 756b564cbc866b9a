/** `toolstash export`: the entries of partition files as JSONL. */

import { once } from 'node:events';
import { Command } from 'commander';
import { inspectFiles } from '../../persistence/offline/inspection.js';
import { formatCount, plural } from '../../report/format.js';
import type { CommandIo } from '../command-io.js';
import { fileProgress, startProgress } from '../progress.js';
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { formatEntryLine } from './entry-line.js';
import { assertNoPaths, type EntrySource, filesSource, withRedis } from './entry-source.js';
import { ErrorReport } from './error-report.js';
import { assertFound, givenPaths } from './given-paths.js';
import { totalsOf } from './inspect-report.js';

/** Text that is handed on together. */
const chunkLength = 2 ** 16;

/** The command with its flags. */
export function exportCommand(io: CommandIo, exit: (code: number) => void): Command {
  const [redisUrl, redisPrefix] = redisPlaceOptions('<paths>');
  return new Command('export')
    .description(
      'Write the fresh entries of partition files, or of Redis, to standard output, one JSON object a line. It holds results, tags and ' +
        'what `keepParams` keeps, secrets among them.',
    )
    .argument('<paths...>', 'cache folders, partition files, or patterns with * and ?')
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .helpOption('-h, --help', 'Show this help')
    .action(async (paths: readonly string[], flags: RedisFlags) => {
      exit(
        await (flags.redis === undefined ? exportFromFiles(paths, io) : exportFromRedis(paths, flags, io)),
      );
    });
}

async function exportFromRedis(paths: readonly string[], flags: RedisFlags, io: CommandIo): Promise<number> {
  assertNoPaths(paths);
  const errors = new ErrorReport();
  return await withRedis(flags, errors.note, (source) => exportEntries({ source, errors, total: 0 }, io));
}

async function exportFromFiles(paths: readonly string[], io: CommandIo): Promise<number> {
  const { stdout, stderr } = io;
  const given = await givenPaths(paths);
  const counting = fileProgress(stderr, 'Counting ');
  const { files, unlisted } = await inspectFiles(given, { onProgress: counting.update }).finally(() =>
    counting.stop(),
  );
  assertFound(files.length + unlisted.length, paths);
  // On one terminal the lines and the bar would overwrite each other.
  const total = stdout.isTTY ? 0 : totalsOf(files).values;
  const errors = new ErrorReport();
  return await exportEntries({ source: filesSource(given, errors.note), errors, total }, io);
}

async function exportEntries(
  { source, errors, total }: { source: EntrySource; errors: ErrorReport; total: number },
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const progress = startProgress({ stream: stderr, label: 'Exporting', total });
  let count = 0;
  let chunk = '';
  try {
    for await (const record of source.entries()) {
      chunk += `${formatEntryLine(record)}\n`;
      count += 1;
      progress.update(count, plural(count, 'entry', 'entries'));
      if (chunk.length < chunkLength) continue;
      if (!stdout.write(chunk)) await once(stdout, 'drain');
      chunk = '';
    }
  } finally {
    progress.stop();
  }
  stdout.write(chunk);
  errors.print(stderr);
  if (errors.count > 0) {
    stderr.write(`toolstash: Exported ${formatCount(count)} entries; what could not be read was left out\n`);
  }
  return errors.count === 0 ? 0 : 1;
}
