/** Real Redis servers for tests: found, or installed where that may be; on free ports, keeping nothing, ended by their ids. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages } from './debian-packages.js';

const names = ['redis-server', 'valkey-server'];

/** The server's program; installs it where root may, and says how to get it otherwise. */
export function serverProgram(): string {
  const isThere = (name: string) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
  const found = names.find(isThere);
  if (found !== undefined) return found;
  const problem = installPackages(['redis-server']) ?? 'it is still not there after installing it';
  const installed = names.find(isThere);
  if (installed !== undefined) return installed;
  throw new Error(
    `Expected ${names.join(' or ')} to be installed, but ${problem}: run \`apt-get install redis-server\``,
  );
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const running = new Set<RedisServer>();

/** Ends all servers of a test file. */
export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.remove()));
}

export interface RedisServerInit {
  /** Further arguments, as `['--requirepass', 'x']`. */
  readonly args?: readonly string[];
  readonly port?: number;
}

/** How it is started this time. */
interface RedisStart {
  readonly args?: readonly string[];
  /** Whether what it has printed says that it listens. */
  readonly isReady?: (said: string) => boolean;
}

export class RedisServer {
  readonly port: number;
  readonly folder = mkdtempSync(join(tmpdir(), 'toolstash-redis-'));
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  static async start({ args = [], port }: RedisServerInit = {}): Promise<RedisServer> {
    const server = new RedisServer(port ?? (await freePort()), args);
    running.add(server);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, with what its folder holds. */
  async start({
    args = [],
    isReady = (said) => said.includes('Ready to accept connections'),
  }: RedisStart = {}): Promise<void> {
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    const child = spawn(serverProgram(), [...fixed, ...this.#args, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (bytes) => {
        said += String(bytes);
        if (isReady(said)) resolve();
      });
      child.stderr.on('data', (bytes) => {
        said += String(bytes);
      });
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`redis-server ended: ${said.slice(-2_000)}`)));
    });
    child.removeAllListeners('exit');
  }

  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Ends it at once; with `SIGTERM` it may write its snapshot. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }

  /** Forgets its snapshot: it will start empty. */
  async forget(): Promise<void> {
    rmSync(join(this.folder, 'dump.rdb'), { force: true });
  }

  async remove(): Promise<void> {
    running.delete(this);
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends one command, each argument as it is, and gives the raw reply. */
  async command(...args: string[]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    const parts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
    socket.write(`*${args.length}\r\n${parts.join('')}`);
    try {
      // Sentinels end a server's clients as they promote it: without a reply then, and without an error.
      const closed = once(socket, 'close').then(() => Promise.reject(new Error(`No reply to ${args[0]}`)));
      const [reply] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer];
      return reply.toString('latin1');
    } finally {
      socket.destroy();
    }
  }
}
