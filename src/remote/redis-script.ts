/** Scripts that a server runs in one step. */

import { createHash } from 'node:crypto';
import { CacheError } from '../errors.js';

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

/** What a script has answered with, as text. */
export function texts(reply: unknown, length: number): string[] {
  if (!Array.isArray(reply) || reply.length < length)
    throw new CacheError('ERR_STORAGE', 'Expected a script in Redis to answer as it was written');
  return reply.map(String);
}
