/** One connection of a client: what the server asks and says during calls. */

import { randomUUID } from 'node:crypto';
import { isRecord, type LooseClient, type McpTransport } from './mcp-client.js';
import { type ListListener, ToolList } from './tool-list.js';

/** Connections whose servers have asked for the roots of their clients. */
const withRoots = new WeakSet<McpTransport>();

/** Notes whether the server asks for the client's roots, as many do before any tool is called. */
export function watchRoots(transport: McpTransport): void {
  const { onmessage } = transport;
  transport.onmessage = function (this: unknown, message: unknown, ...more: unknown[]): void {
    if (isRecord(message) && message['method'] === 'roots/list') withRoots.add(transport);
    onmessage?.call(this as never, message, ...more);
  };
}

/** A client's connection to a server. */
export class Connection {
  /** Stands for the server where nobody says which it is, and as its client has set it up by its roots. */
  id = randomUUID();
  /** Whether its server has asked for the client's roots: what it answers from then on is for this client alone. */
  hasRoots: boolean;
  readonly tools: ToolList;
  /**
   * How often something happened that may concern the calls under way alone: the server asked the user, the model or the
   * client, or its tools have changed.
   */
  incidents = 0;

  constructor(client: LooseClient, transport: McpTransport, listener: ListListener) {
    this.tools = new ToolList(client, listener);
    this.hasRoots = withRoots.has(transport);
    const { onmessage } = transport;
    const connection = this;
    transport.onmessage = function (this: unknown, message: unknown, ...more: unknown[]): void {
      connection.#note(message);
      onmessage?.call(this as never, message, ...more);
    };
  }

  #note(message: unknown): void {
    if (!isRecord(message)) return;
    const { method, id, result } = message;
    if (method === 'notifications/tools/list_changed') {
      this.incidents += 1;
      this.tools.forget();
    }
    // A request of the server's: `elicitation/create`, `sampling/createMessage`, `roots/list` …
    if (method !== undefined && id !== undefined && method !== 'ping') this.incidents += 1;
    if (method === 'roots/list') {
      this.hasRoots = true;
      // They are others than before, perhaps.
      this.id = randomUUID();
    }
    // What the client answers by itself, and calls again with: `input_required`.
    if (isRecord(result) && !isComplete(result)) this.incidents += 1;
  }
}

/** Whether a result is the whole answer to a call: no question, and no task. */
export function isComplete(result: unknown): boolean {
  if (!isRecord(result)) return true;
  const { resultType = 'complete', task } = result;
  return resultType === 'complete' && task === undefined;
}
