/** `toolstash delete`: takes entries out of a cache folder, by call, key, scope or version. */

import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { CacheManager, hashKey, type IgnoredPath } from '../../index.js';
import { findPartitionFiles } from '../../persistence/offline/inspection.js';
import { plural, printable } from '../../report/format.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { UsageError } from '../usage-error.js';
import { assertKey, ignoreOption, paramsFrom, toolVersionOption } from './call-arguments.js';
import { type EntrySource, filesSource, withRedis } from './entry-source.js';
import { ErrorReport } from './error-report.js';
import { assertFound, givenPaths, shownPath } from './given-paths.js';

interface DeleteFlags extends RedisFlags {
  readonly key?: string;
  readonly scope?: string;
  readonly toolVersion?: readonly (string | number)[];
  readonly ignore: readonly IgnoredPath[];
  readonly dryRun: boolean;
  readonly json: boolean;
}

interface DeleteArguments {
  readonly folder: string;
  readonly method: string;
  readonly params: string | undefined;
}

/** What is to go. */
interface Selection {
  readonly keys: readonly string[];
  /** Entries of which it is not known under which scope and version they were stored. */
  readonly unknown: number;
}

/** The command with its flags. */
export function deleteCommand(io: CommandIo, exit: (code: number) => void): Command {
  const [redisUrl, redisPrefix] = redisPlaceOptions('<dir>');
  return new Command('delete')
    .description(
      'Delete entries of a method in a cache folder, or in Redis: of one call, of a key, or all of a scope or version. They are no ' +
        'longer answered; `consolidate` removes them from the disk.',
    )
    .argument('<dir>', "the cache folder; caches in mode 'multi' may be open on it meanwhile")
    .argument('<method>', "the method's name")
    .argument('[params]', "the call's params as JSON; - reads them from standard input")
    .option('--key <key>', 'the key of the entry, 32 hex digits, instead of params')
    .option(
      '--scope <scope>',
      'the scope of the call; without params, all entries of it that were kept with `keepParams`',
    )
    .addOption(toolVersionOption())
    .addOption(ignoreOption())
    .option('--dry-run', 'only count how many entries would be deleted', false)
    .option('--json', 'print one JSON object instead of a sentence', false)
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .helpOption('-h, --help', 'Show this help')
    .action(async (folder: string, method: string, params: string | undefined, flags: DeleteFlags) => {
      exit(await deleteEntries({ folder, method, params }, flags, io));
    });
}

/** Where entries are deleted. */
interface Place {
  readonly source: EntrySource;
  /** For people. */
  readonly name: string;
  readonly errors: ErrorReport;
  deleteKeys(keys: readonly string[]): Promise<void>;
}

async function deleteEntries(
  { folder, method, params }: DeleteArguments,
  flags: DeleteFlags,
  io: CommandIo,
): Promise<number> {
  checkFlags(params, flags);
  const errors = new ErrorReport();
  const call = { method, params };
  if (flags.redis !== undefined) {
    const writes = !flags.dryRun;
    return await withRedis({ ...flags, writes }, errors.note, (source) => {
      const deleteKeys = async (keys: readonly string[]) => {
        for (const key of keys) await source.delete(key, method);
      };
      return deleteFrom({ source, name: source.name, errors, deleteKeys }, call, flags, io);
    });
  }
  const [persistDir = '', ...others] = await givenPaths([folder]);
  if (others.length > 0 || !(await stat(persistDir)).isDirectory()) {
    throw new UsageError(`Expected one cache folder, got ${printable(folder)}: name it`);
  }
  assertFound((await findPartitionFiles([persistDir], { onUnlisted: errors.note })).length, [folder]);
  const source = filesSource([persistDir], errors.note);
  const deleteKeys = (keys: readonly string[]) => deleteInFolder(persistDir, method, keys, errors);
  return await deleteFrom({ source, name: shownPath(persistDir), errors, deleteKeys }, call, flags, io);
}

