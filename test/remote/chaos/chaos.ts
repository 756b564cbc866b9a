/** A chaos run: machines that read and change keys while their Redis is killed, stopped, emptied, set back and cut off. */

import { join } from 'node:path';
import { Child, wait } from '../../helper/child-process.js';
import { RedisProxy } from '../../helper/redis-proxy.js';
import { RedisServer } from '../../helper/redis-server.js';

export interface ChaosOutcome {
  readonly stale: readonly string[];
  readonly hung: number;
  /** What of a machine's tier was not well though all was quiet for 20 s. */
  readonly unwell: readonly unknown[];
  readonly unhandled: readonly string[];
  readonly diverged: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const machines = 4;
/** heartbeat + remoteTimeout + 400 ms, as the processes have it; and what a message to us may be late. */
const boundMs = 200 + 100 + 400;

export async function runChaos(init: {
  readonly script: string;
  readonly work: string;
  readonly seconds: number;
  readonly seed: number;
}): Promise<ChaosOutcome> {
  const { script, work, seconds, seed } = init;
  const [server, truth] = await Promise.all([RedisServer.start(), RedisServer.start()]);
  const proxies = await Promise.all(Array.from({ length: machines }, () => RedisProxy.before(server.port)));
  // Too late for its loads, and well within the bound.
  proxies[2]!.messageDelay = 200;
  const children = proxies.map((proxy, at) => {
    const folder = join(work, `chaos-${seed}-${at}-${Math.random().toString(36).slice(2)}`);
    const args = [String(proxy.port), String(truth.port), String(at), String(machines), String(seed), folder];
    return new Child({ script, args });
  });
  try {
    await Promise.all(children.map((child) => child.next('ready')));
    await disturb({ server, proxies, children, seconds, seed });
    const counted = children.map((child) => child.next('counts'));
    for (const child of children) child.send('stop');
    const counts = (await Promise.all(counted)).map(([, each]) => each as Record<string, number>);
    await wait(1_500);
    const ended = children.map((child) => child.next('ended'));
    for (const child of children) child.send('final');
    await Promise.all(ended);
    await Promise.all(children.map((child) => child.ended));
    return { ...judge(children), counts: added(counts) };
  } finally {
    await Promise.all(children.map((child) => child.kill().catch(() => undefined)));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await Promise.all([server.remove(), truth.remove()]);
  }
}

/** Each disturbance in turn, with quiet in between, until the time is over. */
async function disturb(init: {
  readonly server: RedisServer;
  readonly proxies: readonly RedisProxy[];
  readonly children: readonly Child[];
  readonly seconds: number;
  readonly seed: number;
}): Promise<void> {
  const { server, proxies, children, seconds, seed } = init;
  const end = performance.now() + seconds * 1_000;
  const all: (() => Promise<void>)[] = [
    async () => {
      await server.command('SAVE');
      await wait(1_000);
      await server.stop();
      await server.start();
    },
    async () => {
      server.pause();
      await wait(1_500);
      server.resume();
    },
    async () => {
      await server.stop();
      await server.forget();
      await wait(300);
      await server.start();
    },
    // After these nobody begins anew for a while: what was missed would show.
    async () => {
      proxies[0]!.mode = 'black hole';
      await wait(1_500);
      proxies[0]!.mode = 'open';
      proxies[0]!.cut();
    },
    async () => children[3]!.send('restart'),
    async () => {
      proxies[2]!.mode = 'slow';
      await wait(1_500);
      proxies[2]!.mode = 'open';
    },
    async () => {
      proxies[1]!.cut();
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    },
    async () => {
      await server.command('FLUSHALL');
    },
  ];
  for (let at = seed; performance.now() < end; at += 1) {
    await wait(1_200);
    await all[at % all.length]!();
  }
  await wait(1_000);
}

/** A read is stale when it began more than the bound after a newer version was acknowledged. */
function judge(children: readonly Child[]): Omit<ChaosOutcome, 'counts'> {
  const changes = new Map<number, [version: number, at: number][]>();
  for (const [, key, version, at] of children.flatMap((child) => child.of('changed')) as [
    string,
    number,
    number,
    number,
  ][]) {
    changes.set(key, [...(changes.get(key) ?? []), [version, at]]);
  }
  const stale: string[] = [];
  for (const [, key, version, began, source] of children.flatMap((child) => child.of('read')) as [
    string,
    number,
    number,
    number,
    string,
  ][]) {
    const missed = (changes.get(key) ?? []).filter(([newer, at]) => newer > version && at + boundMs < began);
    const [newer, at] = missed[0] ?? [];
    if (newer !== undefined)
      stale.push(
        `key ${key}: ${version}, ${newer} was acknowledged ${began - at!} ms before (from ${source})`,
      );
  }
  const finals = children.flatMap((child) => child.of('final')) as [string, number, number, number][];
  return {
    stale,
    hung: children.flatMap((child) => child.of('hung')).length,
    unwell: children.flatMap((child) => child.of('unwell')),
    unhandled: children.flatMap((child) => child.of('unhandled')).map(String),
    diverged: finals
      .filter(([, , version, right]) => version !== right)
      .map(([, key, version, right]) => `key ${key}: ${version}, not ${right}`),
  };
}

function added(counts: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const each of counts)
    for (const [name, count] of Object.entries(each)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
