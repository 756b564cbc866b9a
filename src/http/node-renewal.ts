/** Running a route of Node's server for nobody: the request once more, through the server, without a client. */

import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Captured } from './exchange.js';
import type { NodeRequest } from './node-types.js';

/** Headers that would make the route answer with less than all of it. */
const left = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range'];

/** A way to run a request once more. */
export type NodeRenewal = (
  arrive: (copy: NodeRequest, take: (led: Promise<Captured>) => void) => void,
) => Promise<Captured>;

/** How a request's route can be run once more; `undefined` where its server can't be told. */
export function nodeRenewal(request: NodeRequest): NodeRenewal | undefined {
  const { server } = request.socket as Socket & {
    readonly server?: { emit?(event: string, ...args: unknown[]): boolean };
  };
  if (typeof server?.emit !== 'function' || request.httpVersionMajor !== 1) return undefined;
  const headers = { ...request.headers };
  for (const name of left) delete headers[name];
  const { method, socket } = request;
  const url = request.originalUrl ?? request.url;
  return (arrive) =>
    new Promise((resolve, reject) => {
      const connection = withoutClient(socket);
      const copy: NodeRequest = new IncomingMessage(connection);
      Object.assign(copy, {
        method,
        url,
        headers,
        httpVersion: '1.1',
        httpVersionMajor: 1,
        httpVersionMinor: 1,
      });
      copy.rawHeaders = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
      copy.complete = true;
      copy.push(null);
      const response = new ServerResponse(copy);
      response.assignSocket(connection);
      response.once('finish', () => connection.destroy());
      let isTaken = false;
      // Something before the cache may have answered.
      response.once('close', () => isTaken || resolve({ why: 'aborted' }));
      arrive(copy, (led) => {
        isTaken = true;
        void led.then(resolve, reject);
      });
      server.emit?.('request', copy, response);
    });
}

/** A connection that swallows what is written, with the addresses of another. */
function withoutClient(of: Socket): Socket {
  const sink = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
    writev: (_chunks, done) => done(),
  });
  const { remoteAddress, remoteFamily, remotePort, localAddress, localPort } = of;
  const { encrypted } = of as Socket & { encrypted?: boolean };
  const itself = () => sink;
  return Object.assign(sink, {
    ...{ remoteAddress, remoteFamily, remotePort, localAddress, localPort, encrypted },
    ...{ setTimeout: itself, setKeepAlive: itself, setNoDelay: itself, ref: itself, unref: itself },
    destroySoon: () => sink.destroy(),
  }) as unknown as Socket;
}
