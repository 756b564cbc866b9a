/** `toolstash dashboard`: the page of a cache folder, on this machine. */

import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Command, Option } from 'commander';
import { createDashboard } from '../../dashboard/dashboard.js';
import { folderFigures } from '../../dashboard/folder-figures.js';
import { CacheManager } from '../../index.js';
import { findPartitionFiles } from '../../persistence/offline/inspection.js';
import { plural, printable } from '../../report/format.js';
import type { CommandIo } from '../command-io.js';
import { watchInterruption } from '../interrupt.js';
import { wholeNumber } from '../option-value.js';
import { ErrorReport } from '../partitions/error-report.js';
import { assertFound, givenPaths, shownPath } from '../partitions/given-paths.js';
import { sumInFolder } from '../report/process-sum.js';
import { UsageError } from '../usage-error.js';

interface DashboardFlags {
  readonly port: number;
  readonly allowChanges: boolean;
}

/** The command with its flags. */
export function dashboardCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('dashboard')
    .description('Show a cache folder as a web page on this machine, until it is interrupted.')
    .argument('<dir>', 'the cache folder')
    .addOption(
      new Option('--port <number>', 'where the page is; 0 is any free port')
        .default(0, 'any')
        .argParser(wholeNumber('--port', 0, 65_535)),
    )
    .option(
      '--allow-changes',
      "let the page delete entries; the folder is opened in mode 'multi' then, and only read otherwise",
      false,
    )
    .helpOption('-h, --help', 'Show this help')
    .action(async (folder: string, flags: DashboardFlags) => exit(await showFolder(folder, flags, io)));
}

async function showFolder(
  given: string,
  flags: DashboardFlags,
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const [folder = '', ...others] = await givenPaths([given]);
  if (others.length > 0 || !(await stat(folder)).isDirectory())
    throw new UsageError(`Expected one cache folder, got ${printable(given)}: name it`);
  const errors = new ErrorReport();
  assertFound((await findPartitionFiles([folder], { onUnlisted: errors.note })).length, [given]);
  const interruption = watchInterruption();
  const cache = new CacheManager({
    recording: false,
    ...(flags.allowChanges
      ? { persist: true, persistDir: folder, mode: 'multi', consolidateInterval: null }
      : { loadCache: [folder] }),
  });
  cache.on('error', ({ error }) => errors.note(error));
  // Meanwhile the browser takes the page. It is waited for below.
  const opening = cache.open();
  opening.catch(() => undefined);
  const board = createDashboard({
    cache,
    options: { title: shownPath(folder), readOnly: !flags.allowChanges, interval: 2000 },
    partitions: folderFigures(folder),
    // What was counted, the processes know who had the calls.
    counted: async () => {
      await opening;
      const { stats, methods, processes } = await sumInFolder(folder);
      if (processes.length === 0) return undefined;
      return { stats, methods: Array.from(methods, ([name, own]) => ({ name, stats: own })) };
    },
  });
  const server = createServer(board.handler);
  try {
    server.listen(flags.port, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    stdout.write(`http://127.0.0.1:${port}/#token=${board.token}\n`);
    await opening;
    if (!interruption.signal.aborted) await once(interruption.signal, 'abort');
  } finally {
    board.close();
    server.close();
    server.closeAllConnections();
    interruption.stop();
    await cache.close();
  }
  errors.print(stderr);
  if (errors.count > 0) stderr.write(`toolstash: ${plural(errors.count, 'error')} met meanwhile\n`);
  return 0;
}
