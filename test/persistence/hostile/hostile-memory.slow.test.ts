/** What a hostile file of 64 MB may cost: less than 256 MB, Node itself included, in opening and in consolidation. */

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildScript, makeWorkFolder } from '../../helper/child-process.js';
import { inForm } from '../../helper/form.js';
import { hostileKinds, writeHostileFile } from './hostile-files.js';

const work = makeWorkFolder('hostile');
let script: string;

beforeAll(async () => {
  script = await buildScript(fileURLToPath(new URL('process.ts', import.meta.url)), join(work, 'built'));
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

const kinds = inForm({ short: ['members of one entry'], long: Object.keys(hostileKinds) });

it.each(kinds)('a file full of %s', (kind) => {
  const folder = join(work, kind);
  const entries = writeHostileFile(folder, kind, 64_000_000);
  const told = execFileSync(process.execPath, [script, folder], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  const { megabytes, ...rest } = JSON.parse(told) as Record<string, unknown>;
  expect(rest).toMatchObject({ errors: [], writtenEntries: entries });
  expect(megabytes).toBeLessThan(256);
});
