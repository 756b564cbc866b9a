/** Modules that are evaluated again, as hot reloading does it: by Node itself, in a process of their own. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transform } from 'esbuild';
import typescript, { ModuleKind, ScriptTarget } from 'typescript';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { evaluationCalling, isEvaluatedAgain } from '../../src/module-evaluation.js';
import { MethodNames } from '../../src/wrap/method-name.js';
import { type CompiledPrograms, compilePrograms, root } from '../helper/compiled-programs.js';

const program = `
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CacheManager, registerStore } from 'toolstash';

const folder = process.argv[2] as string;
const global = globalThis as Record<string, unknown>;
const outcomes: Record<string, unknown> = {};
async function attempt(name: string, work: () => Promise<unknown>): Promise<void> {
  const cache = new CacheManager();
  Object.assign(global, { cache, registerStore });
  outcomes[name] = await work().catch((error: Error & { code: string }) => error.code + ': ' + error.message);
}
const url = (file: string, query: string) => pathToFileURL(join(folder, file)).href + query;
const load = (file: string, query: string) => import(url(file, query));
const cached = async (file: string, query: string) => (await load(file, query)).search('mvcc');
const edit = (file: string, from: string, to: string) => {
  writeFileSync(join(folder, file), readFileSync(join(folder, file), 'utf8').replace(from, to));
};

await attempt('same', async () => {
  return [await cached('same.mjs', '?t=1'), await cached('same.mjs', '?t=2'), await cached('same.mjs', '?1700000000')];
});
await attempt('after await', async () => [await cached('awaits.mjs', '?t=1'), await cached('awaits.mjs', '?t=2')]);
await attempt('edited', async () => {
  const old = await load('edited.mjs', '?t=1');
  const before = await old.search('mvcc');
  edit('edited.mjs', "'old", "'new");
  const after = await cached('edited.mjs', '?t=2');
  return [before, after, await old.search('wal'), await cached('edited.mjs', '?t=2'), await (await load('edited.mjs', '?t=2')).search('wal')];
});
await attempt('closure edited', async () => {
  const before = await cached('closure.mjs', '?t=1');
  edit('closure.mjs', "'old", "'new");
  return [before, await cached('closure.mjs', '?t=2')];
});
await attempt('arguments', async () => [await cached('tenant.mjs', '?tenant=a'), await cached('tenant.mjs', '?tenant=b')]);
await attempt('factory', async () => [await cached('factory.mjs', '?t=1'), await cached('factory.mjs', '?t=2')]);
await attempt('factory anew', async () => {
  const [first, second] = [await load('exported.mjs', '?t=1'), await load('exported.mjs', '?t=2')];
  return [await first.make('a')('mvcc'), await second.make('b')('mvcc')];
});
for (const compiled of ['esbuild-standard', 'esbuild-legacy', 'tsc-standard', 'tsc-legacy']) {
  await attempt(compiled, async () => {
    const file = compiled + '.mjs';
    const [{ Tools: First }, { Tools: Second }] = [await load(file, '?t=1'), await load(file, '?t=2')];
    const before = [await new Second().find('b'), await First.search('a'), await Second.search('a')];
    edit(file, 'old ', 'new ');
    const { Tools: Third } = await load(file, '?t=3');
    const after = [await new Third().find('b'), await Third.search('a'), await new First().find('c'), await new Third().find('c')];
    return [before, after, (global['cache'] as CacheManager).methods()];
  });
}
await attempt('class factory', async () => {
  const [first, second] = [await load('class-factory.mjs', '?t=1'), await load('class-factory.mjs', '?t=2')];
  return [await first.make('a').search('mvcc'), await second.make('b').search('mvcc')];
});
await attempt('store', async () => [await load('store.mjs', '?t=1'), await load('store.mjs', '?t=2')].length);
await attempt('another store', async () => registerStore('mine', () => { throw new Error('made'); }));
await attempt('required', async () => {
  const require = createRequire(import.meta.url);
  const path = join(folder, 'required.cjs');
  const first = await require(path).search('mvcc');
  delete require.cache[require.resolve(path)];
  return [first, await require(path).search('mvcc')];
});
await attempt('evaluated code', async () => {
  const code = "cache.wrap(async function search(q) { return calls += 1; })\\n//# sourceURL=webpack-internal:///./tools.js";
  Object.assign(global, { calls: 0 });
  const [first, second] = [(0, eval)('/* 1 */' + code), (0, eval)('/* 2 */' + code)];
  return [await first('mvcc'), await second('mvcc'), await first('mvcc'), await second('mvcc')];
});
await attempt('frozen', async () => {
  Object.freeze(Error);
  return [await cached('same.mjs', '?t=7'), await cached('same.mjs', '?t=8')];
});
console.log(JSON.stringify(outcomes));
`;

const modules = {
  'same.mjs':
    'export const search = cache.wrap(async function search(q) { return q + " " + import.meta.url.split("?")[1]; });',
  'awaits.mjs':
    'await null; export const search = cache.wrap(async function search(q) { return q + " " + import.meta.url.split("?")[1]; });',
  'edited.mjs': "\n\nexport const search = cache.wrap(async function search(q) { return 'old ' + q; });",
  'closure.mjs':
    "const site = 'old '; export const search = cache.wrap(async function search(q) { return site + q; });",
  'tenant.mjs':
    'const tenant = new URL(import.meta.url).searchParams.get("tenant"); export const search = cache.wrap(async function search(q) { return tenant + q; });',
  'factory.mjs':
    'const make = (tenant) => cache.wrap(async function search(q) { return tenant + q; }); export const search = make("a"); make("b");',
  'exported.mjs':
    'export const make = (tenant) => cache.wrap(async function search(q) { return tenant + q; });',
  'class-factory.mjs': `
