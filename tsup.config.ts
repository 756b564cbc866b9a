import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineConfig, type Options } from 'tsup';

const shared = {
  target: 'node20',
  splitting: true,
  sourcemap: true,
  treeshake: true,
} as const satisfies Options;

/** The command line: its own libraries are development dependencies, bundled, with their licences beside it. */
export const cli: Options = {
  ...shared,
  entry: { cli: 'src/cli/main.ts' },
  sourcemap: false,
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
  esbuildPlugins: [bundledLicences('cli.licenses.txt')],
};

export default defineConfig([
  {
    ...shared,
    entry: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
    format: ['esm', 'cjs'],
    dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  },
  cli,
]);

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
