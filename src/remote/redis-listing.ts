/** Many values at once: some by their names, or all there are, in steps that hold nobody up. */

import type { RedisLink } from './redis-link.js';
import type { ResolvedRedisOptions } from './redis-options.js';

/** What lies under some names. In a cluster those with one tag are asked for together. */
export async function getMany(
  link: Pick<RedisLink, 'command'>,
  isCluster: boolean,
  names: readonly string[],
): Promise<(Buffer | null)[]> {
  if (!isCluster) return (await link.command(['MGET', ...names])) as (Buffer | null)[];
  const groups = new Map<string, number[]>();
  for (const [at, name] of names.entries()) {
    const tag = name.slice(0, name.indexOf('}'));
    const group = groups.get(tag);
    if (group === undefined) groups.set(tag, [at]);
    else group.push(at);
  }
  const found: (Buffer | null)[] = [];
  await Promise.all(
    Array.from(groups.values(), async (group) => {
      const values = await link.command(['MGET', ...group.map((at) => names[at]!)]);
      for (const [place, at] of group.entries()) found[at] = (values as (Buffer | null)[])[place] ?? null;
    }),
  );
  return found;
}

/** All keys of a prefix, each with what lies under it. A key may come twice, and what changes meanwhile may be missing. */
export async function* listValues(
  link: Pick<RedisLink, 'command' | 'count'>,
  { prefix, cluster }: Pick<ResolvedRedisOptions, 'prefix' | 'cluster'>,
): AsyncGenerator<[key: string, bytes: Buffer | null]> {
  const pattern = `${prefix.replace(/[*?[\]\\]/g, '\\$&')}:{??}:${'?'.repeat(32)}`;
  for (let at = 0; at < link.count; at += 1) {
    let cursor = '0';
    do {
      const reply = await link.command(['SCAN', cursor, 'MATCH', pattern, 'COUNT', '500'], at);
      const [next, keys] = reply as [Buffer, Buffer[]];
      const names = keys.map(String);
      const values = names.length === 0 ? [] : await getMany(link, cluster !== undefined, names);
      for (const [place, name] of names.entries()) yield [name.slice(-32), values[place] ?? null];
      cursor = String(next);
    } while (cursor !== '0');
  }
}
