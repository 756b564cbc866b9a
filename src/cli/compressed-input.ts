/** Files that may be compressed, as streams of what is in them. */

import { createReadStream, type ReadStream } from 'node:fs';
import { PassThrough, pipeline, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { UsageError } from './usage-error.js';

/** A file as it is read. */
export interface InputStream {
  /** What is in the file, decompressed. */
  readonly content: AsyncIterable<Buffer>;
  /** Bytes of the file itself that have been read so far. */
  bytesRead(): number;
}

/** Newer than the oldest Node that is supported. */
type CreateZstdDecompress = () => Transform;

/**
 * Opens a file, decompressed by its name: `.gz` and, where Node has Zstandard (22.15 or later), `.zst`.
 *
 * @throws UsageError for a `.zst` file where Node can't read it
 */
export function openInput(path: string): InputStream {
  const decompress = decompressorOf(path);
  const file: ReadStream = createReadStream(path);
  const bytesRead = () => file.bytesRead;
  if (decompress === undefined) return { content: file, bytesRead };
  // Failures of either end reach whoever reads.
  const content = pipeline(file, decompress, new PassThrough(), () => {});
  return { content, bytesRead };
}

function decompressorOf(path: string): Transform | undefined {
  if (/\.gz$/i.test(path)) return zlib.createGunzip();
  if (!/\.zst$/i.test(path)) return undefined;
  const create = (zlib as { createZstdDecompress?: CreateZstdDecompress }).createZstdDecompress;
  if (create !== undefined) return create();
  throw new UsageError(
    `Can't read ${path}: Node ${process.versions.node} has no Zstandard: use Node 22.15 or later, or \`zstd -dc ${path} | …\` and \`-\``,
  );
}
