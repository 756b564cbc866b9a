/** Compiles the type tests against the packed package's declarations, in a stranger's project, on several TypeScripts. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, withConsumer } from './consumer.mjs';

/** The oldest that is supported, the last of each line, and what the project itself is checked with. */
const versions = ['5.4.5', '5.9.3', '6.0.3', '7.0.2'];
const others = ['expect-type@1.4.0', '@types/node@20.19.43'];
/** What declarations of subpaths take types from. */
const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const peers = ['@types/http-cache-semantics', 'http-cache-semantics', 'redis'].map(
  (name) => `${name}@${devDependencies[name]}`,
);
/** ES modules and CommonJS get declarations of their own. */
const formats = ['module', 'commonjs'];
const cases = fileURLToPath(new URL('../type/', import.meta.url));

const compilers = versions.map((version) => `typescript-${version}@npm:typescript@${version}`);

await withConsumer([...others, ...peers, ...compilers], (folder) => {
  writeProject(folder, 'standard', /\.test-d\.ts$/, {});
  writeProject(folder, 'legacy', /^decorators\.test-d\.ts$/, { experimentalDecorators: true });
  // As many programs are still set up. TypeScript 6 warns of it, and 7 does not have it.
  writeProject(folder, 'node10', /^options\.test-d\.ts$/, { module: 'CommonJS', moduleResolution: 'node10' });
  // As `tsc --init` has set up many: an old library, without the types of Node.
  writeProject(folder, 'bare', /^bare\.test-d\.ts$/, {
    target: 'ES2016',
    lib: ['ES2016', 'DOM'],
    types: [],
    skipLibCheck: true,
  });
  const everywhere = ['standard', 'legacy', 'bare'];
  const failures = [];
  for (const version of versions) {
    for (const project of version < '6' ? [...everywhere, 'node10'] : everywhere) {
      const compiler = join(folder, 'node_modules', `typescript-${version}`, 'bin', 'tsc');
      const { status, output } = attempt(process.execPath, [compiler, '-p', project], { cwd: folder });
      // Without `skipLibCheck` the compiler says all that it would say with it, and what it finds in declarations.
      const errors = output.split('\n').filter((line) => /error TS\d+/.test(line));
      const inOthers = errors.filter((line) => /node_modules\/(?!toolstash\/)/.test(line));
      const inOurs = errors.filter((line) => !inOthers.includes(line));
      const isSound = inOurs.length === 0 && (status === 0 || inOthers.length > 0);
      const what = `TypeScript ${version}, ${project}, ESM and CJS`;
      const libraries =
        inOthers.length === 0 ? 'without skipLibCheck too' : `with skipLibCheck: else ${inOthers[0]}`;
      console.log(`${what}: ${isSound ? `type tests compile, ${libraries}` : output}`);
      if (!isSound) failures.push(what);
    }
  }
  if (failures.length > 0) throw new Error(`The packed types fail with\n  ${failures.join('\n  ')}`);
});

/** The type tests as a stranger writes them: importing the package by its name, as an ES module and as CommonJS. */
function writeProject(folder, name, wanted, options) {
  for (const format of formats) {
    mkdirSync(join(folder, name, format), { recursive: true });
    writeFileSync(join(folder, name, format, 'package.json'), JSON.stringify({ type: format }));
  }
  const files = readdirSync(cases).filter((file) => wanted.test(file));
  if (files.length === 0) throw new Error(`Expected type tests in ${cases}`);
  for (const file of files) {
    const text = readFileSync(join(cases, file), 'utf8')
      .replaceAll("'vitest'", "'expect-type'")
      .replaceAll("'../../src/index.js'", "'toolstash'")
      .replace(/'\.\.\/\.\.\/src\/(\w+)\/index\.js'/g, "'toolstash/$1'");
    for (const format of formats) writeFileSync(join(folder, name, format, file), text);
  }
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022', 'ESNext.Disposable', 'ESNext.Decorators'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    skipLibCheck: false,
    ...options,
  };
  writeFileSync(join(folder, name, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: formats }));
}
