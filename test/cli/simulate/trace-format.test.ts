/** Traces of several formats, compressed and not. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseColumns } from '../../../src/cli/simulate/csv-columns.js';
import { readAccessTrace, type TraceOptions } from '../../../src/cli/simulate/trace-format.js';
import { CacheManager } from '../../../src/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-lookups-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function read(name: string, content: string | Uint8Array, options: Partial<TraceOptions> = {}) {
  const path = join(folder, name);
  await writeFile(path, content);
  const { trace, ...rest } = await readAccessTrace(path, { isWrite: () => false, ...options });
  return { ...rest, ...trace, keys: [...trace.keys], costs: [...trace.costs], bytes: [...trace.bytes] };
}

async function complaint(name: string, content: string | Uint8Array, options: Partial<TraceOptions> = {}) {
  const error: unknown = await read(name, content, options).catch((reason: unknown) => reason);
  if (!(error instanceof Error)) throw new Error('expected a complaint');
  return error.message.replace(folder, '');
}

describe('a trace', () => {
  test('of tool calls takes as many bytes as a cache would charge for the results', async () => {
    const results = ['a text', { list: [1, 2, 3], of: 'ünïcode' }, 'x'.repeat(5000)];
    const calls = [0, 1, 2, 1, 0].map((id) => ({
      ...{
        task: 't',
        rollout: 'r',
        tool: `tool-${id}`,
        args: { id },
        result: results[id],
        durationMs: 10 + id,
      },
    }));
    const lines = calls.map((call) => JSON.stringify(call)).join('\n');
    const trace = await read('calls.jsonl', lines);
    expect(trace).toMatchObject({ format: 'calls', keys: [0, 1, 2, 1, 0], costs: [10, 11, 12, 11, 10] });
    expect(trace).toMatchObject({ hasSizes: true, hasCosts: true, methods: ['tool-0', 'tool-1', 'tool-2'] });
    const cache = new CacheManager();
    for (const [id, bytes] of trace.bytes.entries()) {
      const before = cache.stats().bytes;
      cache.setSync(`tool-${id}`, { id }, results[id]);
      expect(cache.stats().bytes - before).toBe(bytes);
    }
    await cache.close();
  });

  test('of tool calls leaves out writes and failed calls', async () => {
    const call = (tool: string, error?: true) =>
      JSON.stringify({ task: 't', rollout: 'r', tool, args: 1, result: 1, error });
    const text = [call('find'), call('book'), call('find', true), call('find')].join('\n');
    const trace = await read('calls', text, { isWrite: (tool) => tool === 'book' });
    expect(trace).toMatchObject({ format: 'calls', keys: [0, 0], writes: 1, failed: 1, hasCosts: false });
  });

  test('of keys has one a line, each of size 1', async () => {
    expect(await read('some.keys', 'b\na\n\nb\r\n 7 \n')).toMatchObject({
      ...{ format: 'keys', keys: [0, 1, 0, 2], bytes: [1, 1, 1], hasSizes: false },
    });
  });

  test('of ARC is of blocks', async () => {
    expect(await read('P1.lis', '10 3 0 0\n11 1 0 1\n')).toMatchObject({ format: 'lis', keys: [0, 1, 2, 1] });
    expect(await complaint('P2.lis', '10 3 0 0\nten 3 0 1\n')).toBe(
      "/P2.lis:2: expected an ARC trace's first block and number of blocks (1 to 16777216), got `ten 3 0 1`",
    );
    expect(await complaint('P3.lis', '10 999999999999\n')).toContain('/P3.lis:1: expected');
    expect(await complaint('P4.lis', '9007199254740991 4 0 0\n')).toContain('/P4.lis:1: expected');
  });

  test('of libCacheSim is time, object and size, or what its header and --columns say', async () => {
    expect(await read('plain.csv', '1,a,100\n2,b,50\n3,a,100\n')).toMatchObject({
      ...{ format: 'csv', keys: [0, 1, 0], bytes: [100, 50], hasSizes: true, hasCosts: false },
    });
    // Its own sample.
    const sample =
      'version,time,op,size,lbn\n1,33898,2a,512,42932745\n1,33898,2a,6656,40409911\n1,33900,2a,512,42932745\n';
    expect(await read('sample.csv', sample)).toMatchObject({ keys: [0, 1, 0], bytes: [512, 6656] });
    expect(await read('comment.csv', '# time, object, size, cost\n1, a, 9, 2.5\n')).toMatchObject({
      ...{ keys: [0], bytes: [9], costs: [2.5], hasCosts: true },
    });
    const columns = parseColumns('obj-id-col=1, obj-size-col=3,delimiter=;,obj-id-is-num=1,has-header=true');
    expect(await read('own.csv', '1;2;3\nx;0;44\n', { columns })).toMatchObject({ keys: [0], bytes: [44] });
    const comma = parseColumns('time-col=1,obj-id-col=2,obj-size-col=3,delimiter=,,has-header=false');
    // Keys are words: without numbers to look for there is no header.
    const words = parseColumns('obj-id-col=1');
    expect(await read('words.csv', 'alice\nbob\nalice\n', { columns: words })).toMatchObject({
      keys: [0, 1, 0],
    });
    const sized = parseColumns('obj-id-col=1,obj-size-col=2');
    expect(await read('sized.csv', 'who,size\nbob,3\n', { columns: sized })).toMatchObject({ keys: [0] });
    // Quotes keep a delimiter together.
    const quoted = 'obj_id,size\n"a,b",1\n"a,c",2\n"say ""a""",3\n';
    expect(await read('quoted.csv', quoted)).toMatchObject({ keys: [0, 1, 2], bytes: [1, 2, 3] });
    expect(await read('comma.csv', 'a,b,3\n', { columns: comma })).toMatchObject({ keys: [0], bytes: [3] });
  });

  test('that is malformed is told by its line', async () => {
    expect(await complaint('a.csv', '1,a,100\n2,b,big\n')).toBe(
      '/a.csv:2: expected column 3, the size, to be a number from 0, got `big`',
    );
    expect(await complaint('b.csv', 'when,who\n1,2\n')).toContain('/b.csv:1: no column of this header');
    expect(await complaint('c.csv', '1\n')).toBe('/c.csv:1: column 2, the key, is missing');
    expect(await complaint('empty', '')).toContain('has no lookups');
    expect(await complaint('broken.jsonl', '{"task": 1}')).toContain('/broken.jsonl:1: `tool` is missing');
    expect(() => parseColumns('obj-size-col=3')).toThrow('obj-id-col=2');
    expect(() => parseColumns('obj-id-col=0')).toThrow("a column's number from 1");
  });

  test('may be compressed', async () => {
    expect(await read('P1.lis.gz', zlib.gzipSync('1 2\n2 1\n'))).toMatchObject({
      format: 'lis',
      keys: [0, 1, 1],
    });
    expect(await complaint('cut.keys.gz', zlib.gzipSync('some keys\n'.repeat(99)).subarray(0, 30))).toContain(
      "Can't read /cut.keys.gz",
    );
    const { zstdCompressSync } = zlib as { zstdCompressSync?: (text: string) => Uint8Array };
    if (zstdCompressSync === undefined)
      expect(await complaint('a.keys.zst', 'x')).toMatch(
        /^Can't read \/a\.keys\.zst: Node .* has no Zstandard/,
      );
    else expect(await read('a.keys.zst', zstdCompressSync('k\nk\n'))).toMatchObject({ keys: [0, 0] });
  });
});
