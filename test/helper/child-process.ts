/** Child processes of tests: built from TypeScript, they tell their parent what they do, one line of JSON at a time. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

/** What a child tells: its kind first. */
export type Message = [kind: string, ...rest: unknown[]];

/** A planted fault: text of a source that a script is built with. */
export interface Mutation {
  /** The end of the source's path. */
  readonly file: string;
  readonly from: RegExp;
  readonly to: string;
}

/** What is run. */
export interface ChildInit {
  /** A built script. */
  readonly script: string;
  readonly args: readonly string[];
  /** Arguments of Node itself. */
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A folder for the scripts and caches of a test file. */
export function makeWorkFolder(name: string): string {
  const work = mkdtempSync(join(tmpdir(), `toolstash-${name}-`));
  // What is built refers to packages.
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(work, 'node_modules'));
  return work;
}

/** Builds a script below the work folder and tells where it is. */
export async function buildScript(entry: string, outDir: string, mutation?: Mutation): Promise<string> {
  let isMutated = false;
  await build({
    entry: [entry],
    outDir,
    format: 'esm',
    target: 'node20',
    config: false,
    silent: true,
    dts: false,
    esbuildPlugins: [
      {
        name: 'mutation',
        setup(builder) {
          if (mutation === undefined) return;
          builder.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            if (!path.endsWith(mutation.file)) return undefined;
            const source = readFileSync(path, 'utf8');
            const contents = source.replace(mutation.from, mutation.to);
            isMutated ||= contents !== source;
            return { contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  if (mutation !== undefined && !isMutated) {
    throw new Error(`Expected ${mutation.file} to hold ${mutation.from}: plant the fault anew`);
  }
  return join(outDir, basename(entry).replace(/\.ts$/, '.js'));
}

export const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const running = new Set<Child>();

/** Kills what a failed test has left running. */
export async function killChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.kill().catch(() => undefined)));
}

/** A process, and what it has told. */
export class Child {
  readonly messages: Message[] = [];
  /** Resolves when it was killed or ended well; rejects with what it complained of otherwise. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  readonly #listeners: { kind: string; hear: (message: Message) => void }[] = [];
  #text = '';
  #complaints = '';

  constructor({ script, args, nodeArgs = [], env = {} }: ChildInit) {
    this.#process = spawn(process.execPath, [...nodeArgs, script, ...args], {
      env: { ...process.env, ...env },
    });
    this.#process.stdout?.on('data', (bytes) => this.#hear(String(bytes)));
    this.#process.stderr?.on('data', (bytes) => {
      this.#complaints += String(bytes);
    });
    // Whoever writes to a dead child hears of its death by `ended`.
    this.#process.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('close', (code, signal) => {
        running.delete(this);
        if (signal === 'SIGKILL' || code === 0) resolve();
        else reject(new Error(`A child ended by itself: ${this.#complaints}`));
      });
    });
    this.ended.catch(() => undefined);
    running.add(this);
  }

  of(kind: string): Message[] {
    return this.messages.filter(([name]) => name === kind);
  }

  /** Calls back for every message of a kind from now on. */
  on(kind: string, hear: (message: Message) => void): void {
    this.#listeners.push({ kind, hear });
  }

  /** The next message of a kind. */
  next(kind: string): Promise<Message> {
    const told = new Promise<Message>((resolve) => this.on(kind, resolve));
    const failed = this.ended.then(() => Promise.reject(new Error(`A child ended before it told ${kind}`)));
    return Promise.race([told, failed]);
  }

  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  stop(): void {
    this.#process.kill('SIGSTOP');
  }

  /** Lets a stopped process go on; one that is about to stop itself is waited for. */
  async resume(): Promise<void> {
    for (let tries = 0; tries < 400 && !this.#isStopped; tries += 1) await wait(5);
    this.#process.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    // A stopped process dies of it too.
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  get #isStopped(): boolean {
    try {
      const state = /^\d+ \(.*\) (\S)/s.exec(readFileSync(`/proc/${this.#process.pid}/stat`, 'latin1'))?.[1];
      return state === 'T';
    } catch {
      // It has ended, or this system does not tell: then the longest wait has to do.
      return false;
    }
  }

  #hear(text: string): void {
    this.#text += text;
    const lines = this.#text.split('\n');
    // A line that a kill has cut off was not told.
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as Message;
      this.messages.push(message);
      for (const { kind, hear } of [...this.#listeners]) if (kind === message[0]) hear(message);
    }
  }
}
