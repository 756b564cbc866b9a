/**
 * One node with many sessions: `load-process.js <port> <name> <sessions>`, with `--expose-gc`. It tells how many bytes of its own
 * memory each takes, and holds them until its input ends.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { SessionRegistry } from '../../src/session/index.js';

const [port = '', name = '', count = ''] = process.argv.slice(2);
const tell = (...message: unknown[]) => process.stdout.write(`${JSON.stringify(message)}\n`);

function heapBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

async function main(): Promise<void> {
  const url = `redis://127.0.0.1:${port}`;
  const sessions = new SessionRegistry({ url, node: name, ttl: '60s', timeout: '10s' });
  await sessions.open().catch(() => undefined);
  const before = heapBytes();
  for (let at = 0; at < Number(count); ) {
    try {
      const lease = await sessions.claim(`${name} chat ${at}`, { user: `${name} user ${at}`, limit: 1 });
      await lease?.setState({ turns: ['x'.repeat(100)] });
      at += 1;
    } catch {
      // A busy machine may not connect in time.
      await wait(100);
    }
  }
  tell('ready', Math.round((heapBytes() - before) / Number(count)));
  process.stdin.on('end', () => void sessions.close());
  process.stdin.resume();
}

void main();
