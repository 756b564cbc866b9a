import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatReport, type ReportData } from '../../../src/cli/replay/report.js';
import type { CallCounts } from '../../../src/cli/replay/summary.js';
import { plainPaint } from '../../../src/report/paint.js';

function counts(parts: Partial<CallCounts>): CallCounts {
  const { hits = 0, coalesced = 0, misses = 0, writes = 0 } = parts;
  return {
    calls: hits + coalesced + misses + writes,
    hits,
    diskHits: 0,
    remoteHits: 0,
    coalesced,
    misses,
    writes,
    sharedErrors: 0,
    avoidedErrors: 0,
    errors: 0,
    wrong: 0,
    toolMs: 0,
    savedMs: 0,
    ...parts,
  };
}

function data(parts: Partial<ReportData> = {}): ReportData {
  const total = counts({
    hits: 80,
    coalesced: 128,
    misses: 246,
    writes: 167,
    toolMs: 249_000,
    savedMs: 83_000,
  });
  return {
    trace: { name: 'trace.jsonl', tasks: 25, rollouts: 85 },
    cache: {
      eviction: 'lru',
      maxSize: 1000,
      maxBytes: 256 * 2 ** 20,
      ttl: null,
      evicted: 12,
      expired: 0,
      refused: 0,
      entries: 246,
      bytes: 400_000,
    },
    disk: null,
    hasRedis: false,
    replay: { concurrency: 8, timeScale: 0.25, wallMs: 5000, recordedLatencies: 621, drawnFrom: 'fixed:1' },
    total,
    byTool: new Map([
      ['get_user', counts({ hits: 80, coalesced: 128, misses: 246, savedMs: 83_000 })],
      ['update_user', counts({ writes: 167 })],
    ]),
    wrongAnswers: [],
    notes: [],
    ...parts,
  };
}

function report(parts: Partial<ReportData> = {}, width = 80): string {
  return formatReport(data(parts), { width, paint: plainPaint });
}

describe('the report', () => {
  test('tells what was answered from the cache, the time saved, evictions, and that all was right', () => {
    const text = report();
    expect(text).toContain('Answered from the cache  33.5 %  208 of 621 calls');
    expect(text).toContain('█ 80 hits   ▓ 128 coalesced   ░ 246 misses   · 167 writes');
    expect(text).toContain('Time saved  1 m 23 s  of 4 m 09 s tool time (33.3 %)');
    expect(text).toContain('hit rate 45.8 % of read-only calls · evicted 12');
    expect(text).toContain('replayed in 5.0 s, 4 times as fast as recorded');
    expect(text).toContain('✓ Every answer equals the recorded one.');
  });

  test('has a row with a bar for each tool, most calls first', () => {
    const rows = report()
      .split('\n')
      .filter((line) => /_user/.test(line));
    expect(rows[0]).toMatch(/^ {2}get_user {7}454 {2}█+▓+░+ +45\.8 % {2}1 m 23 s$/);
    expect(rows[1]).toMatch(/^ {2}update_user {4}167 {2}·+ +write$/);
  });

  test('says where latencies come from when they were not recorded', () => {
    const { replay } = data();
    expect(report()).not.toContain('drawn');
    expect(report({ replay: { ...replay, recordedLatencies: 0 } })).toContain('Latencies drawn from fixed:1');
    expect(report({ replay: { ...replay, recordedLatencies: 600 } })).toContain(
      '21 latencies drawn from fixed:1',
    );
  });

  test('shows wrong answers with their line and what to do about it', () => {
    const text = report({
      total: counts({ hits: 1, misses: 1, wrong: 1 }),
      wrongAnswers: [
        {
          line: 7,
          tool: 'get_user',
          args: { id: 9007199254740993n },
          source: 'hit',
          failed: false,
          recorded: 'new',
          answered: 'old\u{1b}[2J',
        },
      ],
    });
    expect(text).toContain('✗ 1 answer differs from the recorded one.');
    expect(text).toContain('line 7: get_user {"id":9007199254740993}');
    expect(text).toMatch(/recorded {14}"new"\n {6}answered \(hit\) {8}"old\\u001b\[2J"/);
    expect(text).toContain('--writes');
    expect(text).not.toContain('✓');
  });

  test('lists only the twenty tools with most calls and counts the others', () => {
    const byTool = new Map(
      Array.from({ length: 30 }, (_, n) => [`tool_${n}`, counts({ misses: n + 1 })] as const),
    );
    const text = report({ byTool });
    expect(text).toContain('tool_29 ');
    expect(text).toContain('tool_10 ');
    expect(text).not.toContain('tool_9 ');
    expect(text).toContain('and 10 tools with fewer calls');
  });

  test('breaks its facts between them, without a dot at the end of a line', () => {
    const text = report({ total: counts({ misses: 46, errors: 42, sharedErrors: 24 }) }, 60);
    expect(text).toContain(
      'at the end 246 entries, 391 KiB\n  tool errors 42 (24 shared in flight), never cached\n',
    );
    expect(text).not.toMatch(/ ·$/m);
  });

  test('one of a kind is told in the singular', () => {
    const text = report({ total: counts({ hits: 1, misses: 1, writes: 1 }) });
    expect(text).toMatch(/█ 1 hit {3}░ 1 miss {3}· 1 write\n/);
  });

  test('shows no control character of a trace', () => {
    const text = report({ byTool: new Map([['get\u{1b}[31m', counts({ misses: 1 })]]), notes: [] });
    expect(text).not.toContain('\u{1b}');
  });
});

test('every line fits the width, and every bar shows each kind of call that there is', () => {
  const anyCount = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 5 }),
    fc.integer({ min: 0, max: 9_999_999 }),
  );
  const anyCounts = fc
    .record({ hits: anyCount, coalesced: anyCount, misses: anyCount, writes: anyCount, savedMs: fc.nat(1e9) })
    .map(counts)
    .filter(({ calls }) => calls > 0);
  const anyTools = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 60 }), anyCounts), {
    minLength: 1,
  });
  fc.assert(
    fc.property(anyTools, anyCounts, fc.integer({ min: 40, max: 130 }), (tools, total, width) => {
      const lines = report({ byTool: new Map(tools), total }, width).split('\n');
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      const bar = lines.find((line) => /^ {2}[█▒▓░·]+$/.test(line))!.trim();
      expect(bar).toHaveLength(Math.min(120, width) - 4);
      const signs = ['█', '▓', '░', '·'] as const;
      const fields = ['hits', 'coalesced', 'misses', 'writes'] as const;
      fields.forEach((field, index) => {
        expect(bar.includes(signs[index]!)).toBe(total[field] > 0);
      });
    }),
  );
});
