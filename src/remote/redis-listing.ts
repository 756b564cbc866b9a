/** Going through all values of a server, in steps that hold nobody up. */

import type { RedisLink } from './redis-link.js';

/** The keys of a prefix, each with what lies under it. A key may come twice, and what changes meanwhile may be missing. */
export async function* listValues(
  link: Pick<RedisLink, 'command'>,
  prefix: string,
): AsyncGenerator<[key: string, bytes: Buffer | null]> {
  const pattern = `${prefix.replace(/[*?[\]\\]/g, '\\$&')}:{??}:${'?'.repeat(32)}`;
  let cursor = '0';
  do {
    const reply = await link.command(['SCAN', cursor, 'MATCH', pattern, 'COUNT', '500']);
    const [next, keys] = reply as [Buffer, Buffer[]];
    const names = keys.map(String);
    const values = names.length === 0 ? [] : ((await link.command(['MGET', ...names])) as (Buffer | null)[]);
    for (const [at, name] of names.entries()) yield [name.slice(-32), values[at] ?? null];
    cursor = String(next);
  } while (cursor !== '0');
}
