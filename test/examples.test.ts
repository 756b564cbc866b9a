/** Every example runs, whatever its reader compiles it to: either decorator mode, either module format. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import typescript from 'typescript';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const names = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'));
const run = promisify(execFile);

const expected: Readonly<Record<string, RegExp>> = {
  'decorated-tools.ts': /acme 3, globex 1\n/,
  'training-loop.ts': /get and set .*\ngetOrSet .*\nthe next epoch +160 calls, +0 ran the tool/,
  'wrapped-function.ts': /8 answers.*impatient: no time.*coalesced: 8/s,
};

describe.each([
  ['standard decorators', false],
  ['experimentalDecorators', true],
])('under %s', (_, experimentalDecorators) => {
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'toolstash-examples-'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    await build({
      root,
      configFile: false,
      logLevel: 'error',
      esbuild: { tsconfigRaw: { compilerOptions: { experimentalDecorators } } },
      resolve: {
        alias: [
          { find: /^toolstash$/, replacement: join(root, 'src/index.ts') },
          { find: /^toolstash\/(.+)$/, replacement: join(root, 'src/$1/index.ts') },
        ],
      },
      build: {
        ssr: true,
        target: 'node20',
        outDir: folder,
        emptyOutDir: false,
        rollupOptions: {
          input: names.map((name) => join(root, 'examples', name)),
          output: [
            { format: 'es', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
            { format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: '[name]-[hash].cjs' },
          ],
        },
      },
    });
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('every example compiles', () => {
    const path = join(root, experimentalDecorators ? 'test/legacy-decorators' : '', 'tsconfig.json');
    const { config } = typescript.readConfigFile(path, typescript.sys.readFile);
    const { options } = typescript.parseJsonConfigFileContent(config, typescript.sys, join(path, '..'));
    expect(options.experimentalDecorators === true).toBe(experimentalDecorators);
    const program = typescript.createProgram(
      names.map((name) => join(root, 'examples', name)),
      options,
    );
    const problems = typescript.getPreEmitDiagnostics(program).map(({ file, messageText }) => ({
      file: file?.fileName,
      message: typescript.flattenDiagnosticMessageText(messageText, '\n'),
    }));
    expect(problems).toEqual([]);
  });

  it.each(names.flatMap((name) => [`${name} as mjs`, `${name} as cjs`]))('%s runs', async (title) => {
    const [name = '', format] = title.split(' as ');
    const file = join(folder, name.replace(/\.ts$/, `.${format}`));
    const { stdout, stderr } = await run(process.execPath, [file], { cwd: folder });
    expect(stderr).toBe('');
    expect(stdout.length).toBeGreaterThan(0);
    expect(stdout).toMatch(expected[name] ?? /./);
  });
});
