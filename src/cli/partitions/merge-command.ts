/** `toolstash merge`: takes over what other nodes' cache folders hold that is newer. */

import { Command } from 'commander';
import { mergeDirectories } from '../../persistence/merge-directories.js';
import type { CommandIo } from '../command-io.js';
import { plural, printable } from '../format.js';
import { formatBlocks, reportColumns } from '../layout.js';
import { formatJson } from '../lossless-json.js';
import { paintFor } from '../paint.js';
import { givenPaths, shownPath } from './given-paths.js';
import { summaryLines } from './merge-summary.js';
import { Troubles } from './troubles.js';

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
  const troubles = new Troubles();
  const report = await mergeDirectories(given, into, { onError: troubles.note });
  const columns = reportColumns(stdout.columns ?? 80);
  const paint = paintFor(stdout);
  const merged = `${plural(given.length, 'folder')} merged into ${printable(into)}.`;
  stdout.write(
    json
      ? `${formatJson(report, 2)}\n`
      : formatBlocks([
          [`${paint('bold', paint('green', '✓'))} ${merged}`, ...summaryLines(report, columns, paint)],
        ]),
  );
  for (const path of report.skipped) {
    troubles.note(`${shownPath(path)} was left out: \`toolstash verify\` tells what is wrong with it`);
  }
  troubles.tell(stderr);
  return troubles.count === 0 ? 0 : 1;
}
