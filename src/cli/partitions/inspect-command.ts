/** `toolstash inspect`: what partition files hold. */

import { Command } from 'commander';
import { inspectFiles } from '../../persistence/offline/inspection.js';
import { paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { fileProgress } from '../progress.js';
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { assertNoPaths, type EntrySource, filesSource, withRedis } from './entry-source.js';
import { ErrorReport } from './error-report.js';
import { assertFound, givenPaths, shownPath } from './given-paths.js';
import { formatInspectReport, totalsOf } from './inspect-report.js';
import { inspectionJson } from './inspection-json.js';
import { KeptCalls } from './kept-calls.js';
import { inspectRecords, redisInspectionJson } from './redis-inspection.js';

interface InspectFlags extends RedisFlags {
  readonly json: boolean;
  readonly params: boolean;
}

/** The command with its flags. */
export function inspectCommand(io: CommandIo, exit: (code: number) => void): Command {
  const [redisUrl, redisPrefix] = redisPlaceOptions('<paths>');
  return new Command('inspect')
    .description(
      'Report what partition files, or Redis, hold: methods, entries, sizes, ages. Changes nothing.',
    )
    .argument('<paths...>', 'cache folders, partition files, or patterns with * and ?')
    .option(
      '--params',
      'list each fresh entry, too: its method, its key, and what is kept of its call',
      false,
    )
    .option('--json', 'print one JSON object instead of the report', false)
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .helpOption('-h, --help', 'Show this help')
    .action(async (paths: readonly string[], flags: InspectFlags) => {
      exit(await (flags.redis === undefined ? inspect(paths, flags, io) : inspectRedis(paths, flags, io)));
    });
}

async function inspectRedis(paths: readonly string[], flags: InspectFlags, io: CommandIo): Promise<number> {
  assertNoPaths(paths);
  const errors = new ErrorReport();
  const [found, calls, name] = await withRedis(flags, errors.note, async (source) => [
    await inspectRecords(source.entries()),
    await callsOf(source, flags),
    source.name,
  ]);
  const data = { name, files: [], ...found, isInRedis: true, now: Date.now() };
  io.stdout.write(
    flags.json
      ? `${formatJson({ ...redisInspectionJson(name, found), ...(calls && { calls: calls.fields }) }, 2)}\n`
      : formatInspectReport(data, { width: io.stdout.columns, paint: paintFor(io.stdout) }) + shown(calls),
  );
  errors.print(io.stderr);
  return errors.count === 0 ? 0 : 1;
}

async function inspect(paths: readonly string[], flags: InspectFlags, io: CommandIo): Promise<number> {
  const given = await givenPaths(paths);
  const progress = fileProgress(io.stderr, 'Inspecting');
  const found = await inspectFiles(given, { onProgress: progress.update }).finally(() => progress.stop());
  const { files, methods, unlisted } = found;
  assertFound(files.length + unlisted.length, paths);
  const totals = totalsOf(files);
  const errors = new ErrorReport();
  const calls = await callsOf(filesSource(given, errors.note), flags);
  const name = given.map(shownPath).join(', ');
  io.stdout.write(
    flags.json
      ? `${formatJson({ ...inspectionJson(found, totals), ...(calls && { calls: calls.fields }) }, 2)}\n`
      : formatInspectReport(
          { name, files, methods, totals, now: Date.now() },
          { width: io.stdout.columns, paint: paintFor(io.stdout) },
        ) + shown(calls),
  );
  for (const error of unlisted) errors.note(error);
  errors.print(io.stderr);
  return errors.count === 0 ? 0 : 1;
}

/** The calls of all fresh entries, where they are asked for. */
async function callsOf(source: EntrySource, { params, json }: InspectFlags): Promise<KeptCalls | undefined> {
  return params ? new KeptCalls({ isJson: json }).addAll(source.entries()) : undefined;
}

function shown(calls: KeptCalls | undefined): string {
  return calls === undefined ? '' : `\n${calls.text}`;
}
