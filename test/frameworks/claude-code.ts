/**
 * Plays Claude Code to the Claude Agent SDK. That is a program of its own, without sources, which an optional package brings
 * and which asks a model over the network: without it `query` says "Native CLI binary for linux-x64 not found". So what the
 * program itself makes of a tool's result is not tested. All of the SDK is: `query`, its control protocol, its MCP servers.
 */

import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { SpawnedProcess } from '@anthropic-ai/claude-agent-sdk';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { type Script, turnOf } from './scenario.js';

type Message = Readonly<Record<string, unknown>>;

/** A process that calls the tools of a server as the script says, tells the results of each turn, and ends. */
export function scriptedClaudeCode(serverName: string, script: Script, signal?: AbortSignal): SpawnedProcess {
  return new ScriptedClaudeCode(serverName, script, signal) as unknown as SpawnedProcess;
}

class ScriptedClaudeCode extends EventEmitter {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  killed = false;
  exitCode: number | null = null;
  readonly #server: string;
  readonly #script: Script;
  readonly #signal: AbortSignal | undefined;
  readonly #asked = new Map<unknown, (response: Message) => void>();
  #onmessage: ((message: JSONRPCMessage) => void) | undefined;
  #requests = 0;

  constructor(server: string, script: Script, signal: AbortSignal | undefined) {
    super();
    this.#server = server;
    this.#script = script;
    this.#signal = signal;
    createInterface({ input: this.stdin }).on('line', (line) => this.#receive(JSON.parse(line) as Message));
    this.stdin.on('end', () => this.#exit());
  }

  kill(): boolean {
    this.killed = true;
    this.#exit();
    return true;
  }

  #exit(): void {
    if (this.exitCode !== null) return;
    this.exitCode = 0;
    this.stdout.end();
    this.emit('exit', 0, null);
  }

  #receive(message: Message): void {
    const { type, request_id, request, response } = message as Record<string, Message>;
    if ((type as unknown) === 'control_response')
      this.#asked.get(response?.['request_id'])?.(response as Message);
    else if ((type as unknown) === 'user') void this.#converse();
    else if ((type as unknown) === 'control_request') {
      const { subtype, message: sent } = request as Message;
      if (subtype === 'mcp_message') this.#onmessage?.(sent as JSONRPCMessage);
      const answer = { subtype: 'success', request_id, response: { commands: [], models: [], account: {} } };
      this.#send({ type: 'control_response', response: answer });
    }
  }

  async #converse(): Promise<void> {
    const client = new Client({ name: 'scripted', version: '1' });
    await client.connect(this.#transport());
    for (let turn = 0; ; turn++) {
      const calls = turnOf(this.#script, turn);
      if (typeof calls === 'string') break;
      const results = calls.map(([name, args]) =>
        client.callTool(
          { name, arguments: { ...args } },
          undefined,
          this.#signal && { signal: this.#signal },
        ),
      );
      const content = (await Promise.allSettled(results)).map((each) =>
        each.status === 'fulfilled' ? each.value : { aborted: String(each.reason) },
      );
      this.#send({ type: 'user', message: { role: 'user', content }, parent_tool_use_id: null });
    }
    this.#send({ type: 'result', subtype: 'success', is_error: false, result: 'done' });
  }

  /** To the SDK, which hands it on to the server. */
  #transport(): Parameters<Client['connect']>[0] {
    const transport: Parameters<Client['connect']>[0] = {
      start: async () => {
        this.#onmessage = (message) => transport.onmessage?.(message);
      },
      close: async () => transport.onclose?.(),
      send: async (message) => {
        const { mcp_response } = await this.#ask({
          ...{ subtype: 'mcp_message', server_name: this.#server, message },
        });
        if ('id' in message) transport.onmessage?.(mcp_response as JSONRPCMessage);
      },
    };
    return transport;
  }

  #ask(request: Message): Promise<Message> {
    const request_id = `request ${++this.#requests}`;
    return new Promise((resolve, reject) => {
      this.#asked.set(request_id, ({ subtype, response, error }) => {
        this.#asked.delete(request_id);
        if (subtype === 'success') resolve(response as Message);
        else reject(new Error(String(error)));
      });
      this.#send({ type: 'control_request', request_id, request });
    });
  }

  #send(message: Message): void {
    this.stdout.write(`${JSON.stringify({ session_id: 'session', uuid: 'uuid', ...message })}\n`);
  }
}
