/** Cold import: the CPU time that a fresh process takes to load a library, beside that of one that loads nothing. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { named, printTable } from '../report.js';
import { median, type Runner, ratioTo, runRounds, type Samples } from '../rounds.js';
import type { BenchOptions } from './calls.js';

/** What a program does with a library, given what loads it: `await import('…')` or `require('…')`. */
interface Program {
  readonly name: string;
  readonly library: string;
  /** Statements on the loaded `library`; each program fails where it is not what it should be. */
  readonly use: string;
}

const hasExport = (name: string) => `if (typeof library.${name} !== 'function') throw new Error('${name}');`;
const firstHit = (options: string) => `
  const cache = new library.CacheManager(${options});
  const load = async () => ({ found: [1, 2, 3] });
  await cache.getOrSet('search', { query: 'a' }, load);
  const { found } = await cache.getOrSet('search', { query: 'a' }, load);
  if (found.length !== 3 || cache.stats().hits !== 1) throw new Error('Wrong answer');
  await cache.close();`;

const programs: readonly Program[] = [
  { name: 'lru-cache', library: 'lru-cache', use: hasExport('LRUCache') },
  { name: 'toolstash', library: 'toolstash', use: hasExport('CacheManager') },
  { name: 'keyv', library: 'keyv', use: hasExport('Keyv') },
  { name: 'cacheable', library: 'cacheable', use: hasExport('Cacheable') },
  { name: 'cache-manager', library: 'cache-manager', use: hasExport('createCache') },
  { name: 'bentocache', library: 'bentocache', use: hasExport('BentoCache') },
  { name: 'toolstash, first cache, first hit', library: 'toolstash', use: firstHit('{}') },
  {
    name: 'the same with `persist: true`',
    library: 'toolstash',
    use: firstHit(`{ persist: true, persistDir: './entries-' + process.pid }`),
  },
];
const nothing = 'nothing';
const baseline = 'lru-cache';
const formats = { ESM: 'mjs', CommonJS: 'cjs' } as const;

/** Times each program in processes of its own, by turns, as ES modules and as CommonJS. */
export async function benchImports({ isQuick, random }: BenchOptions): Promise<void> {
  const folder = installed();
  try {
    for (const [format, extension] of Object.entries(formats)) {
      const runners = [{ name: nothing, library: '', use: '' }, ...programs].map((program) =>
        runnerOf(program, folder, extension),
      );
      const samples = await runRounds({ runners, rounds: isQuick ? 5 : 41, warmUps: 1, random });
      const empty = named(samples, nothing);
      const loaded = samples.filter(({ name }) => name !== nothing).map((each) => less(each, empty));
      const first = named(loaded, baseline);
      printTable({
        title: `Cold import, ${format}`,
        note: 'CPU of a process, all of its threads, less that of a process which loads nothing',
        head: ['what is loaded', 'ms', `× ${baseline}`],
        rows: loaded.map((each) => [
          each.name,
          (median(each.nanoseconds) / 1e6).toFixed(1),
          ratioTo(first, each).toFixed(2),
        ]),
      });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder where programs find the peers and the library as it was built. */
function installed(): string {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  if (!existsSync(join(root, 'dist', 'index.js'))) {
    throw new Error('Expected the library to be built: run `npm run build` before `npm run bench`');
  }
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-imports-'));
  mkdirSync(join(folder, 'node_modules'));
  for (const library of new Set(programs.map((program) => program.library))) {
    const target = library === 'toolstash' ? root : join(root, 'bench', 'node_modules', library);
    symlinkSync(target, join(folder, 'node_modules', library));
  }
  return folder;
}

function runnerOf({ name, library, use }: Program, folder: string, extension: string): Runner {
  const file = join(folder, `${name.replace(/\W+/g, '-')}.${extension}`);
  const load =
    library === '' ? '' : extension === 'mjs' ? `await import('${library}')` : `require('${library}')`;
  writeFileSync(
    file,
    `process.on('exit', () => {
       const { userCPUTime, systemCPUTime } = process.resourceUsage();
       console.log(userCPUTime + systemCPUTime);
     });
     const main = async () => { ${load && `const library = ${load};`} ${use} };
     main().catch((error) => { console.error(error); process.exitCode = 1; });`,
  );
  return {
    name,
    run: () => Number(execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' })) * 1000,
  };
}

/** What was taken on top of an empty process of the same round. */
function less(samples: Samples, empty: Samples): Samples {
  return {
    name: samples.name,
    nanoseconds: samples.nanoseconds.map((each, round) => each - (empty.nanoseconds[round] ?? Number.NaN)),
  };
}
