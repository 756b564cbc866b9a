/** What `toolstash dashboard` knows of its folder, also where the folder can't be read. */

import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { folderFigures } from '../../src/dashboard/folder-figures.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
beforeAll(async () => {
  commandLine = await openCommandLine();
  await commandLine.run(['import', 'folder'], JSON.stringify({ method: 'search', params: 1, result: 1 }));
});
afterEach(() => vi.useRealTimers());
afterAll(() => commandLine.remove());

test('readings that fail are made again once they are old, and end nothing', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const [folder, away] = ['folder', 'away'].map((name) => join(commandLine.folder, name)) as [string, string];
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    const read = folderFigures(folder);
    const methods = async () => (await read()).map(({ method }) => method);
    await rename(folder, away);
    for (let reading = 0; reading < 2; reading += 1) {
      await expect(read()).rejects.toThrow();
      vi.advanceTimersByTime(11_000);
    }
    await rename(away, folder);
    expect(await methods()).toEqual(['search']);
    await rename(folder, away);
    for (let reading = 0; reading < 4; reading += 1) {
      vi.advanceTimersByTime(11_000);
      // Those that were known stay.
      expect(await methods()).toEqual(['search']);
    }
    await rename(away, folder);
    await setImmediate();
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
