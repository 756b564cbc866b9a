/** A support desk whose tools ask a service over the network. */

import { CacheManager } from 'toolstash';
import { recording } from 'toolstash/recording';

/** Strict, unless `TOOLSTASH_MODE` says otherwise: no test reaches the network by accident. */
export const tape = recording({ dir: 'tape', mode: 'strict', offline: ['refund'] });
export const cache = new CacheManager({ ttl: '10m', recording: tape });

async function ask(path: string): Promise<unknown> {
  const response = await fetch(`${process.env['SUPPORT_URL']}/${path}`);
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
  return response.json();
}

interface Refund {
  readonly id: string;
}

/** The tools, as an agent framework takes them. `refund` is one that tests put a stand-in in the place of. */
export function tools(refund: (input: Refund) => Promise<string>) {
  return cache.tools(
    {
      findOrder: { execute: async ({ id }: { id: string }) => ask(`orders/${id}`) },
      searchManual: { execute: async ({ query }: { query: string }) => ask(`manual/${query}`) },
      refund: { execute: refund },
    },
    { findOrder: {}, searchManual: { ttl: '1d' }, refund: 'write' },
  );
}

/** What an agent would do with them. */
export async function answer(id: string, desk: ReturnType<typeof tools>): Promise<string> {
  const [order, page] = await Promise.all([
    desk.findOrder.execute({ id }),
    desk.searchManual.execute({ query: 'returns' }),
  ]);
  const refunded = await desk.refund.execute({ id });
  return `${JSON.stringify(order)} ${JSON.stringify(page)} ${refunded}`;
}
