/** Reads traces of lookups in the formats that there are, as one that simulations share. */

import { hashKey } from '../../index.js';
import { entryBytes } from '../../store/memory-entry.js';
import { createValueCodec } from '../../value/codec.js';
import { copyingKeeper } from '../../value/keeper.js';
import { complaintsOn, inputName, type Malformed, type ReadProgress, readLines } from '../json-lines.js';
import { parseCall } from '../replay/trace-reader.js';
import { UsageError } from '../usage-error.js';
import { type AccessTrace, AccessTraceBuilder } from './access-trace.js';
import { type Columns, columnsOfHeader, looksLikeHeader, parseCsvLine } from './csv-columns.js';

/** What a trace file holds. */
export type TraceFormat = 'calls' | 'keys' | 'lis' | 'csv';

/** The formats, for help and checks. */
export const traceFormats = ['calls', 'keys', 'lis', 'csv'] as const satisfies readonly TraceFormat[];

/** How a trace is read. */
export interface TraceOptions {
  /** By default as the file's name and its first line say. */
  readonly format?: TraceFormat | undefined;
  /** Of a CSV. By default as its header says, else those of libCacheSim. */
  readonly columns?: Columns | undefined;
  /** Whether a tool changes something, so that its calls are never cached. */
  readonly isWrite: (tool: string) => boolean;
  readonly onProgress?: ReadProgress | undefined;
}

/** A trace, and how many calls of it are none of a cache's. */
export interface ReadTrace {
  readonly trace: AccessTrace;
  readonly format: TraceFormat;
  /** Calls of tools that change something. */
  readonly writes: number;
  /** Calls that failed, whose errors no cache keeps. */
  readonly failed: number;
}

/** Takes a line in. */
type LineReader = (text: string, line: number, malformed: Malformed) => void;

interface Intake {
  readonly builder: AccessTraceBuilder;
  readonly options: TraceOptions;
  readonly file: string;
  readonly left: { writes: number; failed: number };
}

/**
 * Reads a trace from a file, decompressed by its name, or from standard input where `path` is `-`.
 *
 * @throws UsageError when the file can't be read, a line is malformed (file, line number, reason), or there is no lookup
 */
export async function readAccessTrace(path: string, options: TraceOptions): Promise<ReadTrace> {
  const file = inputName(path);
  const intake: Intake = {
    builder: new AccessTraceBuilder(),
    options,
    file,
    left: { writes: 0, failed: 0 },
  };
  let format = options.format ?? formatOfName(path);
  let read: LineReader | undefined;
  for await (const { text, line } of readLines(path, options.onProgress)) {
    if (read === undefined) {
      format ??= text.trimStart().startsWith('{') ? 'calls' : 'keys';
      read = readers[format](intake);
    }
    read(text, line, complaintsOn(file, line));
  }
  const trace = intake.builder.build(file);
  if (format === undefined || trace.keys.length === 0)
    throw new UsageError(`${file} has no lookups: expected a trace of ${traceFormats.join(', ')} (--format)`);
  return { trace, format, ...intake.left };
}

function formatOfName(path: string): TraceFormat | undefined {
  const name = path.replace(/\.(gz|zst)$/i, '').toLowerCase();
  if (name.endsWith('.lis')) return 'lis';
  if (name.endsWith('.csv')) return 'csv';
  if (name.endsWith('.jsonl')) return 'calls';
  return undefined;
}

const readers: Readonly<Record<TraceFormat, (intake: Intake) => LineReader>> = {
  /** Tool calls, as `toolstash replay` reads them. */
  calls({ builder, options, file, left }) {
    const keeper = copyingKeeper(createValueCodec());
    return (text, line) => {
      const call = parseCall(text, line, file);
      if (options.isWrite(call.tool)) left.writes += 1;
      else if (call.failed) left.failed += 1;
      else {
        builder.add({
          key: hashKey(call.tool, call.args),
          method: call.tool,
          costMs: call.durationMs ?? 0,
          bytes: () => entryBytes(keeper.encode(call.result).bytes),
        });
      }
    };
  },
  keys({ builder }) {
    return (text) => builder.add({ key: text.trim() });
  },
  /** Start, number of blocks, something ignored, number of the request: each block is a lookup. */
  lis({ builder }) {
    return (text, _line, malformed) => {
      const [start, count] = text.trim().split(/\s+/).map(Number);
      if (!isBlock(start) || !isBlock(count) || count < 1 || count > mostBlocks || !isBlock(start + count))
        throw malformed(
          `expected an ARC trace's first block and number of blocks (1 to ${mostBlocks}), got \`${text.slice(0, 40)}\``,
        );
      for (let block = start; block < start + count; block += 1) builder.add({ key: block });
    };
  },
  csv({ builder, options }) {
    let columns = options.columns;
    let isFirst = true;
    return (text, _line, malformed) => {
      if (isFirst) {
        isFirst = false;
        const header = looksLikeHeader(text, columns);
        columns ??= columnsOfHeader(header ? text : undefined, malformed);
        if (header) return;
      }
      builder.add(parseCsvLine(text, columns as Columns, malformed));
    };
  },
};

/** Far more than one request of a disk. */
const mostBlocks = 2 ** 24;

function isBlock(value: number | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
