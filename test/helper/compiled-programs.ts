/** TypeScript programs as their readers compile them: under either decorator mode, to either module format. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import typescript from 'typescript';
import { build } from 'vite';

/** The repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);

/** Programs in a folder of their own. */
export interface CompiledPrograms {
  readonly folder: string;
  /** Runs one of them: its name without an ending, and `mjs` or `cjs`. */
  run(name: string, format: string): Promise<{ stdout: string; stderr: string }>;
  remove(): void;
}

/** Bundles programs with the sources in place of the package. */
export async function compilePrograms(
  files: readonly string[],
  {
    experimentalDecorators,
    formats,
  }: { experimentalDecorators: boolean; formats: readonly ('es' | 'cjs')[] },
): Promise<CompiledPrograms> {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-programs-'));
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
        input: [...files],
        output: formats.map((format) => ({
          format,
          entryFileNames: `[name].${endings[format]}`,
          chunkFileNames: `[name]-[hash].${endings[format]}`,
        })),
      },
    },
  });
  return {
    folder,
    run: (name, format) => run(process.execPath, [join(folder, `${name}.${format}`)], { cwd: folder }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const endings = { es: 'mjs', cjs: 'cjs' } as const;

/** What the compiler complains of in these programs, with the repository's own settings. */
export function problemsIn(files: readonly string[], experimentalDecorators: boolean): unknown[] {
  const path = join(root, experimentalDecorators ? 'test/legacy-decorators' : '', 'tsconfig.json');
  const { config } = typescript.readConfigFile(path, typescript.sys.readFile);
  const { options } = typescript.parseJsonConfigFileContent(config, typescript.sys, join(path, '..'));
  if ((options.experimentalDecorators === true) !== experimentalDecorators)
    return ['the other decorator mode'];
  const program = typescript.createProgram([...files], options);
  return typescript.getPreEmitDiagnostics(program).map(({ file, messageText }) => ({
    file: file?.fileName,
    message: typescript.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}
