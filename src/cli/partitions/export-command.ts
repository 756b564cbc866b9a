/** `toolstash export`: the entries of partition files as JSONL. */

import { once } from 'node:events';
import { Command } from 'commander';
import { exportFiles, inspectFiles } from '../../persistence/offline/inspection.js';
import { formatCount, plural } from '../../report/format.js';
import type { CommandIo } from '../command-io.js';
import { fileProgress, startProgress } from '../progress.js';
import { formatEntryLine } from './entry-line.js';
import { ErrorReport } from './error-report.js';
import { assertFound, givenPaths } from './given-paths.js';
import { totalsOf } from './inspect-report.js';

/** Text that is handed on together. */
const chunkLength = 2 ** 16;

/** The command with its flags. */
export function exportCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('export')
    .description(
      'Write the fresh entries of partition files to standard output, one JSON object a line. It holds results, tags and ' +
        'what `keepParams` keeps, secrets among them.',
    )
    .argument('<paths...>', 'cache folders, partition files, or patterns with * and ?')
    .helpOption('-h, --help', 'Show this help')
    .action(async (paths: readonly string[]) => exit(await exportEntries(paths, io)));
}

async function exportEntries(paths: readonly string[], { stdout, stderr }: CommandIo): Promise<number> {
  const given = await givenPaths(paths);
  const counting = fileProgress(stderr, 'Counting ');
  const { files, unlisted } = await inspectFiles(given, { onProgress: counting.update }).finally(() =>
    counting.stop(),
  );
  assertFound(files.length + unlisted.length, paths);
  // On one terminal the lines and the bar would overwrite each other.
  const total = stdout.isTTY ? 0 : totalsOf(files).values;
  const progress = startProgress({ stream: stderr, label: 'Exporting', total });
  const errors = new ErrorReport();
  let count = 0;
  let chunk = '';
  try {
    for await (const record of exportFiles(given, { onError: errors.note })) {
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
