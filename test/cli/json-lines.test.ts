import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { complaintsOn, type Line, parseFields, readLines } from '../../src/cli/json-lines.js';
import { UsageError } from '../../src/cli/usage-error.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-lines-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function linesOf(content: string, longest?: number): Promise<Line[]> {
  const path = join(folder, 'lines.jsonl');
  await writeFile(path, content);
  const lines: Line[] = [];
  for await (const line of readLines(path, () => {}, longest)) lines.push(line);
  return lines;
}

test('lines end at \\n or \\r\\n, the last one anywhere; a byte order mark and blank lines are passed over', async () => {
  const lines = await linesOf('\u{feff}{"a": 1}\r\n\r\n \n{"b": "\u{2028}"}');
  expect(lines.map(({ text, line }) => [text.trim(), line])).toEqual([
    ['{"a": 1}', 1],
    ['{"b": "\u{2028}"}', 4],
  ]);
});

test('a line that is longer than any text can be is refused, without reading it all', async () => {
  const rest = 'x'.repeat(500_000);
  await expect(linesOf(`1\n${'x'.repeat(11)}\n${rest}`, 10)).rejects.toThrow(
    /lines\.jsonl:2: longer than 10 bytes: expected one JSON object a line/,
  );
  await expect(linesOf(`1\n${rest}`, 100_000)).rejects.toThrow(UsageError);
  expect(await linesOf('1234567890\n1234567890', 10)).toHaveLength(2);
});

test.each([
  [
    'nested too deeply to be read',
    `{"big": 12345678901234567890, "deep": ${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  ],
  ['not valid JSON', '{"a": 1'],
  ['expected a JSON object, got an array', '[1]'],
])('what is no JSON object is refused: %s', (reason, text) => {
  expect(() => parseFields(text, complaintsOn('trace.jsonl', 7))).toThrow(`trace.jsonl:7: ${reason}`);
});
