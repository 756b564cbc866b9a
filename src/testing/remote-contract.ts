/** The contract of `RemoteTier` as checks that any test runner can run. */

import assert from 'node:assert/strict';
import { compareStamps, type Stamp } from '../stamp.js';
import type { Remote, RemoteChange, TierRecord } from '../tier.js';
import { key, method, Space } from './remote-machine.js';

/** One thing that a remote tier promises. */
export interface RemoteCheck {
  /** The promise, as a sentence. */
  readonly name: string;
  /** Rejects with an `AssertionError` if the tier breaks it. */
  run(): Promise<void>;
}

/**
 * The checks that every remote tier must pass: one load for all, nothing stored after its key was changed, and everybody
 * told of changes.
 *
 * @param make Makes what one more machine connects by. All that it makes during one check share what they hold, and share
 *   nothing with other checks: `check` differs for each.
 * @example
 * for (const { name, run } of remoteContract((check) => redis({ url, prefix: check }))) test(name, run);
 */
export function remoteContract(make: (check: string) => Remote | Promise<Remote>): RemoteCheck[] {
  return checks.map(([name, check], at) => ({
    name: `a remote tier ${name}`,
    async run() {
      const id = `check-${at}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
      const space = new Space(() => make(id));
      try {
        await check(space);
      } finally {
        await space.close();
      }
    },
  }));
}

const checks: readonly (readonly [name: string, run: (space: Space) => Promise<void>])[] = [
  [
    'finds what another machine has set, as it was set',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      const record = one.record(7, { tags: ['a'], expiresAt: Date.now() + 60_000 });
      assert.equal(one.tier.write(record), true, '`write` says that it is stored');
      await one.tier.flush();
      const found = await other.tier.lookup(key, method);
      assert.deepEqual([...(found?.encoded ?? [])], [7]);
      assert.deepEqual([found?.method, found?.tags], [method, ['a']]);
      assert.deepEqual(found?.metadata.expiresAt, record.metadata.expiresAt);
      assert.ok(compareStamps(found!.stamp, record.stamp) >= 0, 'a value is as new as it was set, or newer');
      assert.equal(await other.find('f'.repeat(32)), undefined, 'what is not there is a miss');
    },
  ],
  [
    'finds many as it finds each, where it can look for many',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      const keys = ['a', 'b', 'c'].map((digit) => digit.repeat(32));
      await one.set(1, { key: keys[0]! });
      await one.set(2, { key: keys[2]! });
      const found = await other.tier.lookupMany?.(keys, method);
      if (found === undefined) return;
      const [first, none, last] = found.map((each) => each as TierRecord | undefined);
      assert.deepEqual([first?.encoded[0], none, last?.encoded[0]], [1, undefined, 2]);
      assert.deepEqual([first?.key, last?.key], [keys[0], keys[2]], 'in their order');
    },
  ],
  [
    'does not find what has expired',
    async (space) => {
      const node = await space.join();
      await node.set(1, { expiresAt: Date.now() + 30 });
      await until(async () => (await node.find()) === undefined, 'an expired value is not found');
    },
  ],
  [
    'tells others of a deletion, which is newer than the value',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      await one.set(1);
      const { stamp } = (await other.tier.lookup(key, method))!;
      one.tier.delete(key, method, one.stamp());
      await one.tier.flush();
      assert.equal(await other.find(), undefined);
      await until(() => other.changes.some(isOfKey(stamp)), 'another machine hears of a deletion');
      assert.ok(!one.changes.some((change) => change.kind === 'key'), 'nobody is told of its own changes');
    },
  ],
  [
    'tells others of an overwritten value',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      await one.set(1);
      const { stamp } = (await other.tier.lookup(key, method))!;
      await one.set(2);
      await until(() => other.changes.some(isOfKey(stamp)), 'another machine hears of an overwriting');
      assert.equal(await other.find(), 2);
    },
  ],
  [
    'gives one machine the right to load, and the others what it has loaded',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      const ticket = await one.ticket();
      assert.equal(ticket.isVoid, false);
      const waiting = other.lease().next();
      await one.fill(3, ticket);
      assert.equal(await waiting, 'look-again', 'who waits gets the value');
      const found = await other.tier.lookup(key, method);
      assert.deepEqual([[...(found?.encoded ?? [])], found?.stamp], [[3], ticket.stamp]);
      assert.deepEqual(
        other.changes.filter(({ kind }) => kind === 'key'),
        [],
        'a first value changes nothing',
      );
    },
  ],
  [
    'passes the right on when it is given back',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      const [first, second] = [one.lease(), other.lease()];
      assert.equal(await first.next(), 'load');
      const waiting = second.next();
      const { stamp } = first.ticket!;
      first.end();
      assert.equal(await waiting, 'load');
      assert.ok(compareStamps(second.ticket!.stamp, stamp) > 0, 'who comes later has a newer ticket');
    },
  ],
  [
    'lets go of who waits and is aborted, and of who must not wait',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      await one.ticket();
      const controller = new AbortController();
      const waiting = other.lease({ signal: controller.signal }).next();
      controller.abort();
      await waiting;
      assert.equal(await other.lease({ isNested: true }).next(), 'load-alone');
    },
  ],
  ...(['set', 'delete'] as const).map(
    (change) =>
      [
        `refuses what was loaded before a ${change === 'set' ? 'value was set' : 'deletion'}`,
        async (space: Space) => {
          const [one, other] = [await space.join(), await space.join()];
          const ticket = await one.ticket();
          if (change === 'set') await other.set(5);
          else other.tier.delete(key, method, other.stamp());
          await other.tier.flush();
          await one.fill(4, ticket);
          await until(() => one.refused.length > 0, 'whoever loaded it is told');
          assert.deepEqual([one.refused[0]?.key, one.refused[0]?.stamp], [key, ticket.stamp]);
          assert.equal(await other.find(), change === 'set' ? 5 : undefined);
        },
      ] as const,
  ),
  [
    'does not find what was loaded before its method was cleared, or a tag of it invalidated',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      for (const clear of [
        () => other.tier.clear(method, other.stamp()),
        () => other.tier.clear(undefined, other.stamp()),
        () => other.tier.invalidateTag('t', other.stamp()),
      ]) {
        const ticket = await one.ticket();
        clear();
        await other.tier.flush();
        const heard = one.changes.length;
        await one.fill(4, ticket, ['t']);
        const isGone = async () => {
          const found = await one.tier.lookup(key, method);
          return (
            found === undefined ||
            one.tier.isReplaced(found) ||
            one.changes.slice(heard - 1).some(isTag(found))
          );
        };
        await until(isGone, 'it is not found, or known to be replaced');
        await one.set(9, { tags: ['t'] });
        assert.equal(await other.find(), 9, 'what is set afterwards is found');
        one.tier.delete(key, method, one.stamp());
        await one.tier.flush();
      }
      const kinds = new Set(one.changes.map(({ kind }) => kind));
      assert.ok(kinds.has('method') && kinds.has('tag'), 'others hear of clearing and of tags');
    },
  ],
  [
    'answers only with something newer than what is known',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      await one.set(1);
      const { stamp } = (await other.tier.lookup(key, method))!;
      const ticket = await other.ticket({ known: stamp });
      assert.ok(compareStamps(ticket.stamp, stamp) > 0, 'what is loaded is newer than what was known');
      assert.equal(await one.find(), 1, 'what there is stays meanwhile');
      await other.fill(2, ticket);
      assert.equal(await one.find(), 2);
      await until(() => one.changes.some(isOfKey(stamp)), 'others hear that it was renewed');
    },
  ],
  [
    'lets one machine load whatever there is, and whoever loads it',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      const ticket = await one.ticket();
      const forced = await other.ticket({ isForced: true });
      await one.fill(1, ticket);
      await other.fill(2, forced);
      assert.equal(await one.find(), 2);
      await until(() => one.refused.length === 1, 'the load that was overtaken is not stored');
    },
  ],
  [
    'tells a load what is changed meanwhile',
    async (space) => {
      const [one, other] = [await space.join(), await space.join()];
      const heard: string[] = [];
      const watch = one.tier.watch?.({ key, method }, (change) => heard.push(change));
      assert.ok(watch !== undefined, 'there is a `watch`');
      other.tier.invalidateTag('t', other.stamp());
      await until(() => heard.includes('tag'), 'a load hears of tags');
      assert.deepEqual([watch.isInvalidated(['t']), watch.isInvalidated(['u'])], [true, false]);
      await other.set(1);
      await until(() => heard.includes('key'), 'a load hears of its key');
      watch.end();
      const before = heard.length;
      await other.set(2);
      await until(async () => (await one.find()) === 2, 'what was set is found');
      assert.equal(heard.length, before, 'a load that has ended hears nothing');
    },
  ],
  [
    'lists what it holds',
    async (space) => {
      const node = await space.join();
      await node.set(1);
      await node.set(2, { key: 'f'.repeat(32) });
      const found: number[] = [];
      for await (const { encoded } of node.tier.entries()) found.push(encoded[0]!);
      assert.deepEqual(found.sort(), [1, 2]);
    },
  ],
];

function isOfKey(older: Stamp) {
  return (change: RemoteChange) =>
    change.kind === 'key' && change.key === key && compareStamps(change.stamp, older) > 0;
}

function isTag({ tags = [], stamp }: TierRecord) {
  return (change: RemoteChange) =>
    change.kind === 'tag' && tags.includes(change.tag) && compareStamps(stamp, change.stamp) <= 0;
}

/** Waits until something holds; it must within some seconds. */
async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
