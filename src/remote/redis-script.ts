/** A script that a server runs in one step. */

import { createHash } from 'node:crypto';

/** A script, and what the server knows it by. */
export interface RedisScript {
  readonly text: string;
  readonly sha1: string;
}

/** The script with this text. */
export function script(body: string): RedisScript {
  const text = body.trim();
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}
