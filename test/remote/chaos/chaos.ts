/** A chaos run: machines that read and change keys while their Redis is killed, stopped, emptied, set back and cut off. */

import { join } from 'node:path';
import type { RedisOptions } from '../../../src/redis/index.js';
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

/** How one machine reaches each server. */
export type Way = readonly RedisProxy[];
export type Disturbance = () => Promise<void>;

/** What machines share, and what is done to it. */
export interface Shared {
  readonly servers: readonly RedisServer[];
  /** What a machine connects by that reaches the servers at these ports. */
  readonly optionsFor: (ports: readonly number[]) => RedisOptions;
  /** How long it is left alone between two disturbances. */
  readonly pauseMs: number;
  readonly disturbances: (ways: readonly Way[], children: readonly Child[]) => readonly Disturbance[];
}

const machines = 4;
/** heartbeat + remoteTimeout + 400 ms, as the processes have it; and what a message to us may be late. */
const boundMs = 200 + 100 + 400;

export async function runChaos(init: {
  readonly script: string;
  readonly work: string;
  readonly seconds: number;
  readonly seed: number;
  /** What the machines share; by default one server. */
  readonly share?: () => Promise<Shared>;
}): Promise<ChaosOutcome> {
  const { script, work, seconds, seed, share = shareServer } = init;
  const [shared, truth] = await Promise.all([share(), RedisServer.start()]);
  const reached = await Promise.all(
    Array.from({ length: machines }, async () => {
      const proxies = await Promise.all(shared.servers.map(({ port }) => RedisProxy.before(port)));
      return { proxies, options: shared.optionsFor(proxies.map(({ port }) => port)) };
    }),
  );
  const ways = reached.map(({ proxies }) => proxies);
  // Too late for its loads, and well within the bound.
  for (const proxy of ways[2]!) proxy.messageDelay = 200;
  const children = reached.map(({ options }, at) => {
    const folder = join(work, `chaos-${seed}-${at}-${Math.random().toString(36).slice(2)}`);
    const place = JSON.stringify(options);
    return new Child({
      script,
      args: [place, String(truth.port), String(at), String(machines), String(seed), folder],
    });
  });
  try {
    await Promise.all(children.map((child) => child.next('ready')));
    await disturb({
      disturbances: shared.disturbances(ways, children),
      pauseMs: shared.pauseMs,
      seconds,
      seed,
    });
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
    await Promise.all(ways.flat().map((proxy) => proxy.close()));
    await Promise.all([...shared.servers, truth].map((server) => server.remove()));
  }
}

/** Each disturbance in turn, with quiet in between, until the time is over. */
async function disturb(init: {
  readonly disturbances: readonly Disturbance[];
  readonly pauseMs: number;
  readonly seconds: number;
  readonly seed: number;
}): Promise<void> {
  const { disturbances, pauseMs, seconds, seed } = init;
  const end = performance.now() + seconds * 1_000;
  for (let at = seed; performance.now() < end; at += 1) {
    await wait(pauseMs);
    await disturbances[at % disturbances.length]!();
  }
  await wait(1_000);
}

/** What one machine after the other goes through. */
export function disturbWays(
  ways: readonly Way[],
  children: readonly Child[],
): Record<'swallow' | 'restart' | 'slow' | 'cut', Disturbance> {
  const setMode = (way: Way, mode: RedisProxy['mode']) => {
    for (const proxy of way) proxy.mode = mode;
  };
  return {
    // After these nobody begins anew for a while: what was missed would show.
    swallow: async () => {
      setMode(ways[0]!, 'black hole');
      await wait(1_500);
      setMode(ways[0]!, 'open');
      for (const proxy of ways[0]!) proxy.cut();
    },
    restart: async () => children[3]!.send('restart'),
    slow: async () => {
      setMode(ways[2]!, 'slow');
      await wait(1_500);
      setMode(ways[2]!, 'open');
    },
    cut: async () => {
      for (const proxy of ways[1]!) proxy.cut();
    },
  };
}

async function shareServer(): Promise<Shared> {
  const server = await RedisServer.start();
  return {
    servers: [server],
    optionsFor: ([port]) => ({ url: `redis://127.0.0.1:${port}` }),
    pauseMs: 1_200,
    disturbances(ways, children) {
      const { swallow, restart, slow, cut } = disturbWays(ways, children);
      return [
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
        ...[swallow, restart, slow],
        async () => {
          await cut();
          await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        },
        async () => {
          await server.command('FLUSHALL');
        },
      ];
    },
  };
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
