/** Cost, "nothing found" and sliding in files: whatever moves an entry keeps them, and what is malformed tells nothing. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatEntryLine, parseEntryLine } from '../../../src/cli/partitions/entry-line.js';
import { hashKey } from '../../../src/key/key-hasher.js';
import { BodyScanner } from '../../../src/persistence/format/body-scanner.js';
import { encodeValueBody, readEntryBody } from '../../../src/persistence/format/entry-body.js';
import {
  hashMethod,
  monthFolder,
  partitionFileName,
  utcDay,
} from '../../../src/persistence/format/partition-name.js';
import { exportFiles, importRecords } from '../../../src/persistence/offline/inspection.js';
import { mergeDirectories } from '../../../src/persistence/offline/merge-directories.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import type { TierMetadata, TierRecord } from '../../../src/tier.js';
import { encode, makeDiskTier, makeRecord } from '../../helper/disk-tier.js';
import { runPython } from '../../helper/python.js';

const hour = 3_600_000;
const start = Date.now();
const slides = {
  staleAt: start + hour,
  expiresAt: start + hour,
  sliding: { idleMs: hour, staleAt: start + 8 * hour, expiresAt: start + 9 * hour },
};
const facts: Record<string, Partial<TierMetadata>> = {
  none: {},
  cost: { cost: 0.25 },
  free: { cost: 0 },
  negative: { isNegative: true },
  slides,
  all: { cost: 2 ** 40, isNegative: true, ...slides },
};

let root: string;
const at = (name: string) => join(root, name);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toolstash-entry-facts-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes an entry for each, in so many files. */
async function write(persistDir: string, files = 1): Promise<void> {
  const clock = new FakeClock(start);
  for (let file = 0; file < files; file += 1) {
    const one = makeDiskTier({ persistDir, clock });
    for (const [name, metadata] of Object.entries(facts))
      one.set('search', name, `${name} ${file}`, metadata);
    await one.tier.close();
    clock.advance(1);
  }
}

async function expectFacts(persistDir: string): Promise<void> {
  const one = makeDiskTier({ persistDir, clock: new FakeClock(start) });
  for (const [name, expected] of Object.entries(facts)) {
    const record = await one.tier.lookup(hashKey('search', name), 'search');
    expect(factsOf(record), name).toEqual(expected);
  }
  await one.tier.close();
  expect(one.errors).toEqual([]);
}

/** The facts of a record; its times only where it slides. */
function factsOf(record: TierRecord | undefined): Partial<TierMetadata> {
  expect(record).toBeDefined();
  const { cost, isNegative, sliding, staleAt, expiresAt } = record!.metadata;
  return {
    ...(cost !== undefined && { cost }),
    ...(isNegative !== undefined && { isNegative }),
    ...(sliding !== undefined && { sliding, staleAt, expiresAt }),
  };
}

describe('the facts of an entry', () => {
  it('are told while it waits to be written, once it is, and when the folder is opened again', async () => {
    const one = makeDiskTier({ persistDir: at('a'), clock: new FakeClock(start) });
    for (const [name, metadata] of Object.entries(facts)) one.set('search', name, name, metadata);
    const all = async () => {
      for (const [name, expected] of Object.entries(facts))
        expect(factsOf(await one.tier.lookup(hashKey('search', name), 'search')), name).toEqual(expected);
    };
    await all();
    await one.tier.flush();
    await all();
    await one.tier.close();
    await expectFacts(at('a'));
  });

  it('survive consolidation, a merge of folders, and export and import', async () => {
    await write(at('a'), 3);
    const consolidating = makeDiskTier({ persistDir: at('a'), clock: new FakeClock(start + 10 * 60_000) });
    expect(await consolidating.tier.consolidate()).toMatchObject({
      writtenEntries: Object.keys(facts).length,
    });
    await consolidating.tier.close();
    await expectFacts(at('a'));

    await mergeDirectories([at('a')], at('b'));
    await expectFacts(at('b'));

    const lines: string[] = [];
    for await (const record of exportFiles([at('b')])) lines.push(formatEntryLine(record));
    const records = lines.map((line) => parseEntryLine(line, (reason) => new Error(reason) as never, start));
    expect(await importRecords(at('c'), records)).toBe(Object.keys(facts).length);
    await expectFacts(at('c'));
  });

  it('come back equal from a body, whatever they are', () => {
    const amount = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e300, noNaN: true }));
    const moment = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const sliding = fc.tuple(fc.double({ min: 1e-3, max: 1e15, noNaN: true }), moment, moment, moment);
    fc.assert(
      fc.property(
        fc.option(amount, { nil: undefined }),
        fc.boolean(),
        fc.option(sliding, { nil: undefined }),
        (cost, isNegative, times) => {
          const [idleMs = 0, staleAt = 0, one = 0, other = 0] = times ?? [];
          const [expiresAt, maxExpiresAt] = [Math.min(one, other), Math.max(one, other)];
          const metadata = {
            ...(cost !== undefined && { cost }),
            ...(isNegative && { isNegative }),
            ...(times && { expiresAt, sliding: { idleMs, staleAt, expiresAt: maxExpiresAt } }),
          };
          const record = sample(metadata);
          const body = readEntryBody(new BodyScanner(encodeValueBody(record, undefined)));
          expect(body).toMatchObject({ kind: 'value', metadata: record.metadata });
        },
      ),
    );
  });
});

