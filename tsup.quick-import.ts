/**
 * What makes importing the package quick. The disk tier's code is built apart from the rest, so that it is loaded when it is
 * needed: `persistence.js` and `persistence.cjs` export `load`, a function that takes the modules shared with the rest and
 * returns the code. Node's own modules are asked for in a quicker way.
 */

import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { relative, resolve } from 'node:path';
import type { Options } from 'tsup';

type EsbuildPlugin = NonNullable<Options['esbuildPlugins']>[number];
type Plugin = NonNullable<Options['plugins']>[number];

const source = resolve('src');

/** As ES modules `imports` of package.json chooses how to load it: only Node can do it lazily, bundlers would not follow. */
export function chosenPersistence(): EsbuildPlugin {
  return {
    name: 'chosen-persistence',
    setup(build) {
      build.onResolve({ filter: /\/persistence\/load\.js$/ }, () => ({
        path: '#persistence',
        external: true,
      }));
    },
  };
}

/** As CommonJS everything lazy comes by `require`: bundlers follow it within a function. */
export function requiredPersistence(): Pick<Options, 'esbuildPlugins' | 'plugins'> {
  return {
    esbuildPlugins: [
      {
        name: 'required-persistence',
        setup(build) {
          build.onLoad({ filter: /\/persistence\/load\.ts$/ }, () => ({
            contents: 'export const load = (shared) => requirePersistence().load(shared);',
          }));
        },
      },
    ],
    plugins: [
      lazyRequires(),
      {
        name: 'written-require',
        // Written any earlier, esbuild would put a `require` of its own in its place.
        renderChunk: (code) => ({
          code: code.replace('requirePersistence()', 'require("./persistence.cjs")'),
        }),
      },
    ],
  };
}

/** What tools go by that trace the files of a program in order to copy them (Next.js): they don't know all conditions. */
const tracedFile = 'exports.tracedFile = __dirname + "/persistence-lazy.js";';

/** The code as a function, for ES modules and for CommonJS. */
export function persistenceIn(format: 'esm' | 'cjs'): Options {
  const [head, extension] =
    format === 'esm' ? ['export const load', '.js'] : [`"use strict"; ${tracedFile} exports.load`, '.cjs'];
  return {
    entry: { persistence: 'src/persistence/load.ts' },
    // What is within the function was a module; `given-modules` makes its imports variables and its export what is returned.
    format: ['esm'],
    outExtension: () => ({ js: extension }),
    // One for both, which differ in their first lines: Node runs this one, the other is for bundlers.
    splitting: false,
    treeshake: false,
    dts: false,
    esbuildPlugins: [sharedModules()],
    plugins: format === 'esm' ? [givenModules()] : [givenModules(), lazyRequires()],
    banner: { js: `${head} = (shared) => {` },
    footer: { js: '};' },
  };
}

function sharedModules(): EsbuildPlugin {
  const handedOver = readFileSync(resolve(source, 'manager/tiers/disk-code.ts'), 'utf8');
  return {
    name: 'shared-modules',
    setup(build) {
      build.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const name = relative(source, resolve(resolveDir, path)).replace(/\.js$/, '');
        if (name.startsWith('persistence/')) return undefined;
        if (handedOver.includes(`'../../${name}.js'`)) return { path: `shared:${name}`, external: true };
        return { errors: [{ text: `Expected src/manager/tiers/disk-code.ts to share src/${name}.ts` }] };
      });
    },
  };
}

function givenModules(): Plugin {
  return {
    name: 'given-modules',
    renderChunk: (code) => ({
      code: importsAsVariables(code, (specifier) =>
        specifier.startsWith('shared:')
          ? `shared["${specifier.slice('shared:'.length)}"]`
          : builtin(specifier),
      ).replace(/^export \{\s*load\s*\};$/m, 'return load();'),
    }),
  };
}

/**
 * Has ES modules ask for Node's own modules by `process.getBuiltinModule`. By `import` Node reads each of their exports, and
 * loads what is behind it: 4 ms of CPU on Node 24 for `util` alone, ten times what the module itself takes.
 */
export function quickBuiltins(): Plugin {
  return {
    name: 'quick-builtins',
    renderChunk(code) {
      return this.format === 'esm' ? { code: importsAsVariables(code, builtin) } : undefined;
    },
  };
}

function builtin(specifier: string): string | undefined {
  return isBuiltin(specifier) ? `process.getBuiltinModule("${specifier}")` : undefined;
}

/** The code with variables in the place of imports, where there is another way to come by the module. */
function importsAsVariables(code: string, moduleOf: (specifier: string) => string | undefined): string {
  return code.replace(
    /^import (?:\* as (\w+)|(\w+)|(\{[^}]*\})) from "([^"]+)";$/gm,
    (statement, namespace, whole, names, specifier) => {
      const module = moduleOf(specifier);
      const bindings = namespace ?? whole ?? names.replaceAll(' as ', ': ');
      return module === undefined ? statement : `const ${bindings} = ${module};`;
    },
  );
}

/** In a vm context, as Jest runs tests in, `import()` needs a flag of Node. */
function lazyRequires(): Plugin {
  return {
    name: 'lazy-requires',
    renderChunk: (code) => ({
      code: code.replace(
        /\bimport\((["'])([^"']+)\1\)/g,
        'Promise.resolve().then(() => ({ default: require("$2") }))',
      ),
    }),
  };
}
