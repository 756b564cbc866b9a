/** A progress bar on a terminal; on anything else, nothing. */

import { Presets, SingleBar } from 'cli-progress';
import { formatCount, plural } from '../report/format.js';

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
  if (!stream.isTTY || process.env['TERM'] === 'dumb' || total === 0) return noProgress;
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
  // However the process ends, the terminal must wrap lines and show its cursor again.
  const restore = () => stream.write('\u{1b}[?7h\u{1b}[?25h');
  const interrupted = (signal: NodeJS.Signals) => {
    restore();
    // Where nobody else sees to it, the signal does what it does without us.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted).once('exit', restore);
  return {
    update: (done, note = '') => bar.update(done, { note }),
    stop() {
      bar.stop();
      restore();
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted).off('exit', restore);
    },
  };
}
