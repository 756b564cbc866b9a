/** Packs the package, installs it into an empty folder, and uses it there as a stranger would: ESM, CJS, the CLI. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import typescript from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'toolstash-package-'));
const run = (command, args, cwd = folder) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

try {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true }));
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', join(folder, filename)]);

  const use = `
    const cache = new CacheManager({ maxSize: 10, ttl: '5m' });
    const key = hashKey('search', { query: 'mvcc' });
    const call = () => cache.getOrSet('search', { query: 'mvcc' }, async () => ['hit']);
    Promise.all([call(), call(), call()]).then(([first]) => {
      const { loads, coalesced } = cache.stats();
      if (first[0] !== 'hit' || loads !== 1 || coalesced !== 2 || key.length !== 32) throw new Error('wrong');
      if (storeContract('lru').length === 0 || typeof FakeClock !== 'function') throw new Error('testing');
      console.log('ok');
    });`;
  const names = { toolstash: 'CacheManager, hashKey', 'toolstash/testing': 'FakeClock, storeContract' };
  const imports = Object.entries(names);
  const esm = imports.map(([path, what]) => `import { ${what} } from '${path}';`).join('\n') + use;
  const cjs = imports.map(([path, what]) => `const { ${what} } = require('${path}');`).join('\n') + use;
  writeFileSync(join(folder, 'esm.mjs'), esm);
  writeFileSync(join(folder, 'cjs.cjs'), cjs);
  for (const file of ['esm.mjs', 'cjs.cjs']) {
    if (run(process.execPath, [file]).trim() !== 'ok') throw new Error(`${file} did not run`);
    console.log(`${file}: the packed package works`);
  }

  const examples = join(folder, 'node_modules', 'toolstash', 'examples');
  const exampleNames = readdirSync(examples).filter((name) => name.endsWith('.ts'));
  mkdirSync(join(folder, 'examples'));
  const target = typescript.ScriptTarget.ES2022;
  for (const name of exampleNames) {
    const text = readFileSync(join(examples, name), 'utf8');
    for (const [module, extension] of [
      [typescript.ModuleKind.ESNext, 'mjs'],
      [typescript.ModuleKind.CommonJS, 'cjs'],
    ]) {
      const { outputText } = typescript.transpileModule(text, { compilerOptions: { module, target } });
      const file = join(folder, 'examples', name.replace(/\.ts$/, `.${extension}`));
      writeFileSync(file, outputText);
      run(process.execPath, [file]);
    }
    console.log(`examples/${name}: runs as ESM and CJS`);
  }

  const bin = join(folder, 'node_modules', '.bin', 'toolstash');
  const report = JSON.parse(run(bin, ['replay', '--json']));
  if (report.wrong !== 0 || !(report.hits + report.coalesced > 0)) throw new Error('replay went wrong');
  console.log(
    `toolstash replay: ${report.calls} calls, ${report.hits + report.coalesced} from the cache, 0 wrong`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
