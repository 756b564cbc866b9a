/** Processes on one folder, for tests of what they share. */

import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { CacheOptions } from '../../../src/index.js';
import { buildScript, Child, type ChildInit, type Mutation, wait } from '../../helper/child-process.js';
import type { FlightOrder } from './process.js';

/** Builds what the processes run, with a planted fault if one is given. */
export function buildProcess(work: string, mutation?: Mutation): Promise<string> {
  const entry = fileURLToPath(new URL('process.ts', import.meta.url));
  return buildScript(entry, join(work, mutation === undefined ? 'built' : `mutant-${built++}`), mutation);
}

let built = 0;

/** A process with a cache. */
export class Member {
  readonly child: Child;
  readonly name: string;

  constructor(name: string, init: ChildInit) {
    this.name = name;
    this.child = new Child(init);
  }

  async obey(...order: FlightOrder): Promise<unknown> {
    const done = this.child.next('done');
    this.child.send(JSON.stringify(order));
    return (await done)[1];
  }

  /** What the call of this number for a key was answered, once it is. */
  async answer(key: number, number = 1): Promise<unknown> {
    const answered = () => this.child.of('answered').filter(([, of]) => of === key);
    while (answered().length < number) await this.child.next('answered');
    return answered()[number - 1]![2];
  }

  async close(): Promise<void> {
    this.child.send(JSON.stringify(['close']));
    await this.child.ended;
  }
}

/** Some processes on a folder of their own. */
export interface Crew {
  readonly folder: string;
  readonly members: readonly Member[];
  /** Who has run the tool for a key, one name per run. */
  runs(key: number): string[];
  errors(): unknown[];
  /** The files of flights there are. */
  flights(): string[];
  close(): Promise<void>;
}

export async function startCrew(init: {
  readonly work: string;
  readonly script: string;
  readonly count: number;
  readonly options?: CacheOptions;
  readonly folder?: string;
  /** How a process is started besides. */
  readonly settings?: (number: number) => Partial<ChildInit>;
}): Promise<Crew> {
  const { work, script, count, options = {}, settings = () => ({}) } = init;
  const folder = init.folder ?? mkdtempSync(join(work, 'cache-'));
  const members = Array.from({ length: count }, (_, number) => {
    const name = `p${number}`;
    return new Member(name, {
      ...settings(number),
      script,
      args: [folder, name, JSON.stringify(options)],
    });
  });
  await Promise.all(members.map(({ child }) => child.next('ready')));
  return {
    folder,
    members,
    runs: (key) =>
      members.flatMap(({ child }) =>
        child.of('ran').flatMap(([, of, who]) => (of === key ? [String(who)] : [])),
      ),
    errors: () => members.flatMap(({ child }) => child.of('error')),
    flights: () => {
      const path = join(folder, '.flights');
      try {
        return readdirSync(path);
      } catch {
        return [];
      }
    },
    close: async () => {
      await Promise.all(members.map((member) => member.close()));
    },
  };
}

/** Waits until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await wait(5);
}

/** Has a process call a tool that waits for the test, and returns once it runs. */
export async function hold(crew: Crew, member: number, key: number, how = {}): Promise<void> {
  const before = crew.runs(key).length;
  await crew.members[member]!.obey('call', key, how);
  await until(() => crew.runs(key).length > before);
}

/** Ends all of them: nothing has failed, and nothing is left. */
export async function expectQuiet(crew: Crew): Promise<void> {
  expect(crew.errors()).toEqual([]);
  await crew.close();
  expect(crew.flights()).toEqual([]);
}
