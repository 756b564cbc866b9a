/**
 * Changes of keys that nobody has had before, at the moment that is the hardest to get right: machine 2, to which messages come
 * late, loads a key until machine 1 has changed it, and is yet to hear of that when it stores what it has loaded. Machine 3, which
 * has no trace of the key on its disk, reads it once all must have heard.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'redis';

/** How long after the change it is read, in ms. */
const readAfter = 800;

/** One machine's part. */
export interface AimedChanges {
  /** To be done again and again. */
  next(): Promise<void>;
  end(): void;
}

/** What one machine does, who agree on it by a Redis of their own. Keys are numbers above `from`. */
export async function aimedChanges(does: {
  readonly own: number;
  readonly url: string;
  readonly from: number;
  readonly now: () => number;
  readonly read: (key: number, during?: () => Promise<unknown>) => Promise<void>;
  readonly change: (key: number) => Promise<void>;
  /** Resolves when Redis has acknowledged all that was changed, or can't be reached. */
  readonly flush: () => Promise<void>;
}): Promise<AimedChanges> {
  const { own, url, from, now, read, change, flush } = does;
  const tell = createClient({ url });
  const listen = createClient({ url });
  await Promise.all([tell.connect(), listen.connect()]);
  let last = from;
  const parts = [
    () => wait(100),
    async () => {
      const next = await listen.blPop('loading', 1);
      if (next === null) return;
      await change(Number(next.element));
      // It is on its way to Redis, and will be there before what was loaded.
      await tell.rPush(`changed ${next.element}`, '');
      await flush();
      await tell.rPush('changed', JSON.stringify([Number(next.element), now()]));
    },
    async () => {
      last += 1;
      const key = last;
      await read(key, async () => {
        await tell.rPush('loading', String(key));
        await listen.blPop(`changed ${key}`, 0.5);
      });
    },
    async () => {
      const next = await listen.blPop('changed', 1);
      if (next === null) return;
      const [key, since] = JSON.parse(next.element) as [number, number];
      await wait(Math.max(0, since + readAfter - now()));
      await read(key);
    },
  ];
  return {
    next: parts[own]!,
    end: () => {
      tell.destroy();
      listen.destroy();
    },
  };
}
