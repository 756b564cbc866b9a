/** A client of raw JSON-RPC in front of a proxy of this process. */

import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { type ProxyConfig, resolveConfig, serveStdio } from '../../src/proxy/index.js';

export const rawServer = fileURLToPath(new URL('raw-server.mjs', import.meta.url));

/** A message, as it came. */
export interface Received {
  readonly text: string;
  // Whatever a server says.
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly value: any;
}

/** The config of one raw server. */
export function configOf(server: Partial<ProxyConfig['servers'][string]> = {}): ProxyConfig {
  return { servers: { raw: { command: process.execPath, args: [rawServer], ...server } } };
}

const open: RawClient[] = [];

/** A client, and its proxy. */
export class RawClient {
  readonly received: Received[] = [];
  readonly #input = new PassThrough();
  readonly #leaving = new AbortController();
  readonly ended: Promise<void>;
  #ids = 0;

  /** @param isLoose whether the server may send what is no JSON */
  constructor(config: ProxyConfig, cache = new CacheManager(), isLoose = false) {
    const output = new PassThrough();
    let rest = '';
    output.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() as string;
      for (const text of lines) this.received.push({ text, value: parsed(text, isLoose) });
    });
    const { signal } = this.#leaving;
    this.ended = serveStdio(resolveConfig(config), cache, { input: this.#input, output, signal });
    open.push(this);
  }

  /** A client that has been welcomed. */
  static async connect(config: ProxyConfig, cache?: CacheManager): Promise<RawClient> {
    const client = new RawClient(config, cache);
    await client.ask('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'raw' },
    });
    client.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    return client;
  }

  send(text: string): void {
    this.#input.write(`${text}\n`);
  }

  /** Sends a request; the id, under which its answer comes. */
  request(method: string, params: object = {}, id: string | number = ++this.#ids): string | number {
    this.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return id;
  }

  /** The answer to a request. */
  async answer(id: string | number | null): Promise<Received> {
    const find = () => this.received.find(({ value }) => value.id === id && value.method === undefined);
    await expect.poll(find, { interval: 5 }).toBeDefined();
    return find() as Received;
  }

  async ask(method: string, params?: object) {
    return (await this.answer(this.request(method, params))).value;
  }

  call(name: string, args: object = {}, more: object = {}) {
    return this.ask('tools/call', { name, arguments: args, ...more });
  }

  /** What the server has received. */
  async arrived(): Promise<string[]> {
    return (await this.ask('test/received')).result.received;
  }

  /** Closes the client's side. */
  leave(): Promise<void> {
    this.#input.end();
    return this.ended;
  }

  /** The proxy is told to end. */
  stop(): Promise<void> {
    this.#leaving.abort();
    return this.ended;
  }
}

/** Ends all proxies. */
export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((client) => client.stop()));
}

/** Whether a process is still there. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function parsed(text: string, isLoose: boolean): unknown {
  try {
    // What is no message has no id.
    return isLoose ? (JSON.parse(text) ?? {}) : JSON.parse(text);
  } catch (error) {
    if (isLoose) return {};
    throw error;
  }
}
