/** Every example runs, whatever its reader compiles it to: either decorator mode, either module format. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompiledPrograms, compilePrograms, problemsIn, root } from './helper/compiled-programs.js';

const names = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'));
const files = names.map((name) => join(root, 'examples', name));

const expected: Readonly<Record<string, RegExp>> = {
  'decorated-tools.ts': /acme 3, globex 1\n/,
  'training-loop.ts': /get and set .*\ngetOrSet .*\nthe next epoch +160 calls, +0 ran the tool/,
  'wrapped-function.ts': /8 answers.*impatient: no time.*coalesced: 8/s,
};

describe.each([
  ['standard decorators', false],
  ['experimentalDecorators', true],
])('under %s', (_, experimentalDecorators) => {
  let programs: CompiledPrograms;

  beforeAll(async () => {
    programs = await compilePrograms(files, { experimentalDecorators, formats: ['es', 'cjs'] });
  });
  afterAll(() => programs.remove());

  it('every example compiles', () => {
    expect(problemsIn(files, experimentalDecorators)).toEqual([]);
  });

  it.each(names.flatMap((name) => [`${name} as mjs`, `${name} as cjs`]))('%s runs', async (title) => {
    const [name = '', format = ''] = title.split(' as ');
    const { stdout, stderr } = await programs.run(name.replace(/\.ts$/, ''), format);
    expect(stderr).toBe('');
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout).toMatch(expected[name] ?? /./);
  });
});
