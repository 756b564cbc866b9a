/** A chaos run: nodes that claim and write sessions while they, their connections and their Redis are disturbed, and a judge. */

import { Child, type Message, wait } from '../../helper/child-process.js';
import { RedisProxy } from '../../helper/redis-proxy.js';
import { RedisServer } from '../../helper/redis-server.js';

/** What a run has come to: everything but `counts` should be empty. */
export interface SessionChaosOutcome {
  /** Two had one fencing number. */
  readonly shared: readonly string[];
  /** A write was accepted after a higher number had been given out. */
  readonly unfenced: readonly string[];
  /** Two nodes took themselves for the holder at a time. */
  readonly overlaps: readonly string[];
  /** A node heard of no orphan, or nobody took it, or too late. */
  readonly missed: readonly string[];
  readonly unhandled: readonly string[];
  readonly counts: {
    readonly rounds: number;
    readonly writes: number;
    readonly refused: number;
    readonly orphans: number;
  };
}

const nodes = 4;
const sessions = 24;
const [ttlMs, refreshMs] = [1_500, 300];
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/** Names of disturbances, in the order of their rounds. */
export const disturbances = [
  'kill',
  'late replies',
  'stop',
  'empty',
  'partition',
  'snapshot',
  'flush',
  'clients killed',
] as const;
export type Disturbance = (typeof disturbances)[number];

/** A node that was killed or cut off: its sessions are to be found elsewhere in time. */
interface Death {
  readonly node: Node;
  readonly at: number;
  /** What it held then. */
  readonly held: ReadonlySet<string>;
}

interface Node {
  readonly name: string;
  readonly proxy: RedisProxy;
  readonly child: Child;
  /** When it was started, and ended. */
  readonly from: number;
  until: number;
}

export class SessionChaos {
  readonly #script: string;
  /** In what time orphans are taken over: TTL + refresh + 1 s, and what this machine may be late. */
  readonly #boundMs: number;
  readonly #server: RedisServer;
  readonly #all: Node[] = [];
  #living: Node[] = [];
  readonly #deaths: Death[] = [];
  /** When Redis lost data, and until when nodes may not have noticed. */
  readonly #losses: { from: number; lostAt: number; to: number }[] = [];
  #rounds = 0;

