/** `toolstash get`: the value of one call. */

import { inspect } from 'node:util';
import { Command, Option } from 'commander';
import type { IgnoredPath, KeyOptions } from '../../index.js';
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
  const troubles = new Troubles(io.stderr);
  let record: TierRecord | undefined;
  try {
    const onError = troubles.note;
    record = await getFromFiles(given, { method, params, ...keyOptions }, { onError });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_PARTITION_DAMAGED')) throw error;
    troubles.note(error);
    return 1;
  }
  if (record === undefined) {
    io.stderr.write(`toolstash: ${notFound(path, method, keyOptions)}\n`);
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

function notFound(path: string, method: string, { scope, version }: KeyOptions): string {
  const unsaid = [scope === undefined ? '--scope' : '', version === undefined ? '--tool-version' : ''];
  const hint = unsaid.filter((flag) => flag !== '').join(' or ');
  const shown = `\`${printable(method)}\` with these params in ${printable(path)}`;
  const fix = hint === '' ? '`toolstash inspect` lists its methods' : `was it stored with ${hint}?`;
  return `No fresh entry of ${shown}: ${fix}`;
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
