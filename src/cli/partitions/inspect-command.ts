/** `toolstash inspect`: what partition files hold. */

import { Command } from 'commander';
import { inspectFiles } from '../../persistence/offline/inspection.js';
import { paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { fileProgress } from '../progress.js';
import { ErrorReport } from './error-report.js';
import { assertFound, givenPaths, shownPath } from './given-paths.js';
import { formatInspectReport, totalsOf } from './inspect-report.js';
import { inspectionJson } from './inspection-json.js';

/** The command with its flags. */
export function inspectCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('inspect')
    .description('Report what partition files hold: methods, entries, sizes, ages. Changes nothing.')
    .argument('<paths...>', 'cache folders, partition files, or patterns with * and ?')
    .option('--json', 'print one JSON object instead of the report', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (paths: readonly string[], flags: { readonly json: boolean }) => {
      exit(await inspect(paths, flags, io));
    });
}

async function inspect(
  paths: readonly string[],
  flags: { readonly json: boolean },
  io: CommandIo,
): Promise<number> {
  const given = await givenPaths(paths);
  const progress = fileProgress(io.stderr, 'Inspecting');
  const found = await inspectFiles(given, { onProgress: progress.update }).finally(() => progress.stop());
  const { files, methods, unlisted } = found;
  assertFound(files.length + unlisted.length, paths);
  const totals = totalsOf(files);
  const name = given.map(shownPath).join(', ');
  io.stdout.write(
    flags.json
      ? `${formatJson(inspectionJson(found, totals), 2)}\n`
      : formatInspectReport(
          { name, files, methods, totals, now: Date.now() },
          { width: io.stdout.columns, paint: paintFor(io.stdout) },
        ),
  );
  const errors = new ErrorReport();
  for (const error of unlisted) errors.note(error);
  errors.print(io.stderr);
  return unlisted.length === 0 ? 0 : 1;
}