  private constructor(script: string, server: RedisServer, slackMs: number) {
    this.#script = script;
    this.#boundMs = ttlMs + refreshMs + 1_000 + slackMs;
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
  async end(): Promise<SessionChaosOutcome> {
    try {
      const ended = this.#living.map(({ child }) => child.ended);
      for (const { child } of this.#living) child.send('stop');
      await Promise.all(ended);
      return this.#judge();
    } finally {
      await this.remove();
    }
  }

  async remove(): Promise<void> {
    await Promise.all(this.#living.map(({ child }) => child.kill().catch(() => undefined)));
    await Promise.all(this.#all.map(({ proxy }) => proxy.close()));
    await this.#server.remove();
  }

  async #add(): Promise<void> {
    const proxy = await RedisProxy.before(this.#server.port);
    const name = `node ${this.#all.length}`;
    const args = [String(proxy.port), String(this.#server.port), name, String(sessions)];
    const child = new Child({ script: this.#script, args });
    const node: Node = { name, proxy, child, from: now(), until: Number.POSITIVE_INFINITY };
    this.#all.push(node);
    this.#living.push(node);
    await child.next('ready');
  }

  async #disturb(kind: Disturbance): Promise<void> {
    const node = this.#living[this.#rounds % this.#living.length]!;
    const server = this.#server;
    if (kind === 'kill') {
      const death = this.#noteDeath(node);
      await node.child.kill();
      node.until = now();
      this.#living = this.#living.filter((each) => each !== node);
      await this.#untilTaken(death);
      await this.#add();
    } else if (kind === 'stop') {
      const death = this.#noteDeath(node);
      node.child.stop();
      await this.#untilTaken(death);
      await node.child.resume();
    } else if (kind === 'partition' || kind === 'late replies') {
      if (kind === 'late replies') {
        node.proxy.mode = 'late replies';
        await wait(1_500);
      }
      const death = this.#noteDeath(node);
      node.proxy.mode = 'black hole';
      await this.#untilTaken(death);
      node.proxy.mode = 'open';
      node.proxy.cut();
    } else if (kind === 'clients killed') {
      await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    } else await this.#loseData(kind);
    await wait(300);
  }

  async #loseData(kind: 'empty' | 'snapshot' | 'flush'): Promise<void> {
    const server = this.#server;
    const from = now();
    let lostAt = from;
    if (kind === 'flush') await server.command('FLUSHALL');
    else {
      if (kind === 'snapshot') {
        await server.command('SAVE');
        await wait(800);
      }
      await server.stop();
      lostAt = now();
      if (kind === 'empty') await server.forget();
      await wait(200);
      await server.start();
    }
    // Until a node's next renewal, over a connection that is made anew within 2 s, it can't know.
    const reconnectMs = kind === 'flush' ? 0 : 2_000;
    this.#losses.push({ from, lostAt, to: now() + reconnectMs + refreshMs + 1_000 });
    await wait(reconnectMs + refreshMs + 1_500);
  }

  /** Resolves once every session has a holder that has told of it. */
  async #untilAllHeld(): Promise<void> {
    const end = now() + 30_000;
    while (now() < end) {
      if (new Set(this.#living.flatMap((node) => [...heldBy(node)])).size === sessions) return;
      await wait(50);
    }
    throw new Error(`Sessions were not held again within 30 s after round ${this.#rounds}`);
  }

  /** Resolves once all have heard and its sessions are with others, a while past the bound at the latest. */
  async #untilTaken(death: Death): Promise<void> {
    // Never before its time is over: it is to find out by itself.
    await wait(ttlMs + refreshMs);
    while (now() < death.at + this.#boundMs + 300 && this.#judgeDeath(death).length > 0) await wait(50);
  }

  #noteDeath(node: Node): Death {
    const death = { node, at: now(), held: heldBy(node) };
    this.#deaths.push(death);
    return death;
  }

  #judge(): SessionChaosOutcome {
    const told = (kind: string) => this.#all.flatMap(({ child }) => child.of(kind));
    const writes = told('wrote') as [string, string, number, number, number, string][];
    return {
      ...this.#judgeHolders(),
      unfenced: this.#judgeWrites(writes),
      missed: this.#deaths.flatMap((death) => this.#judgeDeath(death)),
      unhandled: told('unhandled').map(String),
      counts: {
        rounds: this.#rounds,
        writes: writes.length,
        refused: told('refused').length,
        orphans: this.#deaths.reduce((sum, { held }) => sum + held.size, 0),
      },
    };
  }

  #judgeHolders(): Pick<SessionChaosOutcome, 'shared' | 'overlaps'> {
    const spans = new Map<string, { who: string; fence: number; from: number; to: number }[]>();
    const owners = new Map<string, string>();
    const shared: string[] = [];
    for (const { name, child, until } of this.#all) {
      const ends = new Map(
        child.of('lost').map(([, id, fence, heldAt]) => [`${id} ${fence}`, heldAt as number]),
      );
      for (const [, id, fence, incarnation, at] of child.of('got') as [
        string,
        string,
        number,
        string,
        number,
      ][]) {
        const key = `${id} ${fence}`;
        if (owners.has(key)) shared.push(`${key}: ${owners.get(key)} and ${incarnation}`);
        owners.set(key, incarnation);
        const to = Math.min(ends.get(key) ?? Number.POSITIVE_INFINITY, until);
        spans.set(id, [...(spans.get(id) ?? []), { who: name, fence, from: at, to }]);
      }
    }
    const overlaps: string[] = [];
    for (const [id, all] of spans) {
      all.sort((a, b) => a.from - b.from);
      for (const [at, span] of all.entries()) {
        const other = all.slice(0, at).find((each) => each.to > span.from && each.from < span.to);
        if (other === undefined) continue;
        // Who holds what Redis has forgotten learns of it with its next renewal.
        const isForgiven = this.#losses.some(
          ({ from, to }) => span.from >= from && Math.min(other.to, span.to) <= to,
        );
        if (isForgiven) continue;
        const both = Math.min(other.to, span.to) - span.from;
        overlaps.push(`${id}: ${other.who} (${other.fence}) and ${span.who} (${span.fence}), ${both} ms`);
      }
    }
    return { shared, overlaps };
  }

  #judgeWrites(writes: readonly [string, string, number, number, number, string][]): string[] {
    const claims = new Map<string, [fence: number, at: number][]>();
    for (const [, id, fence, , at] of this.#all.flatMap(({ child }) => child.of('got')) as [
      string,
      string,
      number,
      string,
      number,
    ][])
      claims.set(id, [...(claims.get(id) ?? []), [fence, at]]);
    const found: string[] = [];
    for (const [, id, fence, began, ended, how] of writes) {
      const newer = claims.get(id)?.find(([higher, at]) => higher > fence && at < began);
      if (newer === undefined) continue;
      // Behind a node's back, Redis believes what an older snapshot says until the session is claimed anew.
      const isForgiven =
        how === 'zombie' && this.#losses.some(({ lostAt }) => newer[1] <= lostAt && lostAt <= ended);
      if (!isForgiven)
        found.push(`${id}: ${how} wrote as ${fence}, ${began - newer[1]} ms after ${newer[0]}`);
    }
    return found;
  }

  #judgeDeath({ node, at, held }: Death): string[] {
    const boundMs = this.#boundMs;
    const found: string[] = [];
    const others = this.#all.filter(
      (each) => each !== node && each.until > at + boundMs && isAlive(each, at, at + boundMs),
    );
    for (const id of held) {
      const isIt = ([, other, , , when]: Message) =>
        other === id && (when as number) > at && (when as number) <= at + boundMs;
      const deaf = others.filter(({ child }) => !child.of('orphaned').some(isIt));
      if (deaf.length > 0)
        found.push(`${id} of ${node.name}: ${deaf.map(({ name }) => name)} heard of no orphan`);
      const takers = this.#all
        .filter((each) => each !== node)
        .filter(({ child }) => child.of('got').some(isIt));
      if (takers.length === 0) found.push(`${id} of ${node.name}: nobody took it in time`);
    }
    return found;
  }
}

/** What a node holds, as it has told. */
function heldBy({ child }: Node): Set<string> {
  const lost = new Set(child.of('lost').map(([, id, fence]) => `${id} ${fence}`));
  return new Set(
    child.of('got').flatMap(([, id, fence]) => (lost.has(`${id} ${fence}`) ? [] : [id as string])),
  );
}

/** Whether it was among the living all the time, as it has told: who was not connected yet can hear nothing. */
function isAlive({ child }: Node, from: number, to: number): boolean {
  const [joined, lapsed] = ['joined', 'lapsed'].map((kind) => child.of(kind).map(([, , at]) => at as number));
  const since = joined!.filter((at) => at < from).at(-1);
  return since !== undefined && !lapsed!.some((at) => at > since && at < to);
}
