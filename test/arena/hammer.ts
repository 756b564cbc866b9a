/** Setting and looking up values at random that tell whether they are whole. */

import { isDeepStrictEqual } from 'node:util';
import type { CacheManager } from '../../src/index.js';
import { randomFrom } from './random.js';

/** So few, and their values so large, that entries are overwritten while they are read. */
const keys = 30;

/** Values of several kinds, each of which tells whether it is whole. */
function made(number: number, version: number): unknown {
  const text = `${number}:${version}:`.repeat(1 + ((version * 37) % 300));
  if (version % 3 === 0) return text;
  return version % 3 === 1 ? { number, version, rows: [text, version] } : Buffer.from(text);
}

function versionOf(value: unknown): number {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return Number(String(value).split(':', 2)[1]);
  return (value as { version: number }).version;
}

/** Sets and looks up at random until it is told to stop; how many were found. @throws where one is not whole */
export function hammer(cache: CacheManager, seed: number, until: () => boolean): number {
  const below = randomFrom(seed);
  let found = 0;
  for (let version = seed; !until(); version += 10) {
    const number = below(keys);
    if (below(3) === 0) cache.setSync(below(2) === 0 ? 'one' : 'two', number, made(number, version));
    const value = cache.getSync(below(2) === 0 ? 'one' : 'two', number);
    if (value === undefined) continue;
    found += 1;
    if (!isDeepStrictEqual(value, made(number, versionOf(value)))) throw new Error('A torn value was read');
  }
  return found;
}
