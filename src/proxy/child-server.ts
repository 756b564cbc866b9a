/** A server that is a child process, with all processes that it has started: none outlives it, nor this one. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLines } from './lines.js';

/** A program, and how it is started. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** @default that of this process */
  readonly cwd?: string | undefined;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** What a child tells. */
export interface ChildListener {
  onLine(line: string): void;
  /** It has ended, and all that it wrote was read. */
  onEnd(reason: string): void;
}

/** How long a child has to end by itself, and again once it was told to by SIGTERM, in ms. */
const gracePeriod = 2_000;

/** Process groups that are there. */
const groups = new Set<number>();
/** Windows has none. */
const hasGroups = process.platform !== 'win32';

/** Ends all of them at once, for a process that ends without its `exit`. */
export function killServers(): void {
  for (const pid of groups) kill(pid, 'SIGKILL');
}

process.on('exit', killServers);

/** A child process. */
export class ChildServer {
  readonly #pid: number | undefined;
  readonly #stdin: Writable;
  readonly #stdout: Readable;
  /** What all who send wait for while it doesn't read. */
  #room: Promise<void> | undefined;
  readonly #ended: Promise<unknown>;
  #reason: string | undefined;

  constructor({ command, args, cwd, env }: Program, { onLine, onEnd }: ChildListener) {
    const child: ChildProcess = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
      // In a group of its own: what it has started ends with it.
      detached: hasGroups,
      windowsHide: true,
    });
    const { pid } = child;
    this.#pid = pid;
    // Where there are too many open files it has neither, and its error comes next.
    this.#stdin = child.stdin ?? new PassThrough();
    this.#stdout = child.stdout ?? Readable.from([]);
    if (pid !== undefined) groups.add(pid);
    const gone = new Promise<void>((resolve) => {
      child.on('error', ({ message }) => {
        this.#reason ??= message;
        if (pid === undefined) resolve();
      });
      child.on('exit', (code, signal) => {
        this.#reason ??= signal === null ? `exit code ${code}` : `signal ${signal}`;
        // What is left of it would hold the pipe.
        if (pid !== undefined) kill(pid, 'SIGKILL');
        if (pid !== undefined) groups.delete(pid);
        resolve();
      });
    });
    // It ends anyway, and that is told, or it reads no more and is of no use.
    this.#stdin.on('error', () => void this.#end());
    const read = new Promise<void>((resolve) => {
      readLines(this.#stdout, {
        onLine,
        onEnd: (error) => {
          if (error !== undefined) this.#reason ??= error.message;
          resolve();
          // Without its output it is of no use.
          if (pid !== undefined && this.#reason === undefined) void this.close();
          else if (pid !== undefined && error !== undefined) kill(pid, 'SIGKILL');
        },
      });
    });
    // Who has left the group may hold the pipe for ever.
    const readOrLate = gone.then(() => Promise.race([read, sleep(gracePeriod, undefined, { ref: false })]));
    this.#ended = readOrLate.then(() => onEnd(this.#reason ?? 'unknown'));
  }

  /** Sends a line. */
  write(line: string): void {
    this.#stdin.write(`${line}\n`);
  }

  /** Resolves once it has read what was sent; `undefined`: there is room. */
  room(): Promise<void> | undefined {
    if (!this.#stdin.writableNeedDrain) return undefined;
    // One that ends before it has read leaves an error in the place of the event.
    const drained = () => once(this.#stdin, 'drain').catch(() => {});
    this.#room ??= Promise.race([drained(), this.#ended]).then(() => {
      this.#room = undefined;
    });
    return this.#room;
  }

  hold(isHeld: boolean): void {
    if (isHeld) this.#stdout.pause();
    else this.#stdout.resume();
  }

  /** Closes its input, then asks it to end, then ends it. */
  async close(): Promise<void> {
    this.#stdin.end();
    this.#stdout.resume();
    await this.#end();
  }

  async #end(): Promise<void> {
    const pid = this.#pid;
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await Promise.race([this.#ended, sleep(gracePeriod, undefined, { ref: false })]);
      if (pid === undefined || !groups.has(pid)) break;
      kill(pid, signal);
    }
    await this.#ended;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(hasGroups ? -pid : pid, signal);
  } catch (error) {
    // Nobody is left.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') process.emitWarning(error as Error);
  }
}
