/** `toolstash verify`: reads every byte of partition files and tells what is wrong with them, and where. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type FileInspection, type Inspection, verifyFiles } from '../../persistence/inspection.js';
import type { CommandIo } from '../command-io.js';
import { formatBytes, formatCount, plural, printable } from '../format.js';
import { formatBlocks } from '../layout.js';
import { formatJson } from '../lossless-json.js';
import { type Paint, paintFor } from '../paint.js';
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
    .description('Read partition files to the last byte and tell what is damaged. Changes nothing.')
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
  assertFound(found.files.length, paths);
  const faults = [...found.files.flatMap(faultsOf), ...(await tornTails(found.files))];
  io.stdout.write(
    flags.json
      ? `${formatJson({ ...inspectionJson(found, totalsOf(found.files)), faults }, 2)}\n`
      : formatBlocks(report(found, faults, paintFor(io.stdout))),
  );
  return faults.length === 0 ? 0 : 1;
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

function report({ files }: Inspection, faults: readonly Fault[], paint: Paint): string[][] {
  const totals = totalsOf(files);
  const read = `${plural(totals.members, 'member')} with ${plural(totals.values, 'entry', 'entries')}, ${formatBytes(totals.bytes)}`;
  if (faults.length === 0) {
    const whole =
      files.length === 1 ? 'The file is whole' : `All ${formatCount(files.length)} files are whole`;
    return [[`${paint('bold', paint('green', '✓'))} ${whole}: ${read}.`]];
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
  ];
}
