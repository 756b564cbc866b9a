/** A progress bar on a terminal; on anything else, nothing. */

import { Presets, SingleBar } from 'cli-progress';
import { formatCount, plural } from './format.js';

/** Something that takes a while. */
export interface Progress {
  /** Sets how much is done; `note` is shown beside it. */
  update(done: number, note?: string): void;
  /** Takes the bar away. */
  stop(): void;
}

/** What is shown. */
export interface ProgressOptions {
  readonly stream: NodeJS.WriteStream;
  readonly label: string;
  readonly total: number;
}

/** Columns that label, percentage and note may need beside the bar. */
const roomForText = 60;

/** Progress through files whose number shows only once they are found. */
export interface FileProgress {
  readonly update: (done: number, total: number) => void;
  stop(): void;
}

/** Starts a bar over files at the first update. */
export function fileProgress(stream: NodeJS.WriteStream, label: string): FileProgress {
  let progress: Progress | undefined;
  return {
    update(done, total) {
      progress ??= startProgress({ stream, label, total });
      progress.update(done, `${formatCount(done)} of ${plural(total, 'file')}`);
    },
    stop: () => progress?.stop(),
  };
}

const noProgress: Progress = { update() {}, stop() {} };

/** Starts a bar on the stream, if that is a terminal. */
export function startProgress({ stream, label, total }: ProgressOptions): Progress {
  if (!stream.isTTY || total === 0) return noProgress;
  const bar = new SingleBar(
    {
      stream,
      clearOnComplete: true,
      fps: 20,
      barsize: Math.min(40, Math.max(10, stream.columns - roomForText)),
      format: `  ${label} {bar} {percentage} %  {note}`,
    },
    Presets.shades_classic,
  );
  bar.start(total, 0, { note: '' });
  return {
    update: (done, note = '') => bar.update(done, { note }),
    stop: () => bar.stop(),
  };
}
