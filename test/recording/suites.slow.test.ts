/** A suite that was recorded runs without its service, in vitest and in Jest. */

import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsup';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { subpaths } from '../../tsup.config.js';
import { root } from '../helper/compiled-programs.js';
import { librariesOf } from '../helper/libraries.js';

const jest = await librariesOf(new URL('libraries/', import.meta.url));
const suite = join(root, 'examples/recording/suite');
const alias = {
  ...Object.fromEntries(subpaths.map((name) => [`toolstash/${name}`, join(root, `src/${name}/index.ts`)])),
  toolstash: join(root, 'src/index.ts'),
};

/** Each of its runs begins a test runner. */
const timeout = 300_000;

let folder: string;
let service: Server;
let requests: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-suite-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  requests = [];
  service = createServer((request, response) => {
    requests.push(request.url ?? '');
    const [, kind, name] = (request.url ?? '').split('/');
    response.end(JSON.stringify(kind === 'orders' ? { id: name, state: 'shipped' } : { page: name }));
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  service.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A way to run the suite in `folder`. */
interface Runner {
  prepare(): Promise<void>;
  readonly program: string;
  readonly args: readonly string[];
}

const runners: Readonly<Record<string, Runner>> = {
  vitest: {
    async prepare() {
      cpSync(suite, folder, { recursive: true });
      // Built, as users have it: to load it in single modules takes each run seconds.
      const built = join(folder, 'toolstash');
      await build({
        entry: { index: alias.toolstash, recording: join(root, 'src/recording/index.ts') },
        ...{ outDir: built, format: ['esm'], splitting: true, target: 'node20' },
        ...{ config: false, clean: false, silent: true, dts: false },
      });
      const own = { 'toolstash/recording': join(built, 'recording.js'), toolstash: join(built, 'index.js') };
      writeFileSync(
        join(folder, 'vitest.config.mjs'),
        `export default ${JSON.stringify({ resolve: { alias: own } })};`,
      );
    },
    program: join(root, 'node_modules/vitest/vitest.mjs'),
    args: ['run'],
  },
  Jest: {
    async prepare() {
      const globals = join(folder, 'globals.js');
      writeFileSync(globals, 'export const { afterAll, expect, it } = globalThis;');
      await build({
        entry: { 'support-desk.test': join(suite, 'support-desk.test.ts') },
        outDir: folder,
        format: ['cjs'],
        outExtension: () => ({ js: '.cjs' }),
        target: 'node20',
        ...{ config: false, clean: false, silent: true, dts: false },
        esbuildOptions(options) {
          delete options.tsconfig;
          options.alias = { ...alias, vitest: globals };
          // As in what is published: Jest has no `import()` without a flag.
          options.supported = { 'dynamic-import': false };
        },
      });
      const config = {
        testMatch: ['**/*.test.cjs'],
        moduleFileExtensions: ['cjs', 'js', 'json'],
        transform: {},
      };
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ jest: config }));
    },
    program: jest.resolve('jest/bin/jest'),
    args: [],
  },
};

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function run({ program, args }: Runner, env: Record<string, string>): Promise<Outcome> {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|TOOLSTASH|NODE_ENV|JEST|SUPPORT)/.test(name),
  );
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...Object.fromEntries(own), ...env } };
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr }),
    );
  });
}

describe.each(Object.keys(runners))('in %s', (name) => {
  const runner = runners[name]!;

  it('is recorded once, and then asks nobody', { timeout }, async () => {
    await runner.prepare();
    const SUPPORT_URL = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const unrecorded = await run(runner, { SUPPORT_URL });
    expect(unrecorded.code).toBe(1);
    expect(unrecorded.output).toContain(
      'Expected `recording({ dir })` to name files or folders that are there',
    );
    expect(requests).toEqual([]);

    const recorded = await run(runner, { SUPPORT_URL, TOOLSTASH_MODE: 'record' });
    expect(recorded, recorded.output).toMatchObject({ code: 0 });
    expect(requests.sort()).toEqual(['/manual/returns', '/orders/W1', '/orders/W2']);
    expect(readdirSync(join(folder, 'tape')).some((each) => /^\d{4}-\d{2}$/.test(each))).toBe(true);

    service.close();
    requests = [];
    const strict = await run(runner, {});
    expect(strict, strict.output).toMatchObject({ code: 0 });
    const reachable = await run(runner, { SUPPORT_URL });
    expect(reachable, reachable.output).toMatchObject({ code: 0 });
    expect(requests).toEqual([]);
  });

  it('fails where a call was not recorded, and says which and what is nearest', { timeout }, async () => {
    await runner.prepare();
    const SUPPORT_URL = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    await run(runner, { SUPPORT_URL, TOOLSTASH_MODE: 'record' });
    requests = [];
    for (const file of readdirSync(folder).filter((each) => /^support-desk\.test/.test(each))) {
      const path = join(folder, file);
      writeFileSync(
        path,
        readFileSync(path, 'utf8').replace("'W2', desk", "'W3', desk").replace('"W2", desk', '"W3", desk'),
      );
    }
    const failed = await run(runner, { SUPPORT_URL });
    expect(failed.code).toBe(1);
    expect(failed.output).toContain(
      "`findOrder` is not recorded with these params, and in mode 'strict' no tool runs",
    );
    expect(failed.output).toContain('and differs in `id`');
    expect(requests).toEqual([]);
  });
});
