/** Reads a trace file: one JSON object a line, streamed, with the line number in every complaint. */

import {
  complaintsOn,
  inputName,
  nameOfType,
  parseFields,
  type ReadProgress,
  readLines,
} from '../json-lines.js';
import { UsageError } from '../usage-error.js';
import { longestMs } from './latency.js';
import type { ToolCall, Trace } from './trace.js';

/**
 * Reads a whole trace from a file, or from standard input when `path` is `-`.
 *
 * @throws UsageError when the file can't be read, a line is malformed (file, line number, reason), or there is no call.
 */
export async function readTrace(path: string, onProgress?: ReadProgress): Promise<Trace> {
  const name = inputName(path);
  const calls: ToolCall[] = [];
  for await (const { text, line } of readLines(path, onProgress)) calls.push(parseCall(text, line, name));
  if (calls.length === 0) {
    throw new UsageError(
      `${name} has no tool calls: expected one JSON object a line with tool, args and result`,
    );
  }
  return { name, calls };
}

/** What a line is to be. Who has exported a cache may take that for a trace. */
function calls(fields: { has(field: string): boolean }): string {
  const isExported = fields.has('method') && fields.has('result');
  const why = isExported ? 'an export tells what a cache holds, and not who called what when; ' : '';
  return `${why}a call has \`task\`, \`rollout\`, \`tool\`, \`args\` and \`result\``;
}

/** One trace line as a call; `line` and `file` are for the complaint. */
export function parseCall(text: string, line: number, file: string): ToolCall {
  const malformed = complaintsOn(file, line);
  const fields = parseFields(text, malformed);
  const need = (field: string): unknown => {
    if (!fields.has(field)) throw malformed(`\`${field}\` is missing: ${calls(fields)}`);
    return fields.get(field);
  };
  const needName = (field: string): string => {
    const found = need(field);
    if (Number.isInteger(found) || typeof found === 'bigint') return String(found);
    if (typeof found === 'string' && found !== '') return found;
    throw malformed(`expected \`${field}\` to be a string, got ${nameOfType(found)}`);
  };
  const tool = need('tool');
  if (typeof tool !== 'string' || tool === '' || /\p{Surrogate}/u.test(tool)) {
    throw malformed(`expected \`tool\` to be the tool's name, got ${nameOfType(tool)}`);
  }
  const failed = fields.get('error') ?? false;
  if (typeof failed !== 'boolean') {
    throw malformed(`expected \`error\` to be true or false, got ${nameOfType(failed)}`);
  }
  const durationMs = fields.get('durationMs') ?? null;
  if (
    durationMs !== null &&
    !(typeof durationMs === 'number' && durationMs >= 0 && durationMs <= longestMs)
  ) {
    throw malformed(
      `expected \`durationMs\` to be a number of milliseconds from 0 to ${longestMs}, got ${nameOfType(durationMs)}`,
    );
  }
  return {
    task: needName('task'),
    rollout: needName('rollout'),
    tool,
    args: need('args'),
    result: need('result'),
    failed,
    durationMs,
    line,
  };
}