describe('what others write', () => {
  /** What a plain file's metadata come to. */
  async function read(fields: object): Promise<TierRecord | undefined> {
    const folder = mkdtempSync(at('plain-'));
    const day = utcDay(start);
    const month = join(folder, monthFolder(day));
    mkdirSync(month);
    const path = join(month, partitionFileName({ methodHash: hashMethod('search'), day, partition: 0 }));
    const metadata = { created_at: start, expires_at: start + hour, ...fields };
    writeFileSync(path, gzipSync(encode({ [hashKey('search', 1)]: { result: 'x', metadata } })), {
      mode: 0o600,
    });
    const one = makeDiskTier({ persistDir: folder, clock: new FakeClock(start) });
    const record = await one.tier.lookup(hashKey('search', 1), 'search');
    await one.tier.close();
    expect(one.errors).toEqual([]);
    return record;
  }

  const sliding = { idle_ms: hour, max_stale_at: start + hour, max_expires_at: start + 2 * hour };

  it('is taken where it is well formed', async () => {
    expect(factsOf(await read({}))).toEqual({});
    expect(factsOf(await read({ cost: 3, negative: true }))).toEqual({ cost: 3, isNegative: true });
    expect(factsOf(await read(sliding))).toMatchObject({ sliding: { idleMs: hour } });
  });

  it.each<[string, object]>([
    ['a cost in words', { cost: 'dear' }],
    ['a cost below 0', { cost: -1 }],
    ['a cost that is no number', { cost: Number.NaN }],
    ['a cost without end', { cost: Infinity }],
    ['a list of costs', { cost: [[1], { a: 2 }] }],
    ['a negative that is not true', { negative: false }],
    ['a negative in words', { negative: 'yes' }],
    ['sliding without a bound', { idle_ms: 5 }],
    ['sliding by nothing', { ...sliding, idle_ms: 0 }],
    ['sliding by true', { ...sliding, idle_ms: true }],
    ['a bound before its expiry', { ...sliding, max_expires_at: start }],
    ['sliding without an expiry', { ...sliding, expires_at: null }],
  ])('tells nothing where it is %s, and the entry is there all the same', async (_name, fields) => {
    const record = await read(fields);
    expect(factsOf(record)).toEqual({});
    expect(record).toMatchObject({ key: hashKey('search', 1) });
  });

  it('is seen by Python by the names that FORMAT.md gives', async () => {
    await write(at('a'));
    const script = fileURLToPath(new URL('../../../examples/python/read_cache.py', import.meta.url));
    const printed = runPython([script, at('a'), 'search'], { modules: ['msgpack'] }).trim();
    const lines = printed.split('\n').map((line) => JSON.parse(line) as { result: string; metadata: object });
    const of = (name: string) => lines.find(({ result }) => result === `${name} 0`)?.metadata;
    const { idleMs, staleAt, expiresAt } = slides.sliding;
    expect(of('all')).toMatchObject({
      ...{ cost: 2 ** 40, negative: true, idle_ms: idleMs, max_stale_at: staleAt, max_expires_at: expiresAt },
      expires_at: slides.expiresAt,
    });
    expect(Object.keys(of('none')!)).toEqual([
      ...['created_at', 'stale_at', 'expires_at', 'access_count', 'last_access', 'load_ms'],
    ]);
  });
});

function sample(metadata: Partial<TierMetadata>): TierRecord {
  const stamp = { time: start * 1000, writer: '0'.repeat(16) };
  return makeRecord({ method: 'search', params: 1, value: 1, stamp, now: start, metadata });
}
