/** The library built from its sources with one expression changed, to see whether a test notices. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { transformWithEsbuild } from 'vite';

/** What the library exports. */
export type Toolstash = typeof import('../../src/index.js');

type Rollouts = typeof import('../../src/rollout/index.js');

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

/** A source, compiled. */
interface CompiledSource {
  readonly run: ModuleFunction;
  /** The paths of the sources that it requires. */
  readonly imports: readonly string[];
}

const source = fileURLToPath(new URL('../../src/', import.meta.url));
const requirePackage = createRequire(join(source, 'index.ts'));
/** What was compiled unchanged, by path: each mutant compiles its own file only. */
const compiled = new Map<string, Promise<CompiledSource>>();

/** The library with this change, or as it is. Every call makes modules of its own. */
export async function buildLibrary(mutation?: Mutation): Promise<Toolstash> {
  return (await build('index.ts', mutation))('index.ts') as Toolstash;
}

/** The same with what `toolstash/rollout` exports. */
export async function buildRollouts(mutation?: Mutation): Promise<Toolstash & Rollouts> {
  const load = await build('rollout/index.ts', mutation);
  return { ...load('index.ts'), ...load('rollout/index.ts') } as Toolstash & Rollouts;
}

async function build(entry: string, mutation: Mutation | undefined): Promise<(path: string) => Exports> {
  const mutated = mutation && join(source, mutation.file);
  const sources = new Map<string, CompiledSource>();
  const open = [join(source, entry)];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (sources.has(path)) continue;
    const compiledSource = path === mutated ? await compile(path, mutation) : await compileOnce(path);
    sources.set(path, compiledSource);
    open.push(...compiledSource.imports);
  }
  if (mutated !== undefined && !sources.has(mutated)) {
    throw new Error(`Expected src/${entry} to lead to src/${mutation?.file}`);
  }
  const modules = new Map<string, { exports: Exports }>();
  const load = (path: string): Exports => {
    let module = modules.get(path);
    if (module === undefined) {
      module = { exports: {} };
      modules.set(path, module);
      const resolve = resolveFrom(path);
      sources.get(path)!.run((id) => (id.startsWith('.') ? load(resolve(id)) : requirePackage(id)), module);
    }
    return module.exports;
  };
  return (path) => load(join(source, path));
}

function compileOnce(path: string): Promise<CompiledSource> {
  let compiledSource = compiled.get(path);
  if (compiledSource === undefined) {
    compiledSource = compile(path, undefined);
    compiled.set(path, compiledSource);
  }
  return compiledSource;
}

async function compile(path: string, mutation: Mutation | undefined): Promise<CompiledSource> {
  const text = mutation ? await mutatedSource(mutation) : await readFile(path, 'utf8');
  const name = `${relative(source, path)}${mutation === undefined ? '' : ' (mutant)'}`;
  const { code } = await transformWithEsbuild(text, path, {
    loader: 'ts',
    format: 'cjs',
    target: 'node20',
    sourcemap: false,
    tsconfigRaw: {},
  });
  const run = new Script(`(function (require, module) {${code}\n})`, { filename: name }).runInThisContext();
  const ids = Array.from(code.matchAll(/\brequire\("(\.[^"]+)"\)/g), ([, id]) => id!);
  return { run, imports: ids.map(resolveFrom(path)) };
}

/** The file with its change. */
export async function mutatedSource({ file, from, to }: Mutation): Promise<string> {
  const parts = (await readFile(join(source, file), 'utf8')).split(from);
  if (parts.length === 2) return parts.join(to);
  throw new Error(
    `Expected src/${file} to hold \`${from}\` once, found it ${parts.length - 1} times: say what is there now`,
  );
}

function resolveFrom(path: string): (id: string) => string {
  return (id) => join(dirname(path), id.replace(/\.js$/, '.ts'));
}
