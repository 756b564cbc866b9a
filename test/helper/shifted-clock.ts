/** Wall clocks that are off, for real processes: by libfaketime, or where that can't be had by a module loaded first. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ChildInit } from './child-process.js';
import { installPackages } from './debian-packages.js';

/** What a process is started with so that its clock is off. */
export type ClockSettings = Omit<ChildInit, 'script' | 'args'>;

/** A clock that any number of processes go by. */
export interface ShiftedClock {
  readonly settings: ClockSettings;
  /** Sets by how much it is off, in seconds; takes effect at once. */
  set(seconds: number): void;
}

/** How clocks are shifted. */
export interface ClockShifter {
  readonly name: string;
  readonly settings: (file: string) => ClockSettings;
}

/** Makes a clock whose shift is kept in a file of this folder. */
export function makeClock(
  shifter: ClockShifter,
  folder: string,
  name: string,
  seconds: number,
): ShiftedClock {
  const file = join(folder, `clock-${name}`);
  const set = (shift: number) => {
    // At once: a reader in between would find an empty file.
    writeFileSync(`${file}.new`, `${shift < 0 ? '' : '+'}${shift}s\n`);
    renameSync(`${file}.new`, file);
  };
  set(seconds);
  return { settings: shifter.settings(file), set };
}

/** Shifts the clock of everything in a process, but for the time that has elapsed and the times of files. */
export function findFaketime(): ClockShifter | string {
  const problem = findLibrary() === undefined ? installPackages(['libfaketime']) : undefined;
  const library = findLibrary();
  if (library === undefined) return problem ?? 'it is not there after installing libfaketime';
  const settings = (file: string) => ({
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
  });
  return { name: 'libfaketime', settings };
}

/** Shifts `Date` only. */
export const dateShifter: ClockShifter = {
  name: 'a module that shifts `Date`',
  settings: (file) => ({
    nodeArgs: ['--import', pathToFileURL(fileURLToPath(new URL('shifted-date.mjs', import.meta.url))).href],
    env: { SHIFTED_DATE_FILE: file },
  }),
};

/** The time of the wall that a process started like this sees. */
export function timeBy({ nodeArgs = [], env = {} }: ClockSettings): number {
  const run = spawnSync(process.execPath, [...nodeArgs, '-p', 'Date.now()'], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (run.status !== 0) throw new Error(`No time could be told: ${run.stderr}`);
  return Number(run.stdout);
}

function findLibrary(): string | undefined {
  const folders = [
    '/usr/lib',
    ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}`) : []),
  ];
  return folders
    .map((folder) => join(folder, 'faketime', 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
}
