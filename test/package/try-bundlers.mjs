/** Bundles and runs two programs that use the packed package, in memory only and with entries on disk. */

import { copyFileSync, cpSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { attempt, run, withConsumer } from './consumer.mjs';

const tools = [
  'esbuild@0.28.2',
  'rollup@4.68.8',
  '@rollup/plugin-commonjs@29.0.3',
  '@rollup/plugin-node-resolve@16.0.3',
  'webpack@5.113.0',
  '@vercel/nft@1.11.5',
];
const runtimes = { bun: 'bun@1.4.5', deno: 'deno@2.9.6' };
const programs = ['memory', 'persist'];
const node = process.execPath;
/** What people put before esbuild's ESM bundles so that CommonJS packages in them find Node's own modules. */
const usualBanner = "import { createRequire } from 'module'; const require = createRequire(import.meta.url);";

const importFrom = (require, name) => import(pathToFileURL(require.resolve(name)).href);

await withConsumer([...tools, ...Object.values(runtimes)], async (folder) => {
  for (const program of programs) {
    copyFileSync(
      fileURLToPath(new URL(`bundled/${program}.mjs`, import.meta.url)),
      join(folder, `${program}.mjs`),
    );
  }
  mkdirSync(join(folder, 'out'));
  const failures = [];
  for (const trial of trials(folder)) {
    for (const program of programs) {
      const what = `${trial.name}, ${program === 'memory' ? 'memory only' : 'persist: true'}`;
      const { problem, note } = await judge(trial, program, folder);
      console.log(`${what}: ${problem ?? note ?? 'ok'}`);
      if (problem !== undefined) failures.push(what);
    }
  }
  if (failures.length > 0) throw new Error(`The packed package fails in\n  ${failures.join('\n  ')}`);
});

async function judge({ make, command, expected }, program, folder) {
  try {
    const file = (await make?.(program)) ?? `${program}.mjs`;
    const [executable, ...args] = command ?? [node];
    const { status, output } = attempt(executable, [...args, file], { cwd: folder });
    const wanted = expected?.[program];
    if (wanted !== undefined) {
      return status !== 0 && wanted.test(output)
        ? { note: `told so: ${wanted.exec(output)[0]}` }
        : { problem: output };
    }
    // The second cache on the folder is also warned of, which Node prints.
    return status === 0 && /^ok$/m.test(output) ? {} : { problem: `ended with ${status}: ${output}` };
  } catch (error) {
    return { problem: String(error) };
  }
}

function* trials(folder) {
  const fromConsumer = createRequire(join(folder, 'package.json'));
  const output = (program, tool, extension) => join(folder, 'out', `${program}-${tool}.${extension}`);
  const esbuild = (tool, extension, options) => async (program) => {
    const outfile = output(program, tool, extension);
    const entryPoints = [join(folder, `${program}.mjs`)];
    const shared = { bundle: true, platform: 'node', logLevel: 'silent' };
    await fromConsumer('esbuild').build({ entryPoints, outfile, ...shared, ...options });
    return outfile;
  };
  yield { name: 'Node without a bundler' };
  yield {
    name: 'esbuild --format=esm',
    make: esbuild('esbuild', 'mjs', { format: 'esm' }),
    expected: { persist: /Expected `proper-lockfile` to load.*/ },
  };
  yield {
    name: 'esbuild --format=esm with the usual banner',
    make: esbuild('esbuild-banner', 'mjs', { format: 'esm', banner: { js: usualBanner } }),
  };
  yield {
    // Without the condition `module`, which bundlers set and conditions of one's own take away.
    name: 'esbuild --conditions=production with the usual banner',
    make: esbuild('esbuild-conditions', 'mjs', {
      format: 'esm',
      banner: { js: usualBanner },
      conditions: ['production'],
    }),
  };
  yield { name: 'esbuild --format=cjs', make: esbuild('esbuild', 'cjs', { format: 'cjs' }) };
  yield {
    name: 'rollup',
    make: async (program) => {
      const { rollup } = await importFrom(fromConsumer, 'rollup');
      const { default: nodeResolve } = await importFrom(fromConsumer, '@rollup/plugin-node-resolve');
      const { default: commonjs } = await importFrom(fromConsumer, '@rollup/plugin-commonjs');
      const plugins = [nodeResolve({ exportConditions: ['node'] }), commonjs()];
      const bundle = await rollup({ input: join(folder, `${program}.mjs`), plugins, onwarn: () => {} });
      const file = output(program, 'rollup', 'mjs');
      await bundle.write({ file, format: 'es', inlineDynamicImports: true });
      return file;
    },
  };
  yield {
    name: 'webpack',
    make: (program) =>
      new Promise((done, fail) => {
        const file = output(program, 'webpack', 'cjs');
        fromConsumer('webpack')(
          {
            mode: 'production',
            target: 'node20',
            entry: join(folder, `${program}.mjs`),
            output: { path: join(folder, 'out'), filename: `${program}-webpack.cjs` },
            optimization: { minimize: false },
          },
          (error, stats) => {
            if (error ?? stats.hasErrors()) fail(error ?? new Error(stats.toString('errors-only')));
            else done(file);
          },
        );
      }),
  };
  yield {
    name: 'a copy of the files that @vercel/nft traces',
    make: async (program) => {
      const { nodeFileTrace } = await importFrom(fromConsumer, '@vercel/nft');
      const { fileList } = await nodeFileTrace([join(folder, `${program}.mjs`)], { base: folder });
      const copy = join(folder, 'out', `${program}-traced`);
      for (const path of fileList) cpSync(join(folder, path), join(copy, path), { recursive: true });
      return join(copy, `${program}.mjs`);
    },
  };
  const bun = runtime(folder, 'bun');
  yield { name: 'Bun', command: [bun, 'run'] };
  yield {
    name: 'Bun’s bundler for Node',
    make: (program) => {
      const file = output(program, 'bun', 'mjs');
      run(bun, ['build', `${program}.mjs`, '--target=node', '--outfile', file], { cwd: folder });
      return file;
    },
  };
  yield { name: 'Deno', command: [runtime(folder, 'deno'), 'run', '--allow-all', '--no-prompt'] };
}

/** The executable of a runtime that npm has installed as a package for this platform. */
function runtime(folder, name) {
  const executable = join(folder, 'node_modules', '.bin', name);
  if (!existsSync(executable) || attempt(executable, ['--version']).status !== 0) {
    throw new Error(
      `Expected ${runtimes[name]} to run here, but it has no program for ${process.platform} ${process.arch}, ` +
        'or npm did not run its install script: run this trial on a platform that it supports',
    );
  }
  return executable;
}
