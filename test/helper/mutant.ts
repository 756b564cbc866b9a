/** The library built from its sources with one expression changed, to see whether a test notices. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { transformWithEsbuild } from 'vite';

/** What the library exports. */
export type Toolstash = typeof import('../../src/index.js');

/** One change of one source file. */
export interface Mutation {
  /** Path below `src/`. */
  readonly file: string;
  /** What is there now, exactly once. */
  readonly from: string;
  readonly to: string;
}

type Exports = Record<string, unknown>;
type ModuleFunction = (require: (id: string) => unknown, module: { exports: Exports }) => void;

const source = fileURLToPath(new URL('../../src/', import.meta.url));
const requirePackage = createRequire(join(source, 'index.ts'));
/** What was compiled unchanged, by path: each mutant compiles its own file only. */
const compiled = new Map<string, Promise<ModuleFunction>>();

/** The library with this change, or as it is. Every call makes modules of its own. */
export async function buildLibrary(mutation?: Mutation): Promise<Toolstash> {
  const mutated = mutation && join(source, mutation.file);
  const functions = new Map<string, ModuleFunction>();
  const open = [join(source, 'index.ts')];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (functions.has(path)) continue;
    const run = path === mutated ? await compile(path, mutation) : await compileOnce(path);
    functions.set(path, run);
    open.push(...importsOf(run).map(resolveFrom(path)));
  }
  if (mutated !== undefined && !functions.has(mutated)) {
    throw new Error(`Expected src/index.ts to lead to src/${mutation?.file}`);
  }
  const modules = new Map<string, { exports: Exports }>();
  const load = (path: string): Exports => {
    let module = modules.get(path);
    if (module === undefined) {
      module = { exports: {} };
      modules.set(path, module);
      const resolve = resolveFrom(path);
      functions.get(path)!((id) => (id.startsWith('.') ? load(resolve(id)) : requirePackage(id)), module);
    }
    return module.exports;
  };
  return load(join(source, 'index.ts')) as Toolstash;
}

function compileOnce(path: string): Promise<ModuleFunction> {
  let run = compiled.get(path);
  if (run === undefined) {
    run = compile(path, undefined);
    compiled.set(path, run);
  }
  return run;
}

async function compile(path: string, mutation: Mutation | undefined): Promise<ModuleFunction> {
  const text = await readFile(path, 'utf8');
  const name = `${relative(source, path)}${mutation === undefined ? '' : ' (mutant)'}`;
  const { code } = await transformWithEsbuild(mutation ? mutate(text, mutation) : text, path, {
    loader: 'ts',
    format: 'cjs',
    target: 'node20',
    sourcemap: false,
    tsconfigRaw: {},
  });
  return new Script(`(function (require, module) {${code}\n})`, { filename: name }).runInThisContext();
}

function mutate(text: string, { file, from, to }: Mutation): string {
  const parts = text.split(from);
  if (parts.length === 2) return parts.join(to);
  throw new Error(
    `Expected src/${file} to hold \`${from}\` once, found it ${parts.length - 1} times: say what is there now`,
  );
}

/** The sources that a compiled module requires. */
function importsOf(run: ModuleFunction): string[] {
  return Array.from(String(run).matchAll(/\brequire\("(\.[^"]+)"\)/g), ([, id]) => id!);
}

function resolveFrom(path: string): (id: string) => string {
  return (id) => join(dirname(path), id.replace(/\.js$/, '.ts'));
}
