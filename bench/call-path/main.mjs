/**
 * Counts the files and function calls of ours that one call passes: a wrapped hit, a miss, a lookup on disk.
 *
 *     npm run bench:call-path
 *     npm run bench:call-path -- --list    # and each function, with how often it is called
 *
 * It fails where they are more than the aims below.
 *
 * The sources are compiled file by file, so that V8's precise coverage tells the files apart. The counts are exact and
 * the same on every machine: they measure how far a reader has to walk, not time.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
mkdirSync(join(root, 'bench/dist'), { recursive: true });
// Inside the project, so that the dependencies are found.
const compiled = mkdtempSync(join(root, 'bench/dist/call-path-'));
const folder = mkdtempSync(join(tmpdir(), 'call-path-'));
try {
  await compile();
  await measure();
} finally {
  rmSync(compiled, { recursive: true });
  rmSync(folder, { recursive: true });
}

async function compile() {
  const files = await readdir(join(root, 'src'), { recursive: true });
  const entryPoints = files.filter((file) => file.endsWith('.ts') && !file.startsWith('cli'));
  await build({
    absWorkingDir: join(root, 'src'),
    entryPoints,
    outdir: compiled,
    target: 'node20',
    format: 'esm',
  });
}

async function measure() {
  const { CacheManager } = await import(pathToFileURL(join(compiled, 'index.js')).href);
  const options = { persist: true, persistDir: folder };
  const params = (id) => ({ query: 'mvcc', id });
  const tool = async ({ id }) => ({ id, rows: ['a', 'b'] });

  const writer = await CacheManager.open(options);
  for (let id = 0; id < 50; id++) await writer.set('search', params(id), await tool(params(id)));
  await writer.close();

  const memory = new CacheManager();
  const search = memory.wrap(tool, { name: 'search' });
  // Three times: arguments are taken into the index at their second use.
  for (let use = 0; use < 3; use++) for (let id = 0; id < 50; id++) await search(params(id));
  await report('wrapped hit', 70, () => search(params(7)));
  await report('wrapped miss', 160, (time) => search(params(1000 + time)));
  await memory.close();

  const reader = await CacheManager.open(options);
  for (let id = 0; id < 5; id++) await reader.get('search', params(id));
  await report('lookup on disk', 240, (time) => reader.get('search', params(30 + time)));
  await reader.close();
}

/** Runs `work`, warm, and prints the calls of our functions it made; more than `most` are a failure. */
async function report(name, most, work) {
  // The fewest: on a busy machine a timer fires meanwhile.
  let fewest = await countCalls(work, 0);
  for (let time = 1; time < 5; time++) {
    const again = await countCalls(work, time);
    if (again.calls < fewest.calls) fewest = again;
  }
  const { files, called, calls } = fewest;
  console.log(`${name}: ${calls} calls of ${called.length} functions in ${files.length} files`);
  if (calls > most) {
    console.error(`Expected at most ${most} calls of a ${name}: \`-- --list\` names them`);
    process.exitCode = 1;
  }
  if (!process.argv.includes('--list')) return;
  for (const file of files) {
    const counts = file.called.map(
      ({ functionName, ranges }) => `${functionName || '(unnamed)'} ${ranges[0].count}`,
    );
    console.log(`  ${file.url.slice(pathToFileURL(compiled).href.length + 1)}: ${counts.join(', ')}`);
  }
}

async function countCalls(work, time) {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await session.post('Profiler.takePreciseCoverage'); // resets the counts
  await work(time);
  const { result } = await session.post('Profiler.takePreciseCoverage');
  await session.post('Profiler.stopPreciseCoverage');
  session.disconnect();
  const ours = result.filter(({ url }) => url.startsWith(pathToFileURL(compiled).href));
  const files = ours
    .map(({ url, functions }) => ({ url, called: functions.filter(({ ranges }) => ranges[0].count > 0) }))
    .filter(({ called }) => called.length > 0);
  const called = files.flatMap((file) => file.called);
  return { files, called, calls: called.reduce((sum, { ranges }) => sum + ranges[0].count, 0) };
}
