/** What the package costs those who install and import it, held to budgets. Counts and bytes, no times. */

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { run, withConsumer } from './consumer.mjs';

/**
 * About a tenth above what was measured when it was last set. Raise one only with a reason. The page of the dashboard, with its
 * charts, is in the package three times: for ES modules, for CommonJS and in the command line.
 */
const budgets = {
  'packed, KB': 2_000,
  'unpacked, KB': 6_300,
  'import, own code gzipped, KB': 172,
  'import, all code, KB': 620,
  'import, files': 26,
  'require, own code gzipped, KB': 174,
  'require, all code, KB': 640,
  'require, files': 25,
};

/** What importing loads, the first encoded value besides, and the first cache that persists besides. */
const packages = {
  import: ['lru-cache', 'toolstash'],
  encode: ['msgpackr'],
  persist: ['graceful-fs', 'proper-lockfile', 'retry', 'signal-exit'],
};
/** The disk tier's code, which only that last one loads; and Node's own modules that importing leaves alone. */
const diskCode = 'persistence.cjs';
const heavyModules = ['crypto', 'zlib'];

const programs = {
  import: '',
  encode: "new CacheManager().setSync('search', 'otters', { found: 2 });",
  persist: `CacheManager.open({ persist: true, persistDir: 'kept-' + process.pid })
    .then((cache) => cache.set('search', 'otters', { found: 2 }).then(() => cache.close()))`,
};
const heads = {
  import: ['mjs', "import { CacheManager } from 'toolstash';"],
  require: ['cjs', "const { CacheManager } = require('toolstash');"],
};

await withConsumer([], async (folder) => {
  const kilobytes = (bytes) => Math.ceil(bytes / 1000);
  const installed = join(folder, 'node_modules', 'toolstash');
  const measured = {
    'packed, KB': kilobytes(statSync(process.env.TOOLSTASH_TARBALL ?? join(folder, tarballIn(folder))).size),
    'unpacked, KB': kilobytes(sizeOf(installed)),
  };
  const problems = [];
  for (const [how, [extension, head]] of Object.entries(heads)) {
    const expected = [];
    for (const [step, use] of Object.entries(programs)) {
      const file = `${step}.${extension}`;
      writeFileSync(join(folder, file), `${head}\n${use}`);
      const loaded = filesLoadedBy(folder, file);
      const own = loaded.filter((path) => packageOf(path) === 'toolstash');
      if (step === 'import') {
        const gzipped = own.reduce((sum, path) => sum + gzipSync(readFileSync(path)).length, 0);
        const all = loaded.reduce((sum, path) => sum + statSync(path).size, 0);
        measured[`${how}, own code gzipped, KB`] = kilobytes(gzipped);
        measured[`${how}, all code, KB`] = kilobytes(all);
        measured[`${how}, files`] = loaded.length;
      }
      expected.push(...packages[step]);
      const found = [...new Set(loaded.map(packageOf))].sort();
      console.log(`${file} loads ${found.join(', ')}`);
      if (found.join() !== expected.sort().join()) problems.push(`${file}: expected ${expected.join(', ')}`);
      const ofDisk = own.map((path) => basename(path)).filter((name) => name.startsWith('persistence.'));
      const wanted = step === 'persist' ? diskCode : '';
      if (ofDisk.join() !== wanted)
        problems.push(`${file}: expected \`${wanted}\`, got \`${ofDisk.join()}\``);
    }
    const file = `modules.${extension}`;
    writeFileSync(join(folder, file), `${head}\nconsole.log(process.moduleLoadList.join());`);
    const modules = run(process.execPath, [file], { cwd: folder }).trim().split(',');
    const heavy = heavyModules.filter((name) => modules.includes(`NativeModule ${name}`));
    if (heavy.length > 0) problems.push(`${file}: expected not to load ${heavy.join(', ')} of Node`);
  }
  for (const [what, budget] of Object.entries(budgets)) {
    console.log(`${what}: ${measured[what]} of ${budget}`);
    if (!(measured[what] <= budget))
      problems.push(`${what}: expected at most ${budget}, got ${measured[what]}`);
  }
  if (problems.length > 0) throw new Error(`The package has grown:\n  ${problems.join('\n  ')}`);
});

/** The files of packages that a program loads, as V8 reports them. */
function filesLoadedBy(folder, file) {
  const reports = join(folder, `${file}-coverage`);
  mkdirSync(reports);
  run(process.execPath, [file], { cwd: folder, env: { ...process.env, NODE_V8_COVERAGE: reports } });
  const scripts = readdirSync(reports).flatMap(
    (report) => JSON.parse(readFileSync(join(reports, report), 'utf8')).result,
  );
  const paths = scripts.flatMap(({ url }) => (url.startsWith('file:') ? fileURLToPath(url) : []));
  return [...new Set(paths)].filter((path) => path.includes('node_modules'));
}

function packageOf(path) {
  const [, name] = /.*[\\/]node_modules[\\/]([^\\/]+)/.exec(path);
  return name;
}

function sizeOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}

function tarballIn(folder) {
  return readdirSync(folder).find((name) => name.endsWith('.tgz'));
}
