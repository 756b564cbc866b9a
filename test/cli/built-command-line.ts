/** The command line as it is published: built, and run in processes of its own. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from 'proper-lockfile';
import { build } from 'tsup';
import { cli } from '../../tsup.config.js';

/** The repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BuiltCommandLine {
  /** Where it lies, and where its processes run. */
  readonly folder: string;
  /** Its entry. */
  readonly script: string;
  /** Runs it; the environment has neither colours forced nor a terminal. */
  run(args: readonly string[], input?: string): Promise<Run>;
  remove(): Promise<void>;
}

/** Within node_modules, so that the built file finds the packages that are not bundled and nothing else sees it. */
const cacheFolder = join(root, 'node_modules/.cache');

/** In a folder of its own. */
export async function buildCommandLine(): Promise<BuiltCommandLine> {
  await mkdir(cacheFolder, { recursive: true });
  const folder = await mkdtemp(join(cacheFolder, 'toolstash-cli-'));
  await cp(await builtOnce(), folder, { recursive: true });
  const script = join(folder, 'cli.js');
  return {
    folder,
    script,
    async run(args, input) {
      const { FORCE_COLOR: _, ...env } = process.env;
      const child = spawn(process.execPath, [script, ...args], { cwd: folder, env });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      // A command that complains early closes its input.
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
      return { exitCode, stdout, stderr };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Where it was built from the sources as they are: by the first test file that asks for it, in whatever process. */
async function builtOnce(): Promise<string> {
  const prefix = 'toolstash-built-';
  const built = join(cacheFolder, prefix + (await hashOfSources()));
  const release = await lock(cacheFolder, {
    lockfilePath: join(cacheFolder, `${prefix}lock`),
    retries: { retries: 600, factor: 1, minTimeout: 200 },
    ...{ stale: 60_000, update: 5_000 },
  });
  try {
    if (existsSync(built)) return built;
    for (const name of await readdir(cacheFolder))
      if (name.startsWith(prefix) && !name.endsWith('lock'))
        await rm(join(cacheFolder, name), { recursive: true, force: true });
    const outDir = await mkdtemp(join(cacheFolder, 'toolstash-building-'));
    await build({ ...cli, config: false, clean: false, silent: true, outDir });
    await rename(outDir, built);
    return built;
  } finally {
    await release();
  }
}

async function hashOfSources(): Promise<string> {
  const sources = await readdir(join(root, 'src'), { recursive: true, withFileTypes: true });
  const settings = ['tsup.config.ts', 'tsup.quick-import.ts', 'package.json', 'package-lock.json'];
  const files = sources.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const hash = createHash('md5');
  for (const file of [...files.sort(), ...settings.map((name) => join(root, name))])
    hash.update(`${file}\n`).update(await readFile(file));
  return hash.digest('hex');
}
