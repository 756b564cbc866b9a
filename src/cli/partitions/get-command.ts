/** `toolstash get`: the value of one call. */

import { Command } from 'commander';
import { CacheError, hashKey, type IgnoredPath, type KeyOptions } from '../../index.js';
import { printable } from '../../report/format.js';
import type { TierRecord } from '../../tier.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { UsageError } from '../usage-error.js';
import { assertKey, ignoreOption, paramsFrom, toolVersionOption } from './call-arguments.js';
import { exactJson, formatEntryLine } from './entry-line.js';
import { type EntrySource, filesSource, withRedis } from './entry-source.js';
import { ErrorReport } from './error-report.js';
import { givenPaths } from './given-paths.js';
import { described, keptText } from './kept-params.js';

interface GetFlags extends RedisFlags {
  readonly key?: string;
  readonly scope?: string;
  /** Those that it may have been stored with, the likelier first. */
  readonly toolVersion?: readonly (string | number)[];
  readonly ignore: readonly IgnoredPath[];
  readonly params: boolean;
  readonly json: boolean;
}

/** The command with its flags. */
export function getCommand(io: CommandIo, exit: (code: number) => void): Command {
  const [redisUrl, redisPrefix] = redisPlaceOptions('<path>');
  return new Command('get')
    .description('Print the value of one call, as JSON. Changes nothing.')
    .argument('<path>', 'cache folder, partition file, or a pattern with * and ?')
    .argument('<method>', "the method's name")
    .argument(
      '[params]',
      'the params as JSON, such as \'{"query": "mvcc"}\'; - reads them from standard input',
    )
    .option('--key <key>', 'the key of the entry, 32 hex digits, instead of params')
    .option('--scope <scope>', 'the scope the entry was stored with')
    .option('--params', 'print what is kept of the call, too, to standard error; so does --key', false)
    .addOption(toolVersionOption())
    .addOption(ignoreOption())
    .option('--json', 'print the whole entry as one line of JSON, as export does', false)
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .helpOption('-h, --help', 'Show this help')
    .action(async (path: string, method: string, params: string | undefined, flags: GetFlags) => {
      exit(await get({ path, method, params }, flags, io));
    });
}

async function get(
  call: { readonly path: string; readonly method: string; readonly params: string | undefined },
  flags: GetFlags,
  io: CommandIo,
): Promise<number> {
  const { path, method } = call;
  const { scope, toolVersion: versions = [undefined] } = flags;
  const errors = new ErrorReport();
  const keys = await keysOf(method, call.params, flags);
  const find = (source: EntrySource) => firstOf(keys, method, source, errors);
  const [record, place] =
    flags.redis === undefined
      ? [await find(filesSource(await givenPaths([path]), errors.note)), printable(path)]
      : await withRedis(flags, errors.note, async (source) => [await find(source), source.name] as const);
  errors.print(io.stderr);
  if (record === undefined) {
    const hint =
      errors.count > 0
        ? 'it may have been in what is damaged'
        : flags.key === undefined
          ? hintFor({ scope, version: versions[0] })
          : '`toolstash inspect --params` lists what there is';
    const shown = `\`${printable(method)}\` with ${flags.key === undefined ? 'these params' : 'this key'} in ${place}`;
    io.stderr.write(`toolstash: No fresh entry of ${shown}: ${hint}\n`);
    return 1;
  }
  // Who asks by params knows them.
  const isShown = !flags.json && (flags.params || flags.key !== undefined);
  const kept = isShown ? keptText(record) : undefined;
  if (kept !== undefined) io.stderr.write(`toolstash: Kept with it: ${kept}\n`);
  io.stdout.write(`${flags.json ? formatEntryLine(record) : shownValue(record, io)}\n`);
  return 0;
}

/** The keys that a call may have been stored under. @throws UsageError */
async function keysOf(
  method: string,
  params: string | undefined,
  { key, scope, toolVersion, ignore }: GetFlags,
): Promise<readonly string[]> {
  if (key === undefined) {
    if (params === undefined) throw new UsageError('Expected <params> or --key, got none: name one');
    const parsed = await paramsFrom(params);
    const versions: readonly (string | number | undefined)[] = toolVersion ?? [undefined];
    return versions.map((version) => hashKey(method, parsed, { scope, version, ignore }));
  }
  assertKey(key);
  if (params !== undefined || scope !== undefined || toolVersion !== undefined || ignore.length > 0) {
    throw new UsageError(
      'Expected --key or what makes a key (<params>, --scope, --tool-version, --ignore), got both: name one',
    );
  }
  return [key];
}

/** The entry of the first of these keys that has one. */
async function firstOf(
  keys: readonly string[],
  method: string,
  source: EntrySource,
  errors: ErrorReport,
): Promise<TierRecord | undefined> {
  for (const key of keys) {
    const found = await source.get(key, method).catch((error: unknown) => {
      if (!isDamage(error)) throw error;
      errors.note(error);
      return undefined;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The value as JSON; what JSON can't say as its bytes, and for people on the side. */
function shownValue({ encoded }: TierRecord, { stderr }: CommandIo): string {
  const json = exactJson(encoded);
  if (json !== undefined) return json;
  stderr.write(
    `toolstash: JSON can't say this value, so its msgpack is printed. It is ${described(encoded)}\n`,
  );
  return formatJson({ result_msgpack: Buffer.from(encoded).toString('base64') });
}

function hintFor({ scope, version }: KeyOptions): string {
  const unsaid = [
    ...(scope === undefined ? ['--scope'] : []),
    ...(version === undefined ? ['--tool-version'] : []),
  ];
  if (unsaid.length === 0) return '`toolstash inspect` lists the methods that there are';
  return `was it stored with ${unsaid.join(' or ')}?`;
}

function isDamage(error: unknown): boolean {
  const codes: readonly string[] = ['ERR_PARTITION_DAMAGED', 'ERR_UNREADABLE_VALUE'];
  return error instanceof CacheError && codes.includes(error.code);
}
