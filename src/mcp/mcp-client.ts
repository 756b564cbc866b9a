/** What is used of a client of the MCP SDK, version 1 or 2. */

/** A client of the MCP SDK, version 1 or 2, told by its structure. */
export interface McpClient {
  /** Calls a tool of the server. */
  callTool(...args: never[]): Promise<unknown>;
  /** Lists the tools of the server. */
  listTools(...args: never[]): Promise<unknown>;
  /** Sends any request. */
  request(...args: never[]): Promise<unknown>;
  /** What the server calls itself, once connected. */
  getServerVersion(): object | undefined;
  /** The connection; `undefined` without one. */
  readonly transport?: object | undefined;
}

/** The same as functions that take what they are given. */
export interface LooseClient {
  callTool(...args: readonly unknown[]): Promise<unknown>;
  listTools(...args: readonly unknown[]): Promise<unknown>;
  request(request: object, schema: object, options: object): Promise<unknown>;
  getServerVersion(): { readonly name: string; readonly version: string } | undefined;
  getNegotiatedProtocolVersion?(): string | undefined;
  readonly transport?: McpTransport | undefined;
}

/** A connection, as the SDK's transports are. */
export interface McpTransport {
  onmessage?: ((message: unknown, ...more: unknown[]) => void) | undefined;
}

/** A tool as the server defines it. */
export interface McpTool {
  readonly name: string;
  readonly annotations?: {
    readonly readOnlyHint?: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
  };
  readonly execution?: { readonly taskSupport?: string };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
