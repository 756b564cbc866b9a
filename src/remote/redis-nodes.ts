/** The connections to a server, or to all masters of a cluster: they begin and end together. */

import { CacheError, messageOf } from '../errors.js';
import {
  asBuffers,
  type Connection,
  connectClient,
  destroyClient,
  type RedisArgument,
  type RedisClientOptions,
} from './redis-library.js';
import type { RedisScript } from './redis-script.js';
import { RedisSubscriptions } from './redis-subscriptions.js';
import { within } from './within.js';

/** Where the servers are, and which of them has a key or channel. */
export interface RedisPlace {
  readonly nodes: readonly RedisClientOptions[];
  /** Its index; -1 where none has it. */
  nodeOf(name: string): number;
  /** The index of the one that a cluster calls so; `undefined` where it is not known. */
  nodeNamed(name: string): number | undefined;
}

/** One server, whatever is asked of it. */
export function onePlace(options: RedisClientOptions): RedisPlace {
  return { nodes: [options], nodeOf: () => 0, nodeNamed: () => undefined };
}

/** What they are connected with. */
export interface RedisNodesInit {
  readonly place: RedisPlace;
  readonly channels: Iterable<string>;
  readonly onMessage: (message: Buffer, channel: Buffer) => void;
  /** Hears once that one of them is of no use any more. */
  readonly onEnd: (error: unknown) => void;
  /** Hears of every answer. */
  readonly onAnswer: () => void;
}

/** Who hears what comes of a command. */
export interface Hearers {
  answered(reply: unknown): void;
  failed(error: unknown): void;
}

/** What a server is asked at a heartbeat: a script about one key. */
export interface Beat {
  readonly script: RedisScript;
  readonly key: string;
  /** Resolves once all is known that was changed before: also where there is no reply, which is `undefined` then. */
  readonly hear: (reply: unknown) => Promise<void>;
}

/** So many heartbeats may pass without a command. */
const mostIdleBeats = 10;

/** How far a server had answered at some time. */
interface Progress {
  readonly answers: number;
  readonly bytes: number | undefined;
}

/** A pair of connections to one server: for commands, and for messages. */
class RedisNode {
  readonly commands: Connection;
  readonly messages: Connection;
  readonly subscriptions: RedisSubscriptions;
  readonly #onAnswer: () => void;
  readonly #onElsewhere: (error: unknown) => void;
  #asked = 0;
  #answers = 0;
  #askedAtBeat = 0;
  #idleBeats = 0;

  constructor(
    commands: Connection,
    messages: Connection,
    subscriptions: RedisSubscriptions,
    { onAnswer, onEnd }: Pick<RedisNodesInit, 'onAnswer' | 'onEnd'>,
  ) {
    this.commands = commands;
    this.messages = messages;
    this.subscriptions = subscriptions;
    this.#onAnswer = onAnswer;
    this.#onElsewhere = onEnd;
  }

  /**
   * Sends a command, and tells what comes of it.
   * @param isAsking whether the key is on its way to this server, and another serves its slot still
   */
  ask(
    args: readonly RedisArgument[],
    { answered, failed }: Hearers,
    { isBinary, isAsking = false }: { readonly isBinary: boolean; readonly isAsking?: boolean },
  ): void {
    const { client } = this.commands;
    this.#asked += 1;
    // It is about the next command alone, and that one tells where it has failed.
    if (isAsking) client.sendCommand(['ASKING']).catch(() => undefined);
    const sent = isBinary ? client.sendCommand(args, asBuffers) : client.sendCommand(args);
    sent.then(
      (reply) => {
        this.#heard();
        answered(reply);
      },
      (error: unknown) => {
        this.#heard();
        // Another has the key, or has taken this one's place: where that is, is asked anew.
        if (/^(?:MOVED|READONLY) /.test(messageOf(error))) this.#onElsewhere(error);
        failed(error);
      },
    );
  }

  /** Sends a command. */
  send(args: readonly RedisArgument[], isBinary: boolean, isAsking = false): Promise<unknown> {
    return new Promise((answered, failed) => this.ask(args, { answered, failed }, { isBinary, isAsking }));
  }

  #heard(): void {
    this.#answers += 1;
    this.#onAnswer();
  }

  /** Sends a sign of life from time to time where nothing else is sent: servers may end what is idle. */
  keepAlive(): void {
    this.#idleBeats = this.#asked === this.#askedAtBeat ? this.#idleBeats + 1 : 0;
    if (this.#idleBeats === mostIdleBeats) {
      this.#idleBeats = 0;
      // Whether it is answered shows on the other connection too.
      this.send(['PING'], false).catch(() => undefined);
    }
    this.#askedAtBeat = this.#asked;
  }

  /** Asks by the connection for messages: what was published before comes before the answer. */
  async ping(beat: Beat | undefined): Promise<void> {
    const { client } = this.messages;
    if (beat === undefined) {
      await client.sendCommand(['PING']);
      return;
    }
    const { script, key, hear } = beat;
    const reply = await client
      .sendCommand(['EVALSHA', script.sha1, '1', key])
      .catch((error: unknown) => {
        if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
        return client.sendCommand(['EVAL', script.text, '1', key]);
      })
      .catch((error: unknown) => {
        // Half-way to another server it is neither here nor there.
        if (!/^(?:ASK|TRYAGAIN) /.test(messageOf(error))) throw error;
      });
    await hear(reply);
  }

  get progress(): Progress {
    return { answers: this.#answers, bytes: this.commands.bytesRead() };
  }

  /** Whether it was asked, and has said nothing at all since. */
  isSilentSince({ answers, bytes }: Progress): boolean {
    return this.#asked > this.#answers && this.#answers === answers && this.commands.bytesRead() === bytes;
  }
}

