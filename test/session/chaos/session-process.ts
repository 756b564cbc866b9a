/**
 * One node of a chaos run: `session-process.js <port> <server port> <name> <sessions>`. It claims what is free, writes what it holds,
 * also under numbers that it has lost, until it is told to stop; and tells all of it with the monotonic time.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from 'redis';
import { type SessionLease, SessionRegistry } from '../../../src/session/index.js';
import { SessionKeys } from '../../../src/session/session-keys.js';
import { sessionScripts } from '../../../src/session/session-scripts.js';

const [port = '', serverPort = '', name = '', count = ''] = process.argv.slice(2);
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const tell = (...message: unknown[]) => process.stdout.write(`${JSON.stringify(message)}\n`);
process.on('unhandledRejection', (error) => tell('unhandled', String(error)));

let input = '';
process.stdin.on('data', (bytes) => {
  input += String(bytes);
});

const keys = new SessionKeys({ prefix: 'toolstash-sessions', database: 0, shards: 16 });

/** A lease that is over, of which the server is asked behind this node's back. */
interface Zombie {
  readonly id: string;
  readonly incarnation: string;
  readonly fence: number;
}

async function main(): Promise<void> {
  let isOver = false;
  const zombies: Zombie[] = [];
  /** When each lease was held for the last time, as far as was looked. */
  const heldAt = new Map<SessionLease, number>();
  setInterval(() => {
    for (const lease of heldAt.keys()) {
      const at = now();
      if (lease.isHeld) heldAt.set(lease, at);
    }
  }, 2).unref();
  const take = (lease: SessionLease) => {
    const { id, fence, incarnation } = lease;
    tell('got', id, fence, incarnation, now());
    heldAt.set(lease, now());
    const lost = () => {
      tell('lost', id, fence, heldAt.get(lease), now());
      heldAt.delete(lease);
      zombies.push({ id, incarnation, fence });
      if (zombies.length > 30) zombies.shift();
    };
    if (lease.signal.aborted) lost();
    else lease.signal.addEventListener('abort', lost);
    // Those that write nothing learn of nothing by a refusal.
    if (Number(id.slice(5)) % 2 === 0) void write(lease);
  };
  const registry = new SessionRegistry({
    url: `redis://127.0.0.1:${port}`,
    node: name,
    ttl: 1_500,
    refresh: 300,
    timeout: 1_000,
    adopt: take,
  });
  registry.on('error', () => undefined);
  registry.on('orphaned', ({ id, from, takenBy }) => tell('orphaned', id, from, takenBy ?? '', now()));
  registry.on('joined', ({ incarnation }) => tell('joined', incarnation, now()));
  registry.on('lapsed', ({ incarnation }) => tell('lapsed', incarnation, now()));

  async function write(lease: SessionLease): Promise<void> {
    for (let turn = 0; lease.isHeld && !isOver; turn += 1) {
      const began = now();
      try {
        await lease.setState({ fence: lease.fence, turn });
        tell('wrote', lease.id, lease.fence, began, now(), 'lease');
      } catch {
        // Lost, or without an answer.
      }
      await wait(60);
    }
  }

  async function claimAll(): Promise<void> {
    while (!isOver) {
      const id = `chat ${Math.floor(Math.random() * Number(count))}`;
      try {
        // A third is left to who sees to the dead: else claims would hide that nobody does.
        const isLeft = Number(id.slice(5)) % 3 === 0 && (await registry.owner(id)) !== undefined;
        const isWanted = !isLeft && registry.held(id) === undefined;
        const lease = isWanted ? await registry.claim(id) : undefined;
        if (lease !== undefined) take(lease);
        else if (Math.random() < 0.01) await registry.held(id)?.release();
      } catch {
        // Redis is away.
      }
      await wait(40 + Math.random() * 40);
    }
  }

  /** Writes under numbers that others have overtaken: only the server can refuse it. */
  async function haunt(): Promise<void> {
    const client = createClient({
      url: `redis://127.0.0.1:${serverPort}`,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: () => 100 },
    });
    client.on('error', () => undefined);
    await client.connect();
    while (!isOver) {
      const zombie = zombies[Math.floor(Math.random() * zombies.length)];
      if (zombie !== undefined) {
        const { id, fence, incarnation } = zombie;
        const began = now();
        try {
          const reply = await client.eval(sessionScripts.write.text, {
            keys: [keys.session(id)],
            arguments: ['', incarnation, String(fence), 'a zombie was here'],
          });
          if (reply === 1) tell('wrote', id, fence, began, now(), 'zombie');
          else tell('refused', id, fence);
        } catch {
          // Redis is away.
        }
      }
      await wait(30);
    }
    client.destroy();
  }

  await registry.open().catch(() => undefined);
  const work = [claimAll(), claimAll(), haunt()];
  tell('ready');
  while (!input.includes('stop')) await wait(20);
  isOver = true;
  await Promise.all(work);
  tell('closing', now());
  await registry.close();
  process.stdin.destroy();
}

void main();
