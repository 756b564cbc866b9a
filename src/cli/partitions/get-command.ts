/** `toolstash get`: the value of one call. */

import { inspect } from 'node:util';
import { Command } from 'commander';
import { messageOf } from '../../errors.js';
import { CacheError, hashKey, type IgnoredPath, type KeyOptions } from '../../index.js';
import { printable } from '../../report/format.js';
import type { TierRecord } from '../../tier.js';
import { createValueCodec } from '../../value/codec.js';
import type { CommandIo } from '../command-io.js';
import { formatJson } from '../lossless-json.js';
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { ignoreOption, paramsFrom, toolVersionOption } from './call-arguments.js';
import { exactJson, formatEntryLine } from './entry-line.js';
import { type EntrySource, filesSource, withRedis } from './entry-source.js';
import { ErrorReport } from './error-report.js';
import { givenPaths } from './given-paths.js';

interface GetFlags extends RedisFlags {
  readonly scope?: string;
  /** Those that it may have been stored with, the likelier first. */
  readonly toolVersion?: readonly (string | number)[];
  readonly ignore: readonly IgnoredPath[];
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
      '<params>',
      'the params as JSON, such as \'{"query": "mvcc"}\'; - reads them from standard input',
    )
    .option('--scope <scope>', 'the scope the entry was stored with')
    .addOption(toolVersionOption())
    .addOption(ignoreOption())
    .option('--json', 'print the whole entry as one line of JSON, as export does', false)
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .helpOption('-h, --help', 'Show this help')
    .action(async (path: string, method: string, params: string, flags: GetFlags) => {
      exit(await get({ path, method, params }, flags, io));
    });
}

async function get(
  call: { readonly path: string; readonly method: string; readonly params: string },
  flags: GetFlags,
  io: CommandIo,
): Promise<number> {
  const { path, method } = call;
  const params = await paramsFrom(call.params);
  const { scope, toolVersion: versions = [undefined], ignore } = flags;
  const errors = new ErrorReport();
  const keys = versions.map((version) => hashKey(method, params, { scope, version, ignore }));
  const find = (source: EntrySource) => firstOf(keys, method, source, errors);
  const [record, place] =
    flags.redis === undefined
      ? [await find(filesSource(await givenPaths([path]), errors.note)), printable(path)]
      : await withRedis(flags, errors.note, async (source) => [await find(source), source.name] as const);
  errors.print(io.stderr);
  if (record === undefined) {
    const hint =
      errors.count > 0 ? 'it may have been in what is damaged' : hintFor({ scope, version: versions[0] });
    const shown = `\`${printable(method)}\` with these params in ${place}`;
    io.stderr.write(`toolstash: No fresh entry of ${shown}: ${hint}\n`);
    return 1;
  }
  io.stdout.write(`${flags.json ? formatEntryLine(record) : shownValue(record, io)}\n`);
  return 0;
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

function described(encoded: Uint8Array): string {
  try {
    const value = createValueCodec().decode(encoded);
    return printable(
      inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 200 }),
    );
  } catch (error) {
    return `unreadable here: ${printable(messageOf(error))}`;
  }
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
