/** `toolstash import`: JSONL, as export writes it, into a cache folder. */

import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { importRecords } from '../../persistence/offline/inspection.js';
import { plural, printable } from '../../report/format.js';
import type { TierRecord } from '../../tier.js';
import type { CommandIo } from '../command-io.js';
import { complaintsOn, inputName, readLines } from '../json-lines.js';
import { formatJson } from '../lossless-json.js';
import { startProgress } from '../progress.js';
import { parseEntryLine } from './entry-line.js';
import { ErrorReport } from './error-report.js';

/** The command with its flags. */
export function importCommand(io: CommandIo, exit: (code: number) => void): Command {
  return new Command('import')
    .description('Bring entries into a cache folder. An entry that is newer there stays.')
    .argument('<dir>', 'the cache folder; it is made if it is not there')
    .argument('[file]', 'JSONL file as export writes it; without it, standard input', '-')
    .option('--json', 'print one JSON object instead of a sentence', false)
    .helpOption('-h, --help', 'Show this help')
    .action(async (folder: string, file: string, flags: { readonly json: boolean }) => {
      exit(await importEntries(folder, { file, ...flags }, io));
    });
}

async function importEntries(
  folder: string,
  { file, json }: { readonly file: string; readonly json: boolean },
  { stdout, stderr }: CommandIo,
): Promise<number> {
  const bytes =
    file === '-'
      ? 0
      : await stat(file).then(
          ({ size }) => size,
          () => 0,
        );
  const progress = startProgress({ stream: stderr, label: 'Importing', total: bytes });
  const errors = new ErrorReport();
  const now = Date.now();
  let expired = 0;
  let done = 0;
  let read = 0;

  async function* records(): AsyncGenerator<TierRecord> {
    const name = inputName(file);
    for await (const { text, line } of readLines(file, (bytesRead) => (done = bytesRead))) {
      const record = parseEntryLine(text, complaintsOn(name, line), now);
      read += 1;
      progress.update(done, plural(read, 'entry', 'entries'));
      const { expiresAt } = record.metadata;
      if (expiresAt !== null && expiresAt <= now) expired += 1;
      else yield record;
    }
  }

  let imported: number;
  try {
    imported = await importRecords(folder, records(), { onError: errors.note });
  } finally {
    progress.stop();
  }
  errors.print(stderr);
  const left = expired === 0 ? '' : `; ${plural(expired, 'entry', 'entries')} had expired and stayed out`;
  const sentence = `Imported ${plural(imported, 'entry', 'entries')} into ${printable(folder)}${left}.`;
  stdout.write(json ? `${formatJson({ imported, expired, errors: errors.count }, 2)}\n` : `${sentence}\n`);
  return errors.count === 0 ? 0 : 1;
}
