/**
 * Every example runs, whatever its reader compiles it to: either module format, and those with decorators under either mode of
 * them. Their types are checked in both modes by `npm run types`.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompiledPrograms, compilePrograms, root } from './helper/compiled-programs.js';

// The guards' examples have a test of their own, beside the guards', and those with a server theirs in `test/remote`,
// and a suite is run by its runner in `test/recording`.
const files = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter(
    (file) =>
      file.endsWith('.ts') && !/^(?:guards|agents|langchain|recording\/suite|redis|sessions)\//.test(file),
  )
  .map((file) => join(root, 'examples', file));
// What they start in threads: plain JavaScript, for Node.js 20.
const threads = [join(root, 'examples/arena/worker.mjs')];

const expected: Readonly<Record<string, RegExp>> = {
  'codecs.ts': /^true 1970-01-01T00:00:00.000Z true\n.*true\n.*true\n/,
  'cached-client.ts': /3 restaurants in Lisbon.*{ search: 1, book: 8 }\nsearch: 1 load, 7 answered/s,
  'response-cache.ts': /^run 1\nrun 1, \d+ seconds old\n304\nrun 2\n/,
  'settings.ts': /^{ theme: 'dark', token: 'hunter2' } 2 queries\nthe cache holds no token\n/,
  'keyv.ts': /^{ name: 'Ada' } <p>seven<\/p>\nundefined <p>seven<\/p>\nhits: 3, misses: 1\n/,
  'fake-clock.ts': /ends: 1 tool call\n.*ended: 2 tool calls\n/,
  'record-and-replay.ts':
    /^record: mvcc: result 1\n.*strict: mvcc: result 1\nstrict: `search` is not recorded .* differs in `query`.*only like it: \{ distance: 0.3\d+, paths: \[ 'query' \] \}\nreplay: flights to rome: result 2\nreplay: lsm trees: result 3\n3 cents\n$/s,
  'dashboard.ts': /^1 hit, 2 misses\n$/,
  'resume.ts': /^first run: .* 3 times in all\nresumed: .* 3 times in all\npartition files: 1\n/,
  'signals.ts': /^after SIGTERM: \[ 'a' \]\n/,
  // On a busy machine a thread may wait for a lock beyond the arena's bound, and searches for itself.
  'threads.ts': /^(?:searching for \w+\n){2,4}[2-4] results for 9 calls, \d threads/,
  'two-processes.ts': /^the parent got: loaded by the parent\nthe child got: loaded by the parent\n/,
  'decorated-tools.ts': /acme 3, globex 1\n/,
  'training-loop.ts': /get and set .*\ngetOrSet .*\nthe next epoch +160 calls, +0 ran the tool/,
  'wrapped-function.ts': /8 answers.*this caller: {2}no time.*coalesced: 8/s,
};

const decorated = files.filter((file) => /^ *@cache\.cached/m.test(readFileSync(file, 'utf8')));

it('tries the other kind of decorators where there are any', () => {
  expect(decorated.map((file) => basename(file))).toContain('decorated-tools.ts');
});

describe.each([
  ['standard decorators', false, files],
  ['experimentalDecorators', true, decorated],
])('under %s', (_, experimentalDecorators, tried) => {
  const names = tried.map((file) => basename(file));
  let programs: CompiledPrograms;

  beforeAll(async () => {
    programs = await compilePrograms([...tried, ...threads], {
      experimentalDecorators,
      formats: ['esm', 'cjs'],
    });
  });
  afterAll(() => programs.remove());

  it.each(names.flatMap((name) => [`${name} as mjs`, `${name} as cjs`]))('%s runs', async (title) => {
    const [name = '', format = ''] = title.split(' as ');
    const { stdout, stderr } = await programs.run(name.replace(/\.ts$/, ''), format);
    expect(stderr).toBe('');
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout).toMatch(expected[name] ?? /./);
  });
});
