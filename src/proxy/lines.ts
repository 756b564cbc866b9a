/** Streams of lines, one JSON-RPC message each: the stdio transport. */

import type { Readable } from 'node:stream';

/** The longest message, in characters: whoever sends a longer one has lost its way. */
const longest = 256 * 2 ** 20;

/** What becomes of the lines of a stream. */
export interface LineListener {
  onLine(line: string): void;
  /** The stream has ended, or a line was too long. */
  onEnd(error?: Error): void;
}

/** Reads a stream line by line. */
export function readLines(stream: Readable, { onLine, onEnd }: LineListener): void {
  /** Of a line that has not ended. */
  let parts: string[] = [];
  let length = 0;
  let hasEnded = false;
  const end = (error?: Error) => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd(error);
  };
  const take = (part: string) => {
    parts.push(part);
    length += part.length;
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    if (hasEnded) return;
    let from = 0;
    for (let to = chunk.indexOf('\n'); to !== -1; to = chunk.indexOf('\n', from)) {
      let line = chunk.slice(from, to);
      from = to + 1;
      if (parts.length > 0) {
        take(line);
        line = parts.join('');
        parts = [];
        length = 0;
      }
      if (isMessage(line)) onLine(line);
    }
    if (from < chunk.length) take(chunk.slice(from));
    if (length > longest) end(new Error(`it sent a message of more than ${longest} characters`));
  });
  stream.on('end', () => end());
  stream.on('close', () => end());
  stream.on('error', (error) => end(error));
}

/** Whether there is something on it: most begin with it. */
function isMessage(line: string): boolean {
  return line.startsWith('{') || line.trim() !== '';
}
