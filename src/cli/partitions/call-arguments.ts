/** How a person names a call of a tool: its params, and what else its key was made from. */

import { Option } from 'commander';
import { messageOf } from '../../errors.js';
import type { IgnoredPath } from '../../index.js';
import { printable } from '../../report/format.js';
import { parseJson } from '../lossless-json.js';
import { UsageError } from '../usage-error.js';

/** The params that a command line argument stands for; `-` reads them from standard input. @throws UsageError */
export async function paramsFrom(argument: string): Promise<unknown> {
  const text = argument === '-' ? await readAll(process.stdin) : argument;
  try {
    return parseJson(text);
  } catch (error) {
    const fix = 'write them as JSON, such as \'{"query": "mvcc"}\'';
    throw new UsageError(`Expected <params> to be JSON (${messageOf(error)}): ${fix}`, { cause: error });
  }
}

/** `--key`. @throws UsageError for what is none */
export function assertKey(key: string): void {
  if (/^[0-9a-f]{32}$/.test(key)) return;
  throw new UsageError(
    `Expected --key to be 32 hex digits, as \`toolstash export\` prints it, got '${printable(key)}'`,
  );
}

/** `--tool-version`: the versions that it stands for, the likelier first. */
export function toolVersionOption(): Option {
  return new Option(
    '--tool-version <version>',
    'the version the entry was stored with; digits stand for the number and the text, "1" in quotes for the text alone',
  ).argParser(versionsOf);
}

/** `--ignore`: paths. */
export function ignoreOption(): Option {
  return new Option(
    '--ignore <paths>',
    'paths in the params that are left out of the key, such as trace_id,meta.id',
  )
    .default([], 'none')
    .argParser((text: string, earlier: readonly IgnoredPath[]) => [...earlier, ...text.split(',')]);
}

/** A shell can't tell `2` from `'2'`: digits may be either. */
function versionsOf(text: string): readonly (string | number)[] {
  if (/^-?\d+(\.\d+)?$/.test(text)) return [Number(text), text];
  return [/^".*"$/.test(text) ? text.slice(1, -1) : text];
}

async function readAll(input: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
