/** What is kept of a call beside its entry, as people and programs are shown it. */

import { inspect } from 'node:util';
import { messageOf } from '../../errors.js';
import { printable } from '../../report/format.js';
import type { TierRecord } from '../../tier.js';
import { createValueCodec } from '../../value/codec.js';
import { parseJson } from '../lossless-json.js';
import { exactJson } from './entry-line.js';

/** The names of what is kept besides the params. */
const names = ['scope', 'version', 'task', 'rollout'] as const;

/** One line, as `params {"q":1}, scope "task-1"`; `undefined` where nothing is kept. */
export function keptText(record: TierRecord): string | undefined {
  const { encodedParams } = record;
  const parts = [
    ...(encodedParams === undefined
      ? []
      : [`params ${exactJson(encodedParams) ?? described(encodedParams)}`]),
    ...names.flatMap((name) =>
      record[name] === undefined ? [] : [`${name} ${JSON.stringify(record[name])}`],
    ),
  ];
  return parts.length === 0 ? undefined : printable(parts.join(', '));
}

/** The same as fields of JSON; params that it can't say as base64 of their msgpack. */
export function keptFields(record: TierRecord): Readonly<Record<string, unknown>> {
  const { encodedParams } = record;
  const json = encodedParams && exactJson(encodedParams);
  return {
    ...(json !== undefined && { params: parseJson(json) }),
    ...(encodedParams !== undefined &&
      json === undefined && { params_msgpack: Buffer.from(encodedParams).toString('base64') }),
    ...Object.fromEntries(
      names.flatMap((name) => (record[name] === undefined ? [] : [[name, record[name]]])),
    ),
  };
}

/** A value that JSON can't say, for people. */
export function described(encoded: Uint8Array): string {
  try {
    const value = createValueCodec().decode(encoded);
    return printable(
      inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 200 }),
    );
  } catch (error) {
    return `unreadable here: ${printable(messageOf(error))}`;
  }
}
