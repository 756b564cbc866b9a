/** `toolstash verify`: reads every byte of partition files and tells what is wrong with them, and where. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type FileInspection, type Inspection, verifyFiles } from '../../persistence/offline/inspection.js';
import { formatBytes, formatCount, plural, printable } from '../../report/format.js';
import { formatBlocks, sentenceColumns } from '../../report/layout.js';
import { type Paint, paintFor } from '../../report/paint.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { fileProgress } from '../progress.js';
import { assertFound, givenPaths, shownPath } from './given-paths.js';
import { totalsOf } from './inspect-report.js';
import { inspectionJson } from './inspection-json.js';

/** One thing that is wrong with a file. */
export interface Fault {
  readonly path: string;
  /** The byte from which on the file is damaged. */
  readonly offset: number;
  readonly reason: string;
}

/** An append takes milliseconds: an incomplete member that stands still for so long is none. */
const appendMs = 1_000;

/** The command with its flags. */
export function verifyCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('verify')
    .description('Read partition files to the last byte and report what is damaged. Changes nothing.')
    .argument('<paths...>', 'cache folders, partition files, or patterns with * and ?')
    .option('--json', 'print one JSON object instead of the report', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (paths: readonly string[], flags: { readonly json: boolean }) => {
      exit(await verify(paths, flags, io));
    });
}

async function verify(
  paths: readonly string[],
  flags: { readonly json: boolean },
  io: CommandIo,
): Promise<number> {
  const given = await givenPaths(paths);
  const progress = fileProgress(io.stderr, 'Verifying');
  const found = await verifyFiles(given, { onProgress: progress.update }).finally(() => progress.stop());
  assertFound(found.files.length + found.unlisted.length, paths);
  const faults = [...found.files.flatMap(faultsOf), ...(await tornTails(found.files))];
  const unread = found.files.flatMap((file) => [
    ...(file.unreadable === undefined ? [] : [file.unreadable]),
    ...file.unread.map(({ message }) => message),
  ]);
  unread.push(...found.unlisted.map(({ message }) => message));
  io.stdout.write(
    flags.json
      ? `${formatJson({ ...inspectionJson(found, totalsOf(found.files)), faults, unread }, 2)}\n`
      : formatBlocks(
          report(found, { faults, unread }, paintFor(io.stdout)),
          sentenceColumns(io.stdout.columns),
        ),
  );
  return faults.length === 0 && unread.length === 0 ? 0 : 1;
}

/** One fault a place: a member may be found damaged by its header and again by its body. */
function faultsOf({ path, damage }: FileInspection): Fault[] {
  const byOffset = new Map<number, Fault>();
  for (const { offset, reason } of damage) {
    if (!byOffset.has(offset)) byOffset.set(offset, { path, offset, reason });
  }
  return [...byOffset.values()];
}

/** Incomplete last members that are no appends in progress. */
async function tornTails(files: readonly FileInspection[]): Promise<Fault[]> {
  const torn = files.filter(
    ({ bytes, tailBytes, damage }) =>
      tailBytes > 0 && damage.every(({ offset }) => offset !== bytes - tailBytes),
  );
  if (torn.length === 0) return [];
  await sleep(appendMs);
  // What can't be read a second time is told as it was the first.
  const later = await verifyFiles(torn.map(({ path }) => path)).catch(() => undefined);
  const ends = new Map(later?.files.map((file) => [file.path, endOf(file)]));
  return torn
    .filter((file) => later === undefined || ends.get(file.path) === endOf(file))
    .map((file) => ({
      path: file.path,
      offset: file.bytes - file.tailBytes,
      reason: `an incomplete last member of ${plural(file.tailBytes, 'byte')}: cut off, or its writer was killed`,
    }));
}

/** Where the last complete member ends; `NaN`, and so never the same, when nothing follows it. */
function endOf({ bytes, tailBytes }: FileInspection): number {
  return tailBytes === 0 ? Number.NaN : bytes - tailBytes;
}

function report(
  { files }: Inspection,
  { faults, unread }: { readonly faults: readonly Fault[]; readonly unread: readonly string[] },
  paint: Paint,
): string[][] {
  const totals = totalsOf(files);
  const read = `${plural(totals.members, 'member')} with ${plural(totals.values, 'entry', 'entries')}, ${formatBytes(totals.bytes)}`;
  const unreported =
    unread.length === 0
      ? []
      : [
          paint('bold', paint('red', '✗ Not everything could be read, which says nothing about its state.')),
          ...unread.map((reason) => `  ${printable(reason)}`),
        ];
  if (faults.length === 0 && unread.length > 0) return [[...unreported, paint('gray', `Read ${read}.`)]];
  if (faults.length === 0) {
    const whole =
      files.length === 1 ? 'The file is whole' : `All ${formatCount(files.length)} files are whole`;
    const unread = files.reduce((sum, file) => sum + file.unread.length, 0);
    const but = unread === 0 ? '' : `, but for ${plural(unread, 'member')} too large to be checked here`;
    return [[`${paint('bold', paint('green', '✓'))} ${whole}${but}: ${read}.`]];
  }
  const byPath = new Map<string, Fault[]>();
  for (const fault of faults) byPath.set(fault.path, [...(byPath.get(fault.path) ?? []), fault]);
  const damaged =
    `✗ ${formatCount(byPath.size)} of ${plural(files.length, 'file')} ` +
    `${byPath.size === 1 ? 'is' : 'are'} damaged.`;
  return [
    [paint('bold', paint('red', damaged)), paint('gray', `Read ${read}.`)],
    ...Array.from(byPath, ([path, wrong]) => [
      shownPath(path),
      ...wrong.map(({ offset, reason }) => `  byte ${offset}: ${printable(reason)}`),
    ]),
    unreported,
  ];
}
