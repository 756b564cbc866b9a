/** The command line from its sources, run in the process of its tests, which spares each call the start of one. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { runProgram } from '../../src/cli/program.js';
import { inForm } from '../helper/form.js';
import { type BuiltCommandLine, buildCommandLine, root } from './built-command-line.js';

/** A command line, and the folder in which it runs. */
export type CommandLine = Omit<BuiltCommandLine, 'script'>;

/** As it is published, in processes of its own, in the long form; else in this process. */
export const openCommandLine: () => Promise<CommandLine> = inForm({
  short: commandLineHere,
  long: buildCommandLine,
});

/** This process works in its folder until it is removed. */
async function commandLineHere(): Promise<CommandLine> {
  const parent = join(root, 'node_modules/.cache');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'toolstash-here-'));
  await writeFile(join(folder, 'cli.js'), '');
  const before = process.cwd();
  process.chdir(folder);
  // A process of its own would not have it either.
  delete process.env['FORCE_COLOR'];
  return {
    folder,
    async run(args, input = '') {
      const stdout = new Collector();
      const stderr = new Collector();
      const stdin = Object.getOwnPropertyDescriptor(process, 'stdin')!;
      Object.defineProperty(process, 'stdin', {
        value: Readable.from([Buffer.from(input)]),
        configurable: true,
      });
      try {
        const exitCode = await runProgram(args, { stdout: stdout.asTerminal(), stderr: stderr.asTerminal() });
        return { exitCode, stdout: stdout.text, stderr: stderr.text };
      } finally {
        Object.defineProperty(process, 'stdin', stdin);
      }
    },
    async remove() {
      process.chdir(before);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Keeps what is written to it. */
class Collector extends Writable {
  readonly #chunks: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  /** Commands ask their streams whether they are terminals, and nothing else beyond what all streams have. */
  asTerminal(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#chunks.push(chunk);
    callback();
  }
}