export class RedisNodes {
  readonly #nodes: readonly RedisNode[];
  readonly #place: RedisPlace;

  private constructor(nodes: readonly RedisNode[], place: RedisPlace) {
    this.#nodes = nodes;
    this.#place = place;
  }

  /** Begins to connect. */
  static async of({ place, channels, onMessage, onEnd, onAnswer }: RedisNodesInit): Promise<RedisNodes> {
    const nodes = await Promise.all(
      place.nodes.map(async (options, at) => {
        const [commands, messages] = await Promise.all([
          connectClient({ ...options, RESP: 2 }, onEnd),
          connectClient({ ...options, RESP: 3 }, onEnd),
        ]);
        const own = { [Symbol.iterator]: () => channelsOf(channels, place, at) };
        const subscriptions = new RedisSubscriptions(messages.client, own, onMessage);
        return new RedisNode(commands, messages, subscriptions, { onAnswer, onEnd });
      }),
    );
    return new RedisNodes(nodes, place);
  }

  get count(): number {
    return this.#nodes.length;
  }

  /** The index of who has a key, or that name. */
  nodeOf(name: string): number {
    return this.#place.nodeOf(name);
  }

  /** Resolves once all are connected and subscribed to. */
  async connected(timeoutMs: number, scripts: readonly RedisScript[]): Promise<void> {
    const all = this.#nodes.flatMap(({ commands, messages }) => [commands.connected, messages.connected]);
    await within(timeoutMs, Promise.all(all));
    await this.follow((subscriptions) => subscriptions.begin());
    for (const { commands } of this.#nodes) {
      for (const { text } of scripts)
        commands.client.sendCommand(['SCRIPT', 'LOAD', text]).catch(() => undefined);
    }
  }

  /** Does something with the subscriptions of all. */
  async follow(what: (subscriptions: RedisSubscriptions) => Promise<void>): Promise<void> {
    await Promise.all(this.#nodes.map(({ subscriptions }) => what(subscriptions)));
  }

  /** Sends a command to who has its first key, or that name, or is of that index. */
  command(args: readonly RedisArgument[], at: number | string = String(args[1])): Promise<unknown> {
    return new Promise((answered, failed) => this.ask(args, at, { answered, failed }));
  }

  /** `command`, which tells what comes of it. */
  ask(args: readonly RedisArgument[], at: number | string, { answered, failed }: Hearers): void {
    let node: RedisNode;
    try {
      node = this.#node(typeof at === 'number' ? at : this.#place.nodeOf(at));
    } catch (error) {
      failed(error);
      return;
    }
    const again = (error: unknown) => void this.#askAgain(error, args).then(answered, failed);
    node.ask(args, { answered, failed: again }, { isBinary: true });
  }

  /** What has failed with an error, asked of another server where that is what it says. */
  #askAgain(error: unknown, args: readonly RedisArgument[]): Promise<unknown> {
    if (args[0] !== 'MGET' || !/^(?:ASK|TRYAGAIN) /.test(messageOf(error)))
      return this.#ask(error, args, true);
    // Their slot is half-way to another server: some may be there, some here.
    return Promise.all(args.slice(1).map((key) => this.command(['GET', key])));
  }

  async run(
    { sha1, text }: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const node = this.#node(this.#place.nodeOf(keys[0] ?? ''));
    const rest = [String(keys.length), ...keys, ...args];
    const send = (sent: readonly RedisArgument[]) =>
      node.send(sent, false).catch((error: unknown) => this.#ask(error, sent, false));
    try {
      return await send(['EVALSHA', sha1, ...rest]);
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error;
      return await send(['EVAL', text, ...rest]);
    }
  }

  /** Asks the server to which a key is on its way, if that is what an error says, and it is known. */
  #ask(error: unknown, args: readonly RedisArgument[], isBinary: boolean): Promise<unknown> {
    const [, name = ''] = /^ASK \d+ (\S+)$/.exec(messageOf(error)) ?? [];
    const at = this.#place.nodeNamed(name);
    return at === undefined ? Promise.reject(error) : this.#node(at).send(args, isBinary, true);
  }

  /**
   * Asks all whether they are alive; what was published before has come once that resolves. Rejects where one does not serve
   * any more what it is asked about.
   */
  async ping(timeoutMs: number, beatOf: (at: number) => Beat | undefined): Promise<void> {
    const pings = this.#nodes.map((node, at) => {
      node.keepAlive();
      return node.ping(beatOf(at));
    });
    await within(timeoutMs, Promise.all(pings));
  }

  progress(): readonly Progress[] {
    return this.#nodes.map((node) => node.progress);
  }

  /** Whether one was asked, and has said nothing at all since. */
  hasSilentOne(since: readonly Progress[]): boolean {
    return this.#nodes.some((node, at) => node.isSilentSince(since[at]!));
  }

  destroy(): void {
    for (const { commands, messages } of this.#nodes) {
      destroyClient(commands.client);
      destroyClient(messages.client);
    }
  }

  #node(at: number): RedisNode {
    const node = this.#nodes[at];
    if (node === undefined) throw new CacheError('ERR_STORAGE', 'No server of the cluster has this key');
    return node;
  }
}

function* channelsOf(channels: Iterable<string>, place: RedisPlace, at: number): Generator<string> {
  for (const channel of channels) if (place.nodeOf(channel) === at) yield channel;
}
