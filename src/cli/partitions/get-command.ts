/** `toolstash get`: the value of one call. */

import { inspect } from 'node:util';
import { Command, Option } from 'commander';
import { CacheError, type IgnoredPath, type KeyOptions } from '../../index.js';
import { getFromFiles } from '../../persistence/inspection.js';
import type { TierRecord } from '../../tier.js';
import { createValueCodec } from '../../value/value-codec.js';
import type { CommandIo } from '../command-io.js';
import { printable } from '../format.js';
import { formatJson, parseJson } from '../lossless-json.js';
import { UsageError } from '../usage-error.js';
import { exactJson, formatEntryLine } from './entry-line.js';
import { givenPaths } from './given-paths.js';
import { messageOf, Troubles } from './troubles.js';

interface GetFlags {
  readonly scope?: string;
  readonly toolVersion?: string | number;
  readonly ignore: readonly IgnoredPath[];
  readonly json: boolean;
}

/** The command with its flags. */
export function getCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('get')
    .description('Print the value of one call, as JSON. Changes nothing.')
    .argument('<path>', 'cache folder, partition file, or a pattern with * and ?')
    .argument('<method>', "the method's name")
    .argument(
      '<params>',
      'the params as JSON, such as \'{"query": "mvcc"}\'; - reads them from standard input',
    )
    .option('--scope <scope>', 'the scope the entry was stored with')
    .addOption(
      new Option(
        '--tool-version <version>',
        'the version the entry was stored with; digits are a number, "1" in quotes a text',
      ).argParser(versionOf),
    )
    .addOption(
      new Option(
        '--ignore <paths>',
        'paths in the params that are left out of the key, such as trace_id,meta.id',
      )
        .default([], 'none')
        .argParser((text: string, earlier: readonly IgnoredPath[]) => [...earlier, ...text.split(',')]),
    )
    .option('--json', 'print the whole entry as one line of JSON, as export does', false)
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
  const params = parseParams(call.params === '-' ? await readAll(process.stdin) : call.params);
  const { scope, toolVersion: version, ignore } = flags;
  const keyOptions: KeyOptions = { scope, version, ignore };
  const given = await givenPaths([path]);
  const troubles = new Troubles();
  const onError = troubles.note;
  const record = await getFromFiles(given, { method, params, ...keyOptions }, { onError }).catch(
    (error: unknown) => {
      if (!isDamage(error)) throw error;
      troubles.note(error);
      return undefined;
    },
  );
  troubles.tell(io.stderr);
  if (record === undefined) {
    const hint = troubles.count > 0 ? 'it may have been in what is damaged' : hintFor(keyOptions);
    const shown = `\`${printable(method)}\` with these params in ${printable(path)}`;
    io.stderr.write(`toolstash: No fresh entry of ${shown}: ${hint}\n`);
    return 1;
  }
  io.stdout.write(`${flags.json ? formatEntryLine(record) : shownValue(record, io)}\n`);
  return 0;
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
  return error instanceof CacheError && error.code === 'ERR_PARTITION_DAMAGED';
}

function parseParams(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    const fix = 'write them as JSON, such as \'{"query": "mvcc"}\'';
    throw new UsageError(`Expected <params> to be JSON (${messageOf(error)}): ${fix}`, { cause: error });
  }
}

function versionOf(text: string): string | number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return /^".*"$/.test(text) ? text.slice(1, -1) : text;
}

async function readAll(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
