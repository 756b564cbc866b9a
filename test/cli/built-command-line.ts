/** The command line as it is published: built, and run in processes of its own. */

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
export async function buildCommandLine(): Promise<BuiltCommandLine> {
  const parent = join(root, 'node_modules/.cache');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'toolstash-cli-'));
  await build({ ...cli, config: false, clean: false, silent: true, outDir: folder });
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
