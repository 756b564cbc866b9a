/** The method names of decorated classes are the same whatever compiles them: keys on disk depend on them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import typescript from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { root } from '../helper/compiled-programs.js';

const source = `
export function makeTools(cache) {
  class ShopTools {
    @cache.cached
    static async listTools() { return ['a', 'b', ShopTools.name.length]; }
    @cache.cached({ shared: true })
    async exchangeRate(from: string) { return from; }
  }
  return ShopTools;
}`;

interface ShopTools {
  listTools(): Promise<unknown>;
  new (): { exchangeRate(from: string): Promise<string> };
}

const folder = mkdtempSync(join(root, 'node_modules', '.compiled-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function byEsbuild(experimentalDecorators: boolean): Promise<string> {
  const tsconfigRaw = { compilerOptions: { experimentalDecorators } };
  return (await transform(source, { loader: 'ts', target: 'node20', tsconfigRaw })).code;
}

async function byTsc(experimentalDecorators: boolean): Promise<string> {
  const { ES2022: target } = typescript.ScriptTarget;
  const compilerOptions = { target, module: typescript.ModuleKind.ESNext, experimentalDecorators };
  return typescript.transpileModule(source, { compilerOptions }).outputText;
}

describe.each([
  ['esbuild', 'standard decorators', byEsbuild, false],
  ['esbuild', 'experimentalDecorators', byEsbuild, true],
  ['tsc', 'standard decorators', byTsc, false],
  ['tsc', 'experimentalDecorators', byTsc, true],
] as const)('compiled by %s with %s', (compiler, mode, compile, isLegacy) => {
  it('static and other methods go by the name of the class', async () => {
    const file = join(folder, `${compiler}-${mode.replace(' ', '-')}.mjs`);
    writeFileSync(file, await compile(isLegacy));
    const { makeTools } = (await import(/* @vite-ignore */ file)) as {
      makeTools(cache: CacheManager): ShopTools;
    };
    const cache = new CacheManager();
    const Tools = makeTools(cache);
    await Tools.listTools();
    await new Tools().exchangeRate('USD');
    expect(cache.methods().sort()).toEqual(['ShopTools.exchangeRate', 'ShopTools.listTools']);
  });
});
