/** Reads a trace file: one JSON object a line, streamed, with the line number in every complaint. */

import { createReadStream } from 'node:fs';
import { parseJson } from '../lossless-json.js';
import { UsageError } from '../usage-error.js';
import type { ToolCall, Trace } from './trace.js';

/** How much of a trace has been read. */
export type ReadProgress = (bytes: number) => void;

/**
 * Reads a whole trace from a file, or from standard input when `path` is `-`.
 *
 * @throws UsageError when the file can't be read, a line is malformed (file, line number, reason), or there is no call.
 */
export async function readTrace(path: string, onProgress: ReadProgress = () => {}): Promise<Trace> {
  const name = path === '-' ? 'standard input' : path;
  const input: AsyncIterable<Buffer> = path === '-' ? process.stdin : createReadStream(path);
  const calls: ToolCall[] = [];
  try {
    for await (const { text, line } of linesOf(input, name, onProgress)) {
      if (text.trim() !== '') calls.push(parseCall(text, line, name));
    }
  } catch (error) {
    throw error instanceof UsageError ? error : unreadable(name, error);
  }
  if (calls.length === 0) {
    throw new UsageError(
      `${name} has no tool calls: expected one JSON object a line with tool, args and result`,
    );
  }
  return { name, calls };
}

/** One trace line as a call; `line` and `file` are for the complaint. */
export function parseCall(text: string, line: number, file: string): ToolCall {
  const malformed = (reason: string, cause?: unknown) =>
    new UsageError(`${file}:${line}: ${reason}`, cause === undefined ? {} : { cause });
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw malformed(`not valid JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`expected a JSON object, got ${nameOfType(value)}`);
  }
  const fields = new Map(Object.entries(value));
  const need = (field: string): unknown => {
    if (!fields.has(field)) throw malformed(`\`${field}\` is missing`);
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
  if (durationMs !== null && !(typeof durationMs === 'number' && durationMs >= 0 && durationMs < Infinity)) {
    throw malformed(
      `expected \`durationMs\` to be a number of milliseconds from 0 on, got ${nameOfType(durationMs)}`,
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

/**
 * Lines of a byte stream, cut at `\n` only: `node:readline` would also cut at U+2028, which JSON strings may hold.
 * Bytes that are not UTF-8 are refused rather than replaced.
 */
async function* linesOf(
  input: AsyncIterable<Buffer>,
  name: string,
  onProgress: ReadProgress,
): AsyncGenerator<{ text: string; line: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 0;
  let bytes = 0;
  let pieces: Buffer[] = [];
  const take = (last: Buffer): { text: string; line: number } => {
    line += 1;
    const whole = pieces.length === 0 ? last : Buffer.concat([...pieces, last]);
    pieces = [];
    try {
      return { text: decoder.decode(whole), line };
    } catch (cause) {
      throw new UsageError(`${name}:${line}: not valid UTF-8`, { cause });
    }
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
    bytes += chunk.length;
    onProgress(bytes);
  }
  if (pieces.length > 0) yield take(Buffer.alloc(0));
}

function unreadable(name: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const fixes: Partial<Record<string, string>> = {
    ENOENT: 'there is no such file: check the path',
    EISDIR: 'this is a folder: name a JSONL file in it',
    EACCES: 'no permission to read it: check its mode',
  };
  const fix = typeof code === 'string' ? (fixes[code] ?? code) : undefined;
  if (fix === undefined) return error instanceof Error ? error : new Error(String(error));
  return new UsageError(`Can't read ${name}: ${fix}`, { cause: error });
}

function nameOfType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value === '') return 'an empty string';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? `the string ${JSON.stringify(value.slice(0, 40))}` : String(value);
}
