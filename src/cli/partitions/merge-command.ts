/** `toolstash merge`: takes over what other nodes' cache folders hold that is newer. */

import { Command } from 'commander';
import { mergeDirectories } from '../../persistence/offline/merge-directories.js';
import { plural, printable } from '../../report/format.js';
import type { CommandIo } from '../command-io.js';
import { ErrorReport } from './error-report.js';
import { givenPaths, shownPath } from './given-paths.js';
import { printSummary } from './merge-summary.js';

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

async function merge(folders: readonly string[], { into, json }: MergeFlags, io: CommandIo): Promise<number> {
  const given = await givenPaths(folders);
  const errors = new ErrorReport();
  const report = await mergeDirectories(given, into, { onError: errors.note });
  for (const path of report.skipped) {
    errors.note(
      `${shownPath(path)} was left out: a plain file (\`export\` and \`import\` take those over), or one that ` +
        '`toolstash verify` finds fault with',
    );
  }
  const merged = `${plural(given.length, 'folder')} merged into ${printable(into)}.`;
  return printSummary(report, { merged, isWhole: errors.count === 0, errors, json }, io);
}
