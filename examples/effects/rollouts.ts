/** Four rollouts of one task on a desk whose bookings change: what they share, and what they must not. */

import { CacheManager } from 'toolstash';
import { Rollout, ToolEffects } from 'toolstash/rollout';

const effects = new ToolEffects({
  search_flights: 'pure',
  get_booking: { reads: ['booking:{id}'] },
  cancel_booking: { writes: ['booking:{id}'] },
});

/** The world of one rollout: each begins with the same bookings. */
class Desk {
  readonly #bookings = new Map([
    ['X4', 'confirmed'],
    ['Y7', 'confirmed'],
  ]);
  calls = 0;

  get_booking = async ({ id }: { id: string }) => {
    this.calls += 1;
    return this.#bookings.get(id);
  };

  cancel_booking = async ({ id }: { id: string }) => {
    this.calls += 1;
    this.#bookings.set(id, 'cancelled');
    return 'done';
  };
}

async function main(): Promise<void> {
  const cache = new CacheManager();
  for (const id of [0, 1, 2, 3]) {
    const desk = new Desk();
    const rollout = new Rollout(cache, { effects, task: 'cancel X4', id });
    const before = await rollout.call('get_booking', { id: 'X4' }, desk.get_booking);
    // The last one does something else.
    await rollout.call('cancel_booking', { id: id === 3 ? 'Y7' : 'X4' }, desk.cancel_booking);
    const after = await rollout.call('get_booking', { id: 'X4' }, desk.get_booking);
    console.log(`rollout ${id}: ${before}, then ${after}, with ${desk.calls} of 3 calls run`);
  }
  await cache.close();
}

void main();
