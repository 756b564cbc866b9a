/**
 * Hits by the index of arguments answer what was asked, and each of these changes of its source is noticed: the same
 * calls run against the library with just that change.
 */

import { expect, it } from 'vitest';
import { buildLibrary, type Mutation, type Toolstash } from '../helper/mutant.js';

/** What a tool that tells what it was asked answers to calls that are easily taken for others. */
async function answers({ CacheManager }: Toolstash): Promise<unknown[]> {
  const cache = new CacheManager();
  const echo = cache.wrap(async (params: object) => JSON.stringify(params), { name: 'echo' });
  const echoSync = cache.wrapSync((params: object) => JSON.stringify(params), { name: 'echo sync' });
  const changing = () => {
    let reads = 0;
    return {
      // The same while it is looked up and taken in, and another then.
      get id() {
        return reads++ < 2 ? 7 : 8;
      },
    };
  };
  const told: unknown[] = [];
  // Arguments are taken in at their second use. The first of each pair is, and the second has the same hash, or was read as it.
  for (const tool of [echo, echoSync]) {
    for (let use = 0; use < 2; use++) await tool({ a: 1 });
    told.push(await tool({ a: 1 }), await tool({ b: 1 }), await tool({ a: 1 }));
    await tool({ id: 7 });
    told.push(
      await tool({ id: 8 }),
      typeof (await tool(changing())),
      await tool({ id: 7 }),
      await tool({ id: 8 }),
    );
    const params = { list: [1] };
    for (let use = 0; use < 2; use++) await tool(params);
    told.push(await tool(params));
    params.list.push(2);
    told.push(await tool(params), await tool({ list: [1] }));
  }
  await cache.close();
  return told;
}

const right = ['{"a":1}', '{"b":1}', '{"a":1}', '{"id":8}', 'string', '{"id":7}', '{"id":8}', '{"list":[1]}'];
const expected = [...right, '{"list":[1,2]}', '{"list":[1]}'];

it('answers what was asked', async () => {
  expect(await answers(await buildLibrary())).toEqual([...expected, ...expected]);
});

it.each<[string, Mutation]>([
  [
    'the comparison left out',
    { file: 'key/argument-index.ts', from: ' && isSame(params, this.tokens)', to: '' },
  ],
  [
    'names not compared',
    { file: 'key/argument-walk.ts', from: 'if (tokens[at++] !== name) return false;', to: 'at++;' },
  ],
  [
    "the key made from the caller's object",
    {
      file: 'key/argument-index.ts',
      from: 'new Slot(hash, snapshot, scope, of)',
      to: 'new Slot(hash, snapshot, scope, { ...of, hashKey: () => of.hashKey(params, scope) })',
    },
  ],
])('notices %s', async (_, mutation) => {
  expect(await answers(await buildLibrary(mutation))).not.toEqual([...expected, ...expected]);
});
