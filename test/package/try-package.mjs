/** Packs the package, installs it into an empty folder, and uses it there as a stranger would: ESM, CJS, the CLI. */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import typescript from 'typescript';
import { install, run as runAnywhere, withConsumer } from './consumer.mjs';

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const ofOurs = (name) => `${name}@${devDependencies[name]}`;

// With the one peer that its subpath asks for as it is imported.
await withConsumer([ofOurs('http-cache-semantics')], (folder) => {
  const run = (command, args) => runAnywhere(command, args, { cwd: folder });
  const use = `
    const cache = new CacheManager({ maxSize: 10, ttl: '5m' });
    const key = hashKey('search', { query: 'mvcc' });
    const call = () => cache.getOrSet('search', { query: 'mvcc' }, async () => ['hit']);
    Promise.all([call(), call(), call()]).then(([first]) => {
      const { loads, coalesced } = cache.stats();
      if (first[0] !== 'hit' || loads !== 1 || coalesced !== 2 || key.length !== 32) throw new Error('wrong');
      if (storeContract('lru').length === 0 || typeof FakeClock !== 'function') throw new Error('testing');
      if (new Keyv5Adapter(cache).opts.dialect !== 'toolstash') throw new Error('keyv');
      const client = { callTool() {}, listTools() {}, request() {}, getServerVersion() {} };
      if (!('callTool' in cacheClient(client, cache, {}))) throw new Error('mcp');
      if (cacheMiddleware(cache, {}, { ToolMessage: Object }).wrapToolCall === undefined) throw new Error('langchain');
      if (typeof prometheusMetrics !== 'function') throw new Error('metrics');
      if (typeof responseCache({ cache }).fetch !== 'function') throw new Error('http');
      if (typeof cacheAside({ cache, method: 'm', load: async () => 1 }).get !== 'function') throw new Error('source');
      if (typeof redis().connect !== 'function') throw new Error('redis');
      if (typeof SessionRegistry.open !== 'function') throw new Error('session');
      if (typeof Rollout !== 'function') throw new Error('rollout');
      if (recording({ dir: 'tape' }).mode !== 'live') throw new Error('recording');
      onAnswer(cache, () => undefined)();
      console.log('ok');
    });`;
  const names = {
    toolstash: 'CacheManager, hashKey',
    'toolstash/testing': 'FakeClock, storeContract',
    'toolstash/keyv': 'Keyv5Adapter',
    'toolstash/mcp': 'cacheClient',
    'toolstash/langchain': 'cacheMiddleware',
    'toolstash/redis': 'redis',
    'toolstash/http': 'responseCache',
    'toolstash/session': 'SessionRegistry',
    'toolstash/metrics': 'prometheusMetrics',
    'toolstash/rollout': 'Rollout',
    'toolstash/source': 'cacheAside',
    'toolstash/recording': 'recording',
    'toolstash/trust': 'onAnswer',
    'toolstash/dashboard': 'dashboard',
    'toolstash/arena': 'arena, attach',
  };
  const imports = Object.entries(names);
  const esm = imports.map(([path, what]) => `import { ${what} } from '${path}';`).join('\n') + use;
  const cjs = imports.map(([path, what]) => `const { ${what} } = require('${path}');`).join('\n') + use;
  writeFileSync(join(folder, 'esm.mjs'), esm);
  writeFileSync(join(folder, 'cjs.cjs'), cjs);
  // Nothing that changes how a process exits is loaded before a folder is claimed.
  const untouched = `
    if (process.__signal_exit_emitter__ !== undefined) throw new Error('signal-exit is loaded');
    CacheManager.open({ persist: true, persistDir: 'claimed' })
      .then(async (cache) => {
        if (process.__signal_exit_emitter__ === undefined) throw new Error('where is signal-exit?');
        await cache.close();
      })`;
  writeFileSync(join(folder, 'esm-exit.mjs'), `import { CacheManager } from 'toolstash';${untouched}`);
  writeFileSync(join(folder, 'cjs-exit.cjs'), `const { CacheManager } = require('toolstash');${untouched}`);
  for (const file of ['esm-exit.mjs', 'cjs-exit.cjs']) run(process.execPath, [file]);
  for (const file of ['esm.mjs', 'cjs.cjs']) {
    if (run(process.execPath, [file]).trim() !== 'ok') throw new Error(`${file} did not run`);
    console.log(`${file}: the packed package works`);
  }

  // What is set is written also by a process that exits in the turn in which it made its cache.
  for (const [file, head] of [
    ['same-turn.mjs', "import { CacheManager } from 'toolstash';"],
    ['same-turn.cjs', "const { CacheManager } = require('toolstash');"],
  ]) {
    const use = `void new CacheManager({ persist: true, persistDir: '${file}-kept' }).set('search', 'otters', 2);`;
    writeFileSync(join(folder, file), `${head}\n${use}\nprocess.exit();`);
    run(process.execPath, [file]);
    const kept = readdirSync(join(folder, `${file}-kept`), { recursive: true, encoding: 'utf8' });
    if (!kept.some((path) => path.endsWith('.cache'))) throw new Error(`${file}: nothing was written`);
  }

  // A loader, and what the examples work with.
  install(folder, [
    'tsx@4.23.15',
    ...[
      'node-sqlite3-wasm',
      'keyv',
      'prom-client',
      '@opentelemetry/api',
      '@modelcontextprotocol/client',
      '@modelcontextprotocol/server',
      'zod',
    ].map(ofOurs),
  ]);

  // The loader compiles what is required: errors of the disk tier are of the classes that the package exports.
  writeFileSync(
    join(folder, 'loader.ts'),
    `import { CacheManager, CacheError } from 'toolstash';
     const open = () => CacheManager.open({ persist: true, persistDir: 'loader-kept' });
     open().then(async (cache) => {
       const taken = await open().catch((error) => error);
       if (!(taken instanceof CacheError)) throw new Error('Another class of errors');
       await cache.close();
     });`,
  );
  run(process.execPath, ['--import', 'tsx', 'loader.ts']);

  // Each build finds what its exporters need in packages of other makes.
  const metrics = ['prometheusMetrics', 'openTelemetryMetrics', 'openTelemetrySpans'];
  const exported = `
    (async () => {
      const cache = new CacheManager();
      for (const exporter of [${metrics}]) (await exporter(cache)).stop();
    })();`;
  for (const [file, load] of [
    ['metrics.mjs', (names, from) => `import { ${names} } from '${from}';`],
    ['metrics.cjs', (names, from) => `const { ${names} } = require('${from}');`],
  ]) {
    const heads = [load('CacheManager', 'toolstash'), load(metrics, 'toolstash/metrics')];
    writeFileSync(join(folder, file), [...heads, exported].join('\n'));
    run(process.execPath, [file]);
  }

  const examples = join(folder, 'node_modules', 'toolstash', 'examples');
  // Those of frameworks are run beside them, in `test/frameworks`, and those with a server in `test/remote`.
  const exampleFiles = readdirSync(examples, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/^(?:agents|langchain|recording.suite|redis|sessions)\b/.test(file),
  );
  mkdirSync(join(folder, 'examples'));
  copyFileSync(join(examples, 'arena/worker.mjs'), join(folder, 'examples/worker.mjs'));
  // As its guide has it: the loader is not in worker threads of every Node.
  run(process.execPath, ['--import', 'tsx', join(examples, 'arena/threads.ts')]);
  const target = typescript.ScriptTarget.ES2022;
  for (const path of exampleFiles) {
    const text = readFileSync(join(examples, path), 'utf8');
    const name = basename(path);
    // CommonJS has no `await` outside of functions.
    const isEsmOnly = /^(?![\s/*]).*\bawait /m.test(text);
    for (const [module, extension] of [
      [typescript.ModuleKind.ESNext, 'mjs'],
      ...(isEsmOnly ? [] : [[typescript.ModuleKind.CommonJS, 'cjs']]),
    ]) {
      const { outputText } = typescript.transpileModule(text, { compilerOptions: { module, target } });
      const file = join(folder, 'examples', name.replace(/\.ts$/, `.${extension}`));
      writeFileSync(file, outputText);
      run(process.execPath, [file]);
    }
    console.log(`examples/${path}: runs as ESM${isEsmOnly ? '' : ' and CJS'}`);
  }

  const bin = join(folder, 'node_modules', '.bin', 'toolstash');
  const report = JSON.parse(run(bin, ['replay', '--json']));
  if (report.wrong !== 0 || !(report.hits + report.coalesced > 0)) throw new Error('replay went wrong');
  console.log(
    `toolstash replay: ${report.calls} calls, ${report.hits + report.coalesced} from the cache, 0 wrong`,
  );
});
