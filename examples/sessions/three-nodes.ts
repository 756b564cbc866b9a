/**
 * Three nodes, one conversation: the node that has it is killed, and it goes on elsewhere where it was. Run it with a Redis at
 * hand (`REDIS_URL`, or localhost:6379): `npx tsx three-nodes.ts`.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type SessionLease, SessionRegistry } from 'toolstash/session';

interface Chat {
  readonly state: string[];
}

/** Who is known dead after how long; the defaults are 15 s and 5 s. */
const times = { prefix: 'three-nodes', ttl: '3s', refresh: '500ms' } as const;

/** A node: an HTTP server whose address is its name, so that the others know where to send what is not theirs. */
async function runNode(): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = String((server.address() as AddressInfo).port);
  // A dead node's conversations are shared out among the others, who have nothing else to do here than to hold them.
  const adopt = (lease: SessionLease<Chat>) => process.send?.({ adopted: lease.id });
  const sessions = await SessionRegistry.open<Chat>({
    ...times,
    node: port,
    adopt: (lease) => void adopt(lease),
  });

  async function answer(id: string, words: string): Promise<string> {
    const lease = sessions.held(id) ?? (await sessions.claim(id, { user: 'ann', limit: 3 }));
    if (lease === undefined) return ask((await sessions.owner(id))?.node ?? port, id, words);
    const turns = [...((await lease.getState()) ?? []), words];
    await lease.setState(turns);
    return `${port} ${turns.join(', ')}`;
  }

  server.on('request', (incoming, response) => {
    const url = new URL(incoming.url ?? '', 'http://node');
    answer(url.searchParams.get('id') ?? '', url.searchParams.get('words') ?? '')
      .then((text) => response.end(text))
      .catch((error: Error) => response.writeHead(503).end(error.message));
  });
  process.send?.({ port });
}

/** What a node says. */
function ask(port: string, id: string, words: string): Promise<string> {
  const query = new URLSearchParams({ id, words });
  return new Promise((resolve, reject) => {
    request(`http://127.0.0.1:${port}/?${query}`, (response) => {
      let text = '';
      response.on('data', (bytes) => {
        text += String(bytes);
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    })
      .on('error', reject)
      .end();
  });
}

async function runClient(): Promise<void> {
  const nodes = new Map<string, ChildProcess>();
  const adopted: Promise<unknown>[] = [];
  for (let count = 0; count < 3; count += 1) {
    const child = fork(process.argv[1] as string, ['node']);
    const [{ port }] = (await once(child, 'message')) as [{ port: string }];
    nodes.set(port, child);
    adopted.push(once(child, 'message'));
  }
  const ports = [...nodes.keys()];
  const id = `chat-${Date.now()}`;
  const say = async (port: string, words: string) => {
    const [holder = '', ...turns] = (await ask(port, id, words)).split(' ');
    console.log(`node ${ports.indexOf(holder) + 1}: ${turns.join(' ')}`);
    return holder;
  };

  const holder = await say(ports[0] as string, 'hello');
  await say(ports[1] as string, 'still there?'); // forwarded to the one that has it
  const killed = nodes.get(holder) as ChildProcess;
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  console.log('node 1 was killed');
  await Promise.race(adopted.slice(1));
  const next = await say(ports[1] as string, 'where were we?');
  console.log(`it goes on elsewhere: ${next !== holder}`);
  for (const child of nodes.values()) child.kill();
}

void (process.argv[2] === 'node' ? runNode() : runClient());
