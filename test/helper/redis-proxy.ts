/** Stands between a client and its Redis: it passes on, swallows, delays, or cuts off. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { wait } from './child-process.js';
import { freePort } from './redis-server.js';

export class RedisProxy {
  mode: 'open' | 'black hole' | 'slow' | 'late replies' = 'open';
  /** How late replies are, in ms. */
  replyDelay = 600;
  /** How late all is, on top of that, that a server says to who subscribes to its messages, in ms. */
  messageDelay = 0;
  /** And of what it says to who does not, its answers to commands. */
  answerDelay = 0;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async before(target: number): Promise<RedisProxy> {
    const port = await freePort();
    const server = createServer();
    const proxy = new RedisProxy(server, port);
    server.on('connection', (socket) => proxy.#join(socket, connect(target, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(one: Socket, other: Socket): void {
    let subscribes = false;
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#sockets.add(from);
      let order = Promise.resolve();
      from.on('data', (bytes) => {
        if (this.mode === 'black hole') return;
        subscribes ||= from === one && bytes.includes('subscribe');
        const due = performance.now() + this.#delayOf(from === other, subscribes);
        // In their order, also when the delay ends.
        order = order
          .then(() => (due <= performance.now() ? undefined : wait(due - performance.now())))
          .then(() => {
            if (!to.destroyed) to.write(bytes);
          });
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  #delayOf(isReply: boolean, subscribes: boolean): number {
    const base = this.mode === 'slow' ? 60 : this.mode === 'late replies' && isReply ? this.replyDelay : 0;
    if (!isReply) return base;
    return base + (subscribes ? this.messageDelay : this.answerDelay);
  }
}