async function deleteFrom(
  { source, name, errors, deleteKeys }: Place,
  { method, params }: Pick<DeleteArguments, 'method' | 'params'>,
  flags: DeleteFlags,
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const { keys, unknown } =
    params === undefined && flags.key === undefined
      ? await allOf(source, method, flags)
      : await thoseThere(source, method, await keysOf(method, params, flags));
  if (!flags.dryRun && keys.length > 0) await deleteKeys(keys);
  const { dryRun, json } = flags;
  if (json) stdout.write(`${formatJson({ deleted: keys.length, unknown, dryRun }, 2)}\n`);
  else if (keys.length > 0) {
    const done = dryRun ? 'would be deleted from' : 'deleted from';
    stdout.write(`${plural(keys.length, 'entry', 'entries')} of ${printable(method)} ${done} ${name}.\n`);
  }
  errors.print(stderr);
  const shown = `\`${printable(method)}\``;
  if (unknown > 0) {
    stderr.write(
      `toolstash: ${plural(unknown, 'entry', 'entries')} of ${shown} left: stored without \`keepParams\`, so the scope and version are not known\n`,
    );
  }
  if (keys.length === 0) {
    const hint =
      unknown > 0 ? 'name its call or key' : '`toolstash inspect` lists the methods that there are';
    stderr.write(`toolstash: No fresh entry of ${shown} to delete: ${hint}\n`);
  }
  return keys.length > 0 && errors.count === 0 ? 0 : 1;
}

function checkFlags(params: string | undefined, { key, scope, toolVersion, ignore }: DeleteFlags): void {
  const isNarrowed = scope !== undefined || toolVersion !== undefined;
  if (key !== undefined) {
    assertKey(key);
    if (params !== undefined || isNarrowed || ignore.length > 0) {
      throw new UsageError(
        'Expected --key or what makes a key (<params>, --scope, --tool-version, --ignore), got both: name one',
      );
    }
  } else if (params === undefined && !isNarrowed) {
    throw new UsageError(
      'Expected <params>, --key, --scope or --tool-version, got none: say which entries of the method to delete',
    );
  } else if (params === undefined && ignore.length > 0) {
    throw new UsageError('Expected <params> with --ignore, got none: name them');
  }
}

async function keysOf(
  method: string,
  params: string | undefined,
  { key, scope, toolVersion, ignore }: DeleteFlags,
): Promise<string[]> {
  if (key !== undefined || params === undefined) return [key ?? ''];
  const parsed = await paramsFrom(params);
  const versions: readonly (string | number | undefined)[] = toolVersion ?? [undefined];
  return versions.map((version) => hashKey(method, parsed, { scope, version, ignore }));
}

/** Those of the keys that have an entry. */
async function thoseThere(source: EntrySource, method: string, keys: readonly string[]): Promise<Selection> {
  const found: string[] = [];
  for (const key of keys) {
    if ((await source.get(key, method)) !== undefined) found.push(key);
  }
  return { keys: found, unknown: 0 };
}

/** The keys of all entries of a scope and version. */
async function allOf(
  source: EntrySource,
  method: string,
  { scope, toolVersion }: DeleteFlags,
): Promise<Selection> {
  const keys: string[] = [];
  let unknown = 0;
  for await (const record of source.entries()) {
    if (record.method !== method) continue;
    const { encodedParams, scope: own, version } = record;
    if (encodedParams === undefined && own === undefined && version === undefined) unknown += 1;
    else if (scope !== undefined && own !== scope) continue;
    else if (toolVersion !== undefined && !toolVersion.some((each) => each === version)) continue;
    else keys.push(record.key);
  }
  return { keys, unknown };
}

async function deleteInFolder(
  persistDir: string,
  method: string,
  keys: readonly string[],
  errors: ErrorReport,
): Promise<void> {
  const cache = new CacheManager({
    ...{ persist: true, persistDir, mode: 'multi', consolidateInterval: null, recording: false },
  });
  cache.on('error', ({ error }) => errors.note(error));
  try {
    await cache.open();
    for (const key of keys) await cache.deleteKey(method, key);
    await cache.flush();
  } finally {
    await cache.close();
  }
}
