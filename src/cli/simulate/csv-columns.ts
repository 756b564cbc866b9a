/** Which columns of a CSV are key, size and cost: by its header, or as libCacheSim is told. */

import type { Malformed } from '../json-lines.js';
import { UsageError } from '../usage-error.js';
import type { Access } from './access-trace.js';

/** Places of columns, from 0. */
export interface Columns {
  readonly key: number;
  /** Bytes. */
  readonly size?: number | undefined;
  /** Milliseconds. */
  readonly cost?: number | undefined;
  /** @default ',' */
  readonly delimiter?: string | undefined;
  /** By default a first line without numbers where they belong. */
  readonly hasHeader?: boolean | undefined;
}

/** What libCacheSim takes where it is told nothing: time, object, size. */
const defaultColumns: Columns = { key: 1, size: 2 };

/** What headers call them; libCacheSim's own sample has `lbn`. */
const names = {
  key: ['obj_id', 'object_id', 'object', 'obj', 'key', 'id', 'lbn'],
  size: ['obj_size', 'object_size', 'size', 'bytes'],
  cost: ['cost', 'cost_ms', 'duration_ms', 'latency_ms', 'load_ms'],
};

/**
 * Reads `obj-id-col=2,obj-size-col=3`, libCacheSim's own way to say it, with columns from 1; `cost-col` (milliseconds),
 * `delimiter` and `has-header` too. What else it knows changes nothing here.
 */
export function parseColumns(text: string): Columns {
  const given = new Map(
    Array.from(text.matchAll(/\s*([a-z-]+)=(,|[^,]*)(?:,|$)/g), ([, name = '', value = '']) => [name, value]),
  );
  const column = (name: string) => {
    const value = given.get(name);
    if (value === undefined) return undefined;
    if (/^[1-9]\d{0,3}$/.test(value)) return Number(value) - 1;
    throw new UsageError(`Expected ${name} of --columns to be a column's number from 1, got \`${value}\``);
  };
  const key = column('obj-id-col');
  if (key === undefined)
    throw new UsageError(
      `Expected --columns to name the column of keys, such as obj-id-col=2,obj-size-col=3, got \`${text}\``,
    );
  const header = given.get('has-header');
  return {
    key,
    size: column('obj-size-col'),
    cost: column('cost-col'),
    delimiter: given.get('delimiter') || undefined,
    hasHeader: header === undefined ? undefined : /^(true|1)$/i.test(header),
  };
}

/** Whether the first line names columns. */
export function looksLikeHeader(text: string, columns: Columns | undefined): boolean {
  if (columns?.hasHeader !== undefined) return columns.hasHeader;
  if (text.trimStart().startsWith('#')) return true;
  const cells = cellsOf(text, columns?.delimiter);
  const isNumber = (cell: string | undefined) => /^[-+.]?\d/.test(cell ?? '');
  if (columns === undefined) return !cells.some(isNumber);
  // Keys may be words: only where numbers belong can be seen whether there are any.
  const numbers = [columns.size, columns.cost].filter((at) => at !== undefined);
  return numbers.length > 0 && !numbers.some((at) => isNumber(cells[at]));
}

/** The columns that a header names; without one those of libCacheSim. */
export function columnsOfHeader(header: string | undefined, malformed: Malformed): Columns {
  if (header === undefined) return defaultColumns;
  const titles = cellsOf(header.replace(/^\s*#/, '')).map((title) =>
    title.toLowerCase().replaceAll('-', '_'),
  );
  const find = (known: readonly string[]) => {
    const at = known.map((name) => titles.indexOf(name)).find((index) => index >= 0);
    return at;
  };
  const key = find(names.key);
  if (key === undefined)
    throw malformed(
      `no column of this header is known to hold keys (${names.key.join(', ')}): name it with --columns obj-id-col=…`,
    );
  return { key, size: find(names.size), cost: find(names.cost) };
}

/** One line as a lookup. */
export function parseCsvLine(text: string, columns: Columns, malformed: Malformed): Access {
  const cells = cellsOf(text, columns.delimiter);
  const key = cells[columns.key];
  if (key === undefined || key === '') throw malformed(`column ${columns.key + 1}, the key, is missing`);
  const amount = (at: number, what: string) => {
    const cell = cells[at];
    const value = cell === undefined || cell === '' ? Number.NaN : Number(cell);
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
    throw malformed(`expected column ${at + 1}, the ${what}, to be a number from 0, got \`${cell ?? ''}\``);
  };
  const { size, cost } = columns;
  const bytes = size === undefined ? undefined : Math.round(amount(size, 'size'));
  return {
    key,
    costMs: cost === undefined ? undefined : amount(cost, 'cost'),
    bytes: bytes === undefined ? undefined : () => bytes,
  };
}

function cellsOf(text: string, delimiter = ','): string[] {
  if (!text.includes('"')) return text.split(delimiter).map((cell) => cell.trim());
  const cells: string[] = [];
  let [cell, isQuoted] = ['', false];
  for (let at = 0; at < text.length; at += 1) {
    const isQuote = text[at] === '"';
    if (isQuote && isQuoted && text[at + 1] === '"') cell += text[at++];
    else if (isQuote) isQuoted = !isQuoted;
    else if (!isQuoted && text.startsWith(delimiter, at)) {
      cells.push(cell.trim());
      cell = '';
      at += delimiter.length - 1;
    } else cell += text[at];
  }
  return [...cells, cell.trim()];
}
