/** A chaos run: nodes that claim and write sessions while they, their connections and their Redis are disturbed. */

import { Child, wait } from '../../helper/child-process.js';
import { RedisProxy } from '../../helper/redis-proxy.js';
import { RedisServer } from '../../helper/redis-server.js';
import {
  type ChaosVerdict,
  type Death,
  isSeenTo,
  type JudgedNode,
  judge,
  type Loss,
  type Stall,
} from './judge.js';
import { Told } from './told.js';

const nodes = 4;
const sessions = 24;
const [ttlMs, refreshMs] = [1_500, 300];
/** Within what time after a node's death, or its close, its sessions are to be found elsewhere. */
const [failoverMs, closeMs] = [ttlMs + refreshMs + 1_000, 1_000];
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/** Names of disturbances, in the order of their rounds. */
export const disturbances = [
  'kill',
  'late replies',
  'stop',
  'empty',
  'partition',
  'snapshot',
  'close',
  'flush',
  'clients killed',
] as const;
export type Disturbance = (typeof disturbances)[number];

interface ChaosNode extends JudgedNode {
  readonly proxy: RedisProxy;
  readonly child: Child;
}

export class SessionChaos {
  readonly #script: string;
  /** What a busy machine may be late. */
  readonly #slackMs: number;
  readonly #server: RedisServer;
  readonly #nodes: ChaosNode[] = [];
  readonly #deaths: Death[] = [];
  readonly #losses: Loss[] = [];
  readonly #stalls: Stall[] = [];
  readonly #stallWatch = watchStalls(this.#stalls);
  #living: ChaosNode[] = [];
  #rounds = 0;

  private constructor(script: string, server: RedisServer, slackMs: number) {
    this.#script = script;
    this.#slackMs = slackMs;
    this.#server = server;
  }

  static async start(script: string, slackMs = 0): Promise<SessionChaos> {
    const chaos = new SessionChaos(script, await RedisServer.start(), slackMs);
    await Promise.all(Array.from({ length: nodes }, () => chaos.#add()));
    await chaos.#untilAllHeld();
    return chaos;
  }

  async run(rounds: readonly Disturbance[]): Promise<void> {
    for (const each of rounds) {
      this.#rounds += 1;
      await this.#disturb(each);
      await this.#untilAllHeld();
    }
  }

  /** Ends all, and judges what they have told. */
  async end(): Promise<ChaosVerdict> {
    try {
      const ended = this.#living.map(({ child }) => child.ended);
      for (const { child } of this.#living) child.send('stop');
      await Promise.all(ended);
      return judge(this.#record);
    } finally {
      await this.remove();
    }
  }

  async remove(): Promise<void> {
    clearInterval(this.#stallWatch);
    await Promise.all(this.#living.map(({ child }) => child.kill().catch(() => undefined)));
    await Promise.all(this.#nodes.map(({ proxy }) => proxy.close()));
    await this.#server.remove();
  }

  get #record() {
    return { nodes: this.#nodes, deaths: this.#deaths, losses: this.#losses, stalls: this.#stalls };
  }

  async #add(): Promise<void> {
    const proxy = await RedisProxy.before(this.#server.port);
    const name = `node ${this.#nodes.length}`;
    const args = [String(proxy.port), String(this.#server.port), name, String(sessions)];
    const child = new Child({ script: this.#script, args });
    const node = { name, proxy, child, told: Told.by(child), until: Number.POSITIVE_INFINITY };
    this.#nodes.push(node);
    this.#living.push(node);
    await child.next('ready');
  }

  async #disturb(kind: Disturbance): Promise<void> {
    const node = this.#living[this.#rounds % this.#living.length]!;
    if (kind === 'kill') {
      let killed: Promise<void> | undefined;
      const death = this.#die(node, kind, () => {
        killed = node.child.kill();
      });
      node.until = now();
      await killed;
      await this.#replace(node, death);
    } else if (kind === 'close') {
      const closing = node.child.next('closing');
      node.child.send('stop');
      await closing;
      const { closingAt } = node.told;
      const death = { node, how: kind, before: closingAt, at: closingAt, boundMs: closeMs + this.#slackMs };
      this.#deaths.push(death);
      await node.child.ended;
      node.until = now();
      await this.#replace(node, death);
    } else if (kind === 'stop') {
      await this.#untilTaken(this.#die(node, kind, () => node.child.stop()));
      await node.child.resume();
    } else if (kind === 'partition' || kind === 'late replies') {
      if (kind === 'late replies') {
        node.proxy.mode = 'late replies';
        await wait(1_500);
      }
      const cutOff = () => {
        node.proxy.mode = 'black hole';
      };
      await this.#untilTaken(this.#die(node, kind, cutOff));
      node.proxy.mode = 'open';
      node.proxy.cut();
    } else if (kind === 'clients killed') {
      await this.#server.command('CLIENT', 'KILL', 'TYPE', 'normal');
      await this.#server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    } else await this.#loseData(kind);
    await wait(300);
  }

  async #loseData(kind: Loss['kind']): Promise<void> {
    const server = this.#server;
    const savedAt = now();
    if (kind === 'snapshot') {
      await server.command('SAVE');
      await wait(800);
    }
    const from = now();
    let backAt = from;
    if (kind === 'flush') await server.command('FLUSHALL');
    else {
      await server.stop();
      if (kind === 'empty') await server.forget();
      await wait(200);
      backAt = now();
      await server.start();
    }
    // Until a node's next renewal, over a connection that is made anew within 2 s, it can't know.
    const reconnectMs = kind === 'flush' ? 0 : 2_000;
    this.#losses.push({ kind, savedAt, from, backAt, noticedAt: now() + reconnectMs + refreshMs + 1_000 });
    await wait(reconnectMs + refreshMs + 1_500);
  }

  /** Resolves once every session has a holder that has told of it. */
  async #untilAllHeld(): Promise<void> {
    const end = now() + 30_000;
    while (now() < end) {
      if (new Set(this.#living.flatMap(({ told }) => told.held)).size === sessions) return;
      await wait(50);
    }
    throw new Error(`Sessions were not held again within 30 s after round ${this.#rounds}`);
  }

  async #replace(node: ChaosNode, death: Death): Promise<void> {
    this.#living = this.#living.filter((each) => each !== node);
    await this.#untilTaken(death);
    await this.#add();
  }

  /** Resolves once all have heard and its sessions are with others, a while past the bound at the latest. */
  async #untilTaken(death: Death): Promise<void> {
    // Never before its time is over: it is to find out by itself.
    await wait(ttlMs + refreshMs);
    while (now() < death.at + death.boundMs + 2_000 && !isSeenTo(this.#record, death)) await wait(50);
  }

  /** Does something that takes a node from among the living. */
  #die(node: ChaosNode, how: Disturbance, run: () => void): Death {
    const before = now();
    run();
    const death = { node, how, before, at: now(), boundMs: failoverMs + this.#slackMs };
    this.#deaths.push(death);
    return death;
  }
}

/** Notes when this process stood still: so did the way of all nodes to Redis, as its proxies are here. */
function watchStalls(stalls: Stall[]): NodeJS.Timeout {
  let last = now();
  return setInterval(() => {
    const at = now();
    if (at - last > 100) stalls.push({ from: last, to: at });
    last = at;
  }, 10);
}
