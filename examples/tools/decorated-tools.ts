/**
 * A class of tools with decorated methods. It compiles with standard decorators and with `experimentalDecorators`.
 * Run it with `npx tsx decorated-tools.ts`.
 */

import { CacheManager } from 'toolstash';

const cache = new CacheManager({ maxSize: 10_000, ttl: '1h' });

interface Order {
  readonly id: string;
  readonly customer: string;
  readonly total: number;
}

/** The tools of a shop's agent. Orders are a tenant's own; exchange rates are everybody's. */
class ShopTools {
  readonly tenant: string;
  readonly #orders: ReadonlyMap<string, Order>;
  calls = 0;

  constructor(tenant: string, orders: readonly Order[]) {
    this.tenant = tenant;
    this.#orders = new Map(orders.map((order) => [order.id, order]));
  }

  /** The result depends on the tenant: `scope` keeps tenants apart. */
  @cache.cached({ scope: (self: ShopTools) => self.tenant, params: ['id'] })
  async findOrder(id: string): Promise<Order | null> {
    this.calls++;
    await pause(20);
    return this.#orders.get(id) ?? null;
  }

  /** The result is the same for all: `shared` says so. */
  @cache.cached({ shared: true, ttl: '10m' })
  async exchangeRate({ from, to }: { from: string; to: string }): Promise<number> {
    this.calls++;
    await pause(20);
    return from === to ? 1 : 1.09;
  }

  /** Pure computation, answered at once. */
  @cache.cachedSync({ shared: true })
  normalizeQuery(query: string): string[] {
    this.calls++;
    return query.toLowerCase().split(/\s+/).sort();
  }

  /** Static methods work the same way. */
  @cache.cached
  static async listTools(): Promise<string[]> {
    return ['findOrder', 'exchangeRate', 'normalizeQuery'];
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function main(): Promise<void> {
  const acme = new ShopTools('acme', [{ id: 'W1', customer: 'Ada', total: 120 }]);
  const globex = new ShopTools('globex', [{ id: 'W1', customer: 'Hank', total: 7 }]);

  console.log('One order number, two tenants, no mix-up:');
  for (const tools of [acme, globex, acme, globex]) {
    console.log(`  ${tools.tenant}:`, await tools.findOrder('W1'));
  }

  console.log('Everybody shares the exchange rate:');
  console.log('  acme:  ', await acme.exchangeRate({ from: 'USD', to: 'EUR' }));
  console.log('  globex:', await globex.exchangeRate({ to: 'EUR', from: 'USD' }));

  console.log('At once:', acme.normalizeQuery('Blue Shoes'), globex.normalizeQuery('Blue Shoes'));
  console.log('Static: ', await ShopTools.listTools(), (await ShopTools.listTools()).length);

  console.log(`Tool calls that ran: acme ${acme.calls}, globex ${globex.calls}`);
  for (const method of cache.methods()) {
    const { hits, misses } = cache.stats(method);
    console.log(`  ${method.padEnd(26)} hits ${hits}, misses ${misses}`);
  }
}

void main();
