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
import { type RedisFlags, redisPlaceOptions } from '../redis-place.js';
import { parseEntryLine } from './entry-line.js';
import { type RedisSource, withRedis } from './entry-source.js';
import { ErrorReport } from './error-report.js';
import { assertNoUrl } from './given-paths.js';

interface ImportFlags extends RedisFlags {
  readonly json: boolean;
}

/** The command with its flags. */
export function importCommand(io: CommandIo, exit: (code: number) => void): Command {
  const [redisUrl, redisPrefix] = redisPlaceOptions('<dir>');
  return new Command('import')
    .description('Bring entries into a cache folder, or into Redis. An entry that is newer there stays.')
    .argument('<dir>', 'the cache folder; it is made if it is not there')
    .argument('[file]', 'JSONL file as export writes it; without it, standard input', '-')
    .option('--json', 'print one JSON object instead of a sentence', false)
    .addOption(redisUrl)
    .addOption(redisPrefix)
    .helpOption('-h, --help', 'Show this help')
    .action(async (folder: string, file: string, flags: ImportFlags) => {
      exit(await importEntries(folder, { file, ...flags }, io));
    });
}

async function importEntries(
  folder: string,
  { file, ...flags }: ImportFlags & { readonly file: string },
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
  let place = printable(folder);
  try {
    if (flags.redis === undefined) {
      assertNoUrl(folder);
      imported = await importRecords(folder, records(), { onError: errors.note });
    } else {
      [imported, place] = await withRedis({ ...flags, writes: true }, errors.note, async (target) => [
        await importInto(target, records()),
        target.name,
      ]);
    }
  } finally {
    progress.stop();
  }
  errors.print(stderr);
  const left = expired === 0 ? '' : `; ${plural(expired, 'entry', 'entries')} had expired and stayed out`;
  const kept = errors.count > 0 ? 0 : read - expired - imported;
  const stayed =
    kept === 0 ? '' : `; ${plural(kept, 'entry', 'entries')} stayed out, as what is there is as new or newer`;
  const sentence = `Imported ${plural(imported, 'entry', 'entries')} into ${place}${left}${stayed}.`;
  stdout.write(
    flags.json ? `${formatJson({ imported, expired, errors: errors.count }, 2)}\n` : `${sentence}\n`,
  );
  return errors.count === 0 ? 0 : 1;
}

/** So many are on their way at once. */
const atOnce = 100;

/** How many were stored. */
async function importInto(target: RedisSource, records: AsyncIterable<TierRecord>): Promise<number> {
  let imported = 0;
  let batch: Promise<boolean>[] = [];
  const settle = async () => {
    const outcomes = await Promise.all(batch);
    imported += outcomes.filter(Boolean).length;
    batch = [];
  };
  for await (const record of records) {
    batch.push(target.import(record));
    if (batch.length === atOnce) await settle();
  }
  await settle();
  return imported;
}
