import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import packageJson from './package.json' with { type: 'json' };
import { chosenPersistence, persistenceIn, quickBuiltins, requiredPersistence } from './tsup.quick-import.js';

/** What the benches are built with, too. */
export const shared = {
  target: 'node20',
  splitting: true,
  treeshake: true,
  silent: true,
  esbuildOptions(options) {
    // Puts constants where they are used: bundled, they are variables, which V8 takes for changeable.
    options.minifySyntax = true;
  },
} as const satisfies Options;

/** What users import besides the main entry: `toolstash/<name>`, from `src/<name>/index.ts`. */
export const subpaths = Object.keys(packageJson.exports)
  .map((path) => path.slice(2))
  .filter((path) => path !== '' && !path.endsWith('.json'));

const entries = {
  index: 'src/index.ts',
  ...Object.fromEntries(subpaths.map((name) => [name, `src/${name}/index.ts`])),
};

/** All in one file, which `tsup.declarations.mjs` lays out as pages for both formats: they take most of a build. */
const dts = {
  entry: { index: 'src/public-face.ts' },
  compilerOptions: { ignoreDeprecations: '6.0', stripInternal: true },
};

/** The command line: its own libraries are development dependencies, bundled, with their licences beside it. */
export const cli: Options = {
  ...shared,
  entry: { cli: 'src/cli/main.ts', 'simulation-worker': 'src/cli/simulate/simulation-worker.ts' },
  format: ['esm'],
  dts: false,
  // Some of the bundled libraries are CommonJS and ask for Node's own modules by `require`.
  banner: {
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as createNodeRequire } from 'node:module';",
      'const require = createNodeRequire(import.meta.url);',
    ].join('\n'),
  },
  esbuildPlugins: [textFiles(), bundledLicences('cli.licenses.txt')],
};

export default defineConfig([
  {
    ...shared,
    entry: entries,
    format: ['esm'],
    esbuildPlugins: [textFiles(), chosenPersistence()],
    plugins: [quickBuiltins()],
    dts,
  },
  {
    ...shared,
    entry: entries,
    format: ['cjs'],
    ...withTextFiles(requiredPersistence()),
  },
  { ...shared, entry: { 'persistence-lazy': 'src/persistence/load-lazily.ts' }, format: ['esm'] },
  { ...shared, ...persistenceIn('esm') },
  { ...shared, ...persistenceIn('cjs') },
  cli,
]);

function withTextFiles(options: Pick<Options, 'esbuildPlugins' | 'plugins'>): typeof options {
  return { ...options, esbuildPlugins: [textFiles(), ...(options.esbuildPlugins ?? [])] };
}

/** Makes `import text from './page.html?raw'` what it is under Vite: the file's text. */
export function textFiles(): NonNullable<Options['esbuildPlugins']>[number] {
  return {
    name: 'text-files',
    setup(build) {
      build.onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => ({ path: join(resolveDir, path) }));
      build.onLoad({ filter: /\?raw$/ }, async ({ path }) => ({
        contents: await readFile(path.replace(/\?raw$/, ''), 'utf8'),
        loader: 'text',
      }));
    },
  };
}

/** Writes the licence texts of all packages that went into the bundle, as MIT and ISC ask for. */
function bundledLicences(fileName: string): NonNullable<Options['esbuildPlugins']>[number] {
  return {
    name: 'bundled-licences',
    setup(build) {
      build.initialOptions.metafile = true;
      build.onEnd(async ({ metafile }) => {
        const { outdir } = build.initialOptions;
        if (metafile === undefined || outdir === undefined) return;
        const folders = Object.keys(metafile.inputs).flatMap(
          (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
        );
        const texts = await Promise.all([...new Set(folders)].sort().map(licenceOf));
        await mkdir(outdir, { recursive: true });
        await writeFile(join(outdir, fileName), texts.join(`\n${'-'.repeat(80)}\n\n`));
      });
    },
  };
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${folder} is bundled but has no licence file`);
  return `${name} ${version}\n\n${await readFile(join(folder, file), 'utf8')}`;
}
