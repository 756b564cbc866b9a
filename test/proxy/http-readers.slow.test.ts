/** Clients over HTTP that do not read what they are sent, or send more than is read: memory stays bounded, and nobody is lost. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accept, closeServed, HttpClient, serve } from './http-client.js';
import { configOf } from './raw-client.js';

let folder: string;
let state: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-readers-'));
  state = join(folder, 'state.json');
});
afterEach(async () => {
  await closeServed();
  await rm(folder, { recursive: true });
});

/** 128 MB: more than all that lies between the server and its client. */
const count = 2_000;

/** How many messages of the flood the server has written. */
function written(): number {
  try {
    return JSON.parse(readFileSync(state, 'utf8')).said;
  } catch {
    return 0;
  }
}

/** The same, once it writes no more. */
async function stalled(): Promise<number> {
  for (let before = -1; ; ) {
    await sleep(500);
    const now = written();
    if (now > 0 && now === before) return now;
    before = now;
  }
}

/** A request whose response is read by hand. */
function unread(client: HttpClient, method: string, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      client.url,
      { method, headers: { ...accept, ...client.headers }, agent: false },
      resolve,
    );
    sent.on('error', reject).end(body);
  });
}

const program = () => configOf({ env: { RAW_STATE: state } });
const places = [
  ['a program', async () => program()],
  ['a server of HTTP', async () => ({ servers: { raw: { url: await serve(program()) } } })],
] as const;

describe.each(places)('in front of %s', (_, place) => {
  it('holds the server back for who reads the answer to a call later', async () => {
    const client = await HttpClient.connect(await serve(await place()));
    const params = { name: 'flood', arguments: { count }, _meta: { progressToken: 't' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    const response = await unread(client, 'POST', body);
    expect(await stalled()).toBeLessThan(count / 2);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk.replaceAll('x', '');
    const said = Array.from(text.matchAll(/^data: (.*)$/gm), ([, data]) => JSON.parse(data as string));
    expect(said.map(({ params: sent }) => sent?.progress)).toEqual([
      ...Array.from({ length: count }, (__, at) => at + 1),
      undefined,
    ]);
    expect(said.at(-1).id).toBe(1);
  });

  it('ends the stream of who does not read it, and answers its calls', async () => {
    const client = await HttpClient.connect(await serve(await place()));
    const stream = await unread(client, 'GET');
    expect(stream.statusCode).toBe(200);
    expect((await client.call('flood', { count })).result.content[0].text).toBe('flooded');
    let length = 0;
    const read = async () => {
      for await (const chunk of stream) length += chunk.length;
    };
    await expect(read()).rejects.toThrow(/aborted/);
    expect(length).toBeLessThan((count / 2) * 64 * 1024);
    // It may open another one.
    const again = await unread(client, 'GET');
    expect(again.statusCode).toBe(200);
    again.destroy();
  });
});

it('takes no more notifications than a server that reads nothing leaves room for', async () => {
  const client = await HttpClient.connect(await serve({ ...program(), listen: { port: 0, maxStreams: 4 } }));
  await client.ask('test/stall');
  const text = 'x'.repeat(1024 * 1024);
  const body = JSON.stringify({ jsonrpc: '2.0', method: 'vendor/x', params: { text } });
  const statuses: number[] = [];
  const sent = Array.from({ length: 30 }, async () => {
    const { status } = await client.send(body);
    statuses.push(status);
  });
  await expect.poll(() => statuses.filter((status) => status === 503).length).toBeGreaterThan(20);
  expect(statuses.length).toBeLessThan(sent.length);
  await fetch(client.url, { method: 'DELETE', headers: client.headers });
  await Promise.all(sent);
});
