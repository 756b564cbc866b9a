/** TypeScript programs as their readers compile them: under either decorator mode, to either module format. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'tsup';
import typescript from 'typescript';
import { subpaths, textFiles } from '../../tsup.config.js';

/** The repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);

const requireOfNode =
  "import { createRequire as createNodeRequire } from 'node:module'; const require = createNodeRequire(import.meta.url);";

/** Programs in a folder of their own. */
export interface CompiledPrograms {
  readonly folder: string;
  /** Runs one of them: its name without an ending, and `mjs` or `cjs`. */
  run(name: string, format: string, args?: readonly string[]): Promise<{ stdout: string; stderr: string }>;
  remove(): void;
}

/** Bundles programs with the sources in place of the package. */
export async function compilePrograms(
  files: readonly string[],
  {
    experimentalDecorators,
    formats,
  }: { experimentalDecorators: boolean; formats: readonly ('esm' | 'cjs')[] },
): Promise<CompiledPrograms> {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-programs-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  await build({
    entry: Object.fromEntries(files.map((file) => [basename(file).replace(/\.(?:m?ts|mjs)$/, ''), file])),
    outDir: folder,
    format: [...formats],
    outExtension: ({ format }) => ({ js: format === 'cjs' ? '.cjs' : '.mjs' }),
    target: 'node20',
    config: false,
    clean: false,
    silent: true,
    dts: false,
    // Finds its WebAssembly beside its own file.
    external: ['node-sqlite3-wasm'],
    esbuildPlugins: [textFiles()],
    // What is bundled may be CommonJS, and ask for Node's own modules by `require`.
    banner: ({ format }) => (format === 'esm' ? { js: requireOfNode } : undefined),
    esbuildOptions(options) {
      delete options.tsconfig;
      options.tsconfigRaw = { compilerOptions: { experimentalDecorators } };
      options.alias = {
        toolstash: join(root, 'src/index.ts'),
        ...Object.fromEntries(
          subpaths.map((name) => [`toolstash/${name}`, join(root, `src/${name}/index.ts`)]),
        ),
      };
    },
  });
  return {
    folder,
    run: (name, format, args = []) =>
      run(process.execPath, [join(folder, `${name}.${format}`), ...args], { cwd: folder }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What the compiler complains of in these programs, with the repository's own settings. */
export function problemsIn(files: readonly string[], experimentalDecorators: boolean): unknown[] {
  const path = join(root, experimentalDecorators ? 'test/legacy-decorators' : '', 'tsconfig.json');
  const { config } = typescript.readConfigFile(path, typescript.sys.readFile);
  const { options } = typescript.parseJsonConfigFileContent(config, typescript.sys, join(path, '..'));
  if ((options.experimentalDecorators === true) !== experimentalDecorators)
    return ['the other decorator mode'];
  const program = typescript.createProgram([...files], options, hostFor(options));
  const problems = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    // What they import is checked by `npm run types`, which takes many times as long.
    ...files.flatMap((path) => {
      const file = program.getSourceFile(path);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    }),
  ];
  return problems.map(({ file, messageText }) => ({
    file: file?.fileName,
    message: typescript.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}

/** Parsed once for all programs: our own sources, Node's types and TypeScript's library. */
const parsed = new Map<string, typescript.SourceFile | undefined>();

function hostFor(options: typescript.CompilerOptions): typescript.CompilerHost {
  const host = typescript.createCompilerHost(options);
  return {
    ...host,
    getSourceFile(path, ...rest) {
      if (!parsed.has(path)) parsed.set(path, host.getSourceFile(path, ...rest));
      return parsed.get(path);
    },
  };
}
