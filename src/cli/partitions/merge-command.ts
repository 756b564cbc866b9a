/** `toolstash merge`: takes over what other nodes' cache folders hold that is newer. */

import { Command } from 'commander';
import { mergeDirectories } from '../../persistence/offline/merge-directories.js';
import { plural, printable } from '../../report/format.js';
import { formatBlocks, reportColumns, sentenceColumns } from '../../report/layout.js';
import { paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { ErrorReport } from './error-report.js';
import { givenPaths, shownPath } from './given-paths.js';
import { summaryLines } from './merge-summary.js';

interface MergeFlags {
  readonly into: string;
  readonly json: boolean;
}

/** The command with its flags. */
export function mergeCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('merge')
    .description('Merge cache folders, such as those of other nodes, into one. What is newer wins.')
    .argument('<dirs...>', 'the folders to take over; they are only read')
    .requiredOption('--into <dir>', 'the cache folder to merge into; it is made if it is not there')
    .option('--json', 'print one JSON object instead of the report', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (folders: readonly string[], flags: MergeFlags) => exit(await merge(folders, flags, io)));
}

async function merge(
  folders: readonly string[],
  { into, json }: MergeFlags,
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const given = await givenPaths(folders);
  const errors = new ErrorReport();
  const report = await mergeDirectories(given, into, { onError: errors.note });
  for (const path of report.skipped) {
    errors.note(
      `${shownPath(path)} was left out: a plain file (\`export\` and \`import\` take those over), or one that ` +
        '`toolstash verify` finds fault with',
    );
  }
  const columns = reportColumns(stdout.columns);
  const paint = paintFor(stdout);
  const sign =
    errors.count === 0 ? paint('green', '✓') : paint('red', '✗ Not everything could be read or merged.');
  const merged = `${plural(given.length, 'folder')} merged into ${printable(into)}.`;
  stdout.write(
    json
      ? `${formatJson(report, 2)}\n`
      : formatBlocks(
          [[`${paint('bold', sign)} ${merged}`, ...summaryLines(report, columns, paint)]],
          sentenceColumns(stdout.columns),
        ),
  );
  errors.print(stderr);
  return errors.count === 0 ? 0 : 1;
}