export const make = (tenant) => {
  class Tools { static async search(q) { return tenant + q; } }
  const descriptor = Object.getOwnPropertyDescriptor(Tools, 'search');
  cache.cached(Tools, 'search', descriptor);
  return { search: (q) => descriptor.value.call(Tools, q) };
};`,
  'store.mjs': "registerStore('mine', (options) => options);",
  'required.cjs':
    'exports.search = cache.wrap(async function search(q) { return [q, globalThis.calls = (globalThis.calls ?? 0) + 1]; });',
};

const decorated = `
declare const cache: any;
const site = 'old ';
export class Tools {
  @cache.cached static async search(q: string) { return site + q; }
  @cache.cached({ shared: true }) async find(q: string) { return site + q; }
}`;

async function compiledClasses(): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const [mode, experimentalDecorators] of [
    ['standard', false],
    ['legacy', true],
  ] as const) {
    const tsconfigRaw = { compilerOptions: { experimentalDecorators } };
    files[`esbuild-${mode}.mjs`] = (
      await transform(decorated, { loader: 'ts', target: 'node20', tsconfigRaw })
    ).code;
    files[`tsc-${mode}.mjs`] = typescript.transpileModule(decorated, {
      compilerOptions: { target: ScriptTarget.ES2022, module: ModuleKind.ESNext, experimentalDecorators },
    }).outputText;
  }
  return files;
}

let programs: CompiledPrograms;
let folder: string;
let outcomes: Record<string, unknown>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'toolstash-evaluated-'));
  const files = { ...modules, ...(await compiledClasses()) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const main = join(mkdtempSync(join(root, 'node_modules', '.evaluated-')), 'evaluated-again.mts');
  writeFileSync(main, program);
  programs = await compilePrograms([main], { experimentalDecorators: false, formats: ['esm'] });
  rmSync(join(main, '..'), { recursive: true });
  const { stdout } = await programs.run('evaluated-again', 'mjs', [folder]);
  outcomes = JSON.parse(stdout);
});
afterAll(() => {
  programs.remove();
  rmSync(folder, { recursive: true });
});

const refusal =
  /^ERR_INVALID_OPTION: Another function is cached as .*evaluated again.*give the function a `name`/;

describe('a module that is evaluated again', () => {
  it('takes its function over, with the results', () => {
    expect(outcomes['same']).toEqual(['mvcc t=1', 'mvcc t=1', 'mvcc t=1']);
    expect(outcomes['after await']).toEqual(['mvcc t=1', 'mvcc t=1']);
  });

  it('takes an edited function over without the results of the old one, which runs uncached from then on', () => {
    expect(outcomes['edited']).toEqual(['old mvcc', 'new mvcc', 'old wal', 'new mvcc', 'new wal']);
  });

  it('takes a function over without results where only what it closes over was edited', () => {
    expect(outcomes['closure edited']).toEqual(['old mvcc', 'new mvcc']);
  });

  it.each(['esbuild-standard', 'esbuild-legacy', 'tsc-standard', 'tsc-legacy'])(
    'takes decorated methods over, also when an older class has its first instance later: %s',
    (compiled) => {
      expect(outcomes[compiled]).toEqual([
        ['old b', 'old a', 'old a'],
        ['new b', 'new a', 'old c', 'new c'],
        expect.arrayContaining(['Tools.search', 'Tools.find']),
      ]);
    },
  );

  it('takes a registered store over', () => expect(outcomes['store']).toBe(2));

  it('may give its function the name again without a warning', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const names = new MethodNames(() => undefined);
    const at = (evaluation: string) => ({ module: 'tools.mjs', evaluation, code: '1:1', order: 1 });
    for (const evaluation of ['1', '2', '3'])
      names.give('search', () => 1, { from: at(evaluation), isTold: false });
    expect(warn).not.toHaveBeenCalled();
    names.give('search', () => 1, { from: at('1'), isTold: false });
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });

  it('is known when `require` evaluates it anew, edited or not', () => {
    expect(outcomes['required']).toEqual([
      ['mvcc', 1],
      ['mvcc', 1],
    ]);
  });

  it('is not taken for one that was given other arguments in its URL', () => {
    expect(outcomes['arguments']).toMatch(refusal);
  });

  it('gets no results where a program evaluates the code itself, maybe for another tenant', () => {
    // The first one is replaced, and runs uncached.
    expect(outcomes['evaluated code']).toEqual([1, 2, 3, 2]);
  });
});

it('products of one factory never take each other over, in one evaluation or in two', () => {
  expect(outcomes['factory']).toMatch(refusal);
  expect(outcomes['factory anew']).toMatch(refusal);
  expect(outcomes['class factory']).toMatch(refusal);
});

it('stores of other modules are not taken over', () => {
  expect(outcomes['another store']).toMatch(
    /^ERR_INVALID_OPTION: A store named `mine` is registered already/,
  );
});

it('leaves the way stack traces are made as it was', () => {
  const { prepareStackTrace, stackTraceLimit } = Error;
  function definer() {
    return evaluationCalling(definer);
  }
  // Called within a function, which tells of no evaluation.
  const [once, again] = [definer(), definer()];
  expect([once, isEvaluatedAgain(once, again)]).toEqual([undefined, false]);
  expect([Error.prepareStackTrace, Error.stackTraceLimit]).toEqual([prepareStackTrace, stackTraceLimit]);
});

it('wraps where Error is frozen, and then knows of no evaluation', () => {
  expect(outcomes['frozen']).toMatch(refusal);
});
