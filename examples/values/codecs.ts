/** Values that JSON can't say, and instances of a class of your own. Run it with `npx tsx codecs.ts`. */

import { CacheManager } from 'toolstash';

class Money {
  readonly amount: number;
  readonly currency: string;

  constructor(amount: number, currency: string) {
    this.amount = amount;
    this.currency = currency;
  }
}

const cache = new CacheManager({
  codecs: [
    {
      tag: 'money',
      test: (value: unknown): value is Money => value instanceof Money,
      encode: (value: unknown) => [(value as Money).amount, (value as Money).currency],
      decode: (data: unknown) => new Money(...(data as [number, string])),
    },
  ],
});

async function main(): Promise<void> {
  await cache.set(
    'quote',
    { item: 'tea' },
    { price: new Money(5, 'EUR'), at: new Date(0), tags: new Set(['hot']) },
  );
  const quote = await cache.get<{ price: Money; at: Date; tags: Set<string> }>('quote', { item: 'tea' });
  console.log(quote?.price instanceof Money, quote?.at.toISOString(), quote?.tags.has('hot'));

  console.log(
    'order of fields does not matter:',
    cache.key('quote', { a: 1, b: 2 }) === cache.key('quote', { b: 2, a: 1 }),
  );
  console.log('1 and "1" do:', cache.key('quote', { a: 1 }) !== cache.key('quote', { a: '1' }));
}

void main();
