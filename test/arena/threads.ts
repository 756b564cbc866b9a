/** Threads that share an arena, for tests. */

import { on } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { SharedArena } from '../../src/arena/shared-arena.js';
import type { ThreadTask } from './thread.js';

/** A program of this folder, bundled. */
export async function bundle(name: string): Promise<{ readonly file: string; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'toolstash-arena-'));
  const file = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`./${name}.ts`, import.meta.url))],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // Some libraries are CommonJS.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A worker thread. What it fails with fails who waits for a message. */
export class TestThread {
  readonly worker: Worker;
  readonly #messages: AsyncIterator<[unknown]>;

  constructor(file: string, arena: SharedArena, task: Omit<ThreadTask, 'handle'>) {
    const handle = arena.share();
    this.worker = new Worker(file, { workerData: { ...task, handle }, transferList: [handle.port] });
    // All are kept from the first on: several may come at once.
    this.#messages = on(this.worker, 'message') as AsyncIterator<[unknown]>;
  }

  async message(): Promise<unknown> {
    return (await this.#messages.next()).value[0];
  }

  /** Ends it, and waits until others have heard of it. */
  async terminate(): Promise<void> {
    await this.worker.terminate();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
