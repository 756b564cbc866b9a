import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatInspectReport, totalsOf } from '../../src/cli/partitions/inspect-report.js';
import type { FileInspection } from '../../src/persistence/offline/inspection.js';
import { plainPaint } from '../../src/report/paint.js';

const now = Date.UTC(2026, 10, 21, 12);

const file = fc
  .record({
    method: fc.option(fc.string({ unit: 'grapheme-ascii' }), { nil: undefined }),
    values: fc.nat(1_000_000),
    expired: fc.nat(1_000_000),
    bytes: fc.nat(2 ** 40),
    day: fc.constantFrom('20261120', '20261121', undefined),
    oldest: fc.option(fc.nat(now + 10), { nil: undefined }),
  })
  .map(
    ({ expired, oldest, ...rest }): FileInspection => ({
      ...rest,
      path: '/cache/x.cache',
      methodHash: 'a'.repeat(32),
      isPlain: false,
      members: 1,
      deletions: 0,
      markers: 0,
      expired: Math.min(expired, rest.values),
      oldest,
      newest: oldest,
      tailBytes: 0,
      damage: [],
      unread: [],
    }),
  );

function report(files: readonly FileInspection[], width: number): string {
  const methods = files.map((each) => ({ ...each, partitions: 1 }));
  const data = { name: 'cache', files, methods, totals: totalsOf(files), now };
  return formatInspectReport(data, { width, paint: plainPaint });
}

test('every line fits the width, whatever the files hold', () => {
  fc.assert(
    fc.property(fc.array(file, { maxLength: 30 }), fc.integer({ min: 40, max: 200 }), (files, width) => {
      const columns = Math.min(120, Math.max(40, width));
      for (const line of report(files, width).split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
    }),
  );
});

test('days are shown once there are several', () => {
  const [one] = fc.sample(file, 1);
  const of = (day: string) => ({ ...one!, day, values: 3, expired: 1 });
  expect(report([of('20261120')], 80)).not.toContain('2026-11-20  ');
  const both = report([of('20261120'), of('20261121')], 80);
  expect(both).toMatch(/ {2}2026-11-20 +3 {2}█+░+ /);
  expect(both).toMatch(/ {2}2026-11-21 +3 {2}█+░+ /);
});
