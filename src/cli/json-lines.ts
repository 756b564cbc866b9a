/** Reads files of one JSON object a line, streamed, with file and line number in every complaint. */

import { constants } from 'node:buffer';
import { isError, messageOf } from '../errors.js';
import { openInput } from './compressed-input.js';
import { parseJson } from './lossless-json.js';
import { UsageError } from './usage-error.js';

/** How many bytes of a file have been read, as it lies on the disk. */
export type ReadProgress = (bytes: number) => void;

/** One line and its number, from 1. */
export interface Line {
  readonly text: string;
  readonly line: number;
}

/** Makes the complaint about one line out of a reason. */
export type Malformed = (reason: string, cause?: unknown) => UsageError;

/** A file's name for people; `-` is standard input. */
export function inputName(path: string): string {
  return path === '-' ? 'standard input' : path;
}

/**
 * The lines of a file, or of standard input when `path` is `-`, that are not blank. `.gz` and `.zst` are decompressed.
 *
 * @param longest the most bytes of a line
 * @throws UsageError when the file can't be read, or a line is too long or not UTF-8.
 */
export async function* readLines(
  path: string,
  onProgress: ReadProgress = () => {},
  longest = constants.MAX_STRING_LENGTH,
): AsyncGenerator<Line> {
  let received = 0;
  const input = path === '-' ? { content: process.stdin, bytesRead: () => received } : openInput(path);
  const onChunk = (bytes: number) => {
    received += bytes;
    onProgress(input.bytesRead());
  };
  const lines = linesOf(input.content, { name: inputName(path), onChunk, longest });
  for (;;) {
    let next: IteratorResult<Line>;
    try {
      next = await lines.next();
    } catch (error) {
      throw unreadable(inputName(path), error);
    }
    if (next.done === true) return;
    if (next.value.text.trim() !== '') yield next.value;
  }
}

/** Complaints about one line. */
export function complaintsOn(file: string, line: number): Malformed {
  return (reason, cause) =>
    new UsageError(`${file}:${line}: ${reason}`, cause === undefined ? {} : { cause });
}

/** The fields of a line's JSON object. */
export function parseFields(text: string, malformed: Malformed): Map<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof RangeError) throw malformed('nested too deeply to be read', error);
    throw malformed(`not valid JSON: ${messageOf(error)}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`expected a JSON object, got ${nameOfType(value)}`);
  }
  return new Map(Object.entries(value));
}

/** A value in a complaint. */
export function nameOfType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value === '') return 'an empty string';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? `the string ${JSON.stringify(value.slice(0, 40))}` : String(value);
}

/**
 * Lines of a byte stream, cut at `\n` only: `node:readline` would also cut at U+2028, which JSON strings may hold.
 * Bytes that are not UTF-8 are refused rather than replaced.
 */
async function* linesOf(
  input: AsyncIterable<Buffer>,
  {
    name,
    onChunk,
    longest,
  }: { readonly name: string; readonly onChunk: (bytes: number) => void; readonly longest: number },
): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 0;
  let pieces: Buffer[] = [];
  let piecesBytes = 0;
  const add = (piece: Buffer) => {
    pieces.push(piece);
    piecesBytes += piece.length;
    if (piecesBytes <= longest) return;
    throw new UsageError(
      `${name}:${line + 1}: longer than ${longest} bytes: expected one JSON object a line, each on a line of its own`,
    );
  };
  const take = (last: Buffer): Line => {
    add(last);
    line += 1;
    const whole = pieces.length === 1 ? last : Buffer.concat(pieces);
    pieces = [];
    piecesBytes = 0;
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
    if (start < chunk.length) add(chunk.subarray(start));
    onChunk(chunk.length);
  }
  if (pieces.length > 0) yield take(Buffer.alloc(0));
}

function unreadable(name: string, error: unknown): Error {
  const code = isError(error) && 'code' in error ? error.code : undefined;
  const fixes: Partial<Record<string, string>> = {
    ENOENT: 'there is no such file: check the path',
    EISDIR: 'this is a folder: name a JSONL file in it',
    EACCES: 'no permission to read it: check its mode',
  };
  const fix = typeof code === 'string' ? (fixes[code] ?? code) : undefined;
  if (fix === undefined) return isError(error) ? error : new Error(String(error));
  return new UsageError(`Can't read ${name}: ${fix}`, { cause: error });
}
