/** The machine's files for a process that stops itself at chosen steps, and for one that never looks at its path. */

import { writeSync } from 'node:fs';
import type { FileStatus, FileSystem } from '../../../src/persistence/file-system.js';

/** Before or after a call that changes something. */
export type Step =
  | `${'before' | 'after'} ${'append' | 'link' | 'unlink' | 'rename'}`
  | 'after create'
  | 'after sync';

/** Files that call `pause` around everything that changes them. */
export function pausingFiles(files: FileSystem, pause: (step: Step, path: string) => void): FileSystem {
  const around = async <T>(
    call: 'link' | 'unlink' | 'rename' | 'append',
    path: string,
    run: () => Promise<T>,
  ) => {
    pause(`before ${call}`, path);
    const result = await run();
    pause(`after ${call}`, path);
    return result;
  };
  return {
    ...files,
    async create(path, mode) {
      const file = await files.create(path, mode);
      if (path.endsWith('.tmp')) tell('temporary', path);
      pause('after create', path);
      return {
        read: (length, position, room) => file.read(length, position, room),
        append: (bytes) => around('append', path, () => file.append(bytes)),
        status: () => file.status(),
        async sync() {
          await file.sync();
          pause('after sync', path);
        },
        close: () => file.close(),
      };
    },
    link: (path, newPath) => around('link', path, () => files.link(path, newPath)),
    rename: (path, newPath) => around('rename', path, () => files.rename(path, newPath)),
    unlink: (path) => around('unlink', path, () => files.unlink(path)),
  };
}

/** Stops this process at the step of this number, and at every one that is as many further unless once is enough. */
export function stopAt(steps: number, again: 'once' | 'often'): (step: Step, path: string) => void {
  let left = steps;
  return (step, path) => {
    left -= 1;
    if (left > 0) return;
    left = again === 'often' ? steps : Number.POSITIVE_INFINITY;
    tell('stalled', step, path);
    process.kill(process.pid, 'SIGSTOP');
  };
}

/** The planted fault of an owner that takes its path to lead to its file for ever. */
export function blindFiles(files: FileSystem): FileSystem {
  const statuses = new Map<string, FileStatus>();
  return {
    ...files,
    async create(path, mode) {
      const file = await files.create(path, mode);
      statuses.set(path, await file.status());
      return file;
    },
    async status(path) {
      return statuses.get(path) ?? (await files.status(path));
    },
  };
}

function tell(...message: unknown[]): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
