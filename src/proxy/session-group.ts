/** Several servers behind one session of a client: names of tools and prompts get the server's as a prefix. */

import { messageOf } from '../errors.js';
import { isRecord } from '../mcp/mcp-client.js';
import { edited, jsonText } from './json-text.js';
import {
  errorText,
  idKey,
  kindOf,
  type Message,
  type Messages,
  parsedMessages,
  RpcError,
  recordIn,
  resultText,
} from './message.js';
import type { ToClient } from './server-link.js';
import type { Session } from './session.js';

/** What a client speaks with. */
export type ClientSession = Pick<Session, 'receive' | 'room' | 'hold' | 'idle' | 'close'>;

/** One of the servers. */
interface Member {
  readonly name: string;
  readonly session: Session;
}

type Value = Readonly<Record<string, unknown>>;

/** Between the name of a server, which holds no such thing, and the name of its tool or prompt. */
const separator = '__';
/** The lists, and what in them is named, or found by its URI. */
const lists: Readonly<Record<string, readonly [field: string, id: string]>> = {
  'tools/list': ['tools', 'name'],
  'prompts/list': ['prompts', 'name'],
  'resources/list': ['resources', 'uri'],
  'resources/templates/list': ['resourceTemplates', 'uriTemplate'],
};
/** What of a server's capabilities can be said of all. */
const capabilities = ['tools', 'prompts', 'resources', 'logging', 'completions'];
const mostPages = 64;
const methodNotFound = -32601;

/** The session of a client with several servers. */
export class SessionGroup implements ClientSession {
  readonly #members: readonly Member[];
  readonly #toClient: ToClient;
  /** What servers ask, by the id that the client is given. */
  readonly #asked = new Map<string, { readonly member: Member; readonly id: unknown }>();
  /** Whose a resource or template is, by its URI, as it was listed last. */
  readonly #owners = new Map<string, ReadonlyMap<string, Member>>();
  #ids = 0;

  /** @param open begins a session with each server */
  constructor(
    names: readonly string[],
    toClient: ToClient,
    open: (name: string, toClient: ToClient) => Session,
  ) {
    this.#toClient = toClient;
    this.#members = names.map((name) => {
      const said: ToClient = (text) => this.#said(member, text, this.#toClient);
      const member: Member = { name, session: open(name, said) };
      return member;
    });
  }

  receive(text: string, to: ToClient = this.#toClient, found: Messages = parsedMessages(text)): void {
    if (found === undefined) to(errorText(null, new RpcError({ code: -32700, message: 'Parse error' })));
    else for (const each of 'value' in found ? [found] : found) this.#receive(each, to);
  }

  room(): Promise<void> | undefined {
    const full = this.#members.flatMap(({ session }) => session.room() ?? []);
    return full.length === 0 ? undefined : Promise.all(full).then(() => undefined);
  }

  hold(isHeld: boolean): void {
    for (const { session } of this.#members) session.hold(isHeld);
  }

  async idle(): Promise<void> {
    await Promise.all(this.#members.map(({ session }) => session.idle()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ session }) => session.close()));
  }

  #receive(message: Message, to: ToClient): void {
    const { text, value } = message;
    const kind = kindOf(value);
    if (kind === 'request') {
      void this.#answer(message, to);
      return;
    }
    if (kind === 'response') {
      const asked = this.#asked.get(idKey(value['id']));
      this.#asked.delete(idKey(value['id']));
      asked?.member.session.receive(edited(text, [[['id'], jsonText(asked.id)]]), this.#to(asked.member, to));
      return;
    }
    // Of what is cancelled each knows whether it is its own.
    for (const member of this.#members) member.session.receive(text, this.#to(member, to));
  }

  async #answer(message: Message, to: ToClient): Promise<void> {
    const { id, method } = message.value;
    try {
      const member = this.#ownerOf(message);
      if (member !== undefined) {
        member.session.receive(this.#unprefixed(message), this.#to(member, to));
        return;
      }
      to(resultText(id, await this.#ofAll(message, method as string, to)), 1);
    } catch (error) {
      to(error === cancelled ? '' : errorText(id, error), 1);
    }
  }

  #ofAll(message: Message, method: string, to: ToClient): Promise<unknown> {
    if (method === 'ping') return Promise.resolve({});
    if (method === 'initialize') return this.#initialize(message, to);
    if (method === 'logging/setLevel') return this.#everywhere(message, to).then(() => ({}));
    const list = lists[method];
    if (list !== undefined) return this.#list(message, list, to);
    const what = `toolstash: can't tell which of the servers behind this proxy \`${method}\` is for`;
    return Promise.reject(new RpcError({ code: methodNotFound, message: what }));
  }

  async #initialize(message: Message, to: ToClient): Promise<unknown> {
    const answers = await Promise.all(
      this.#members.map(async (member) => ({ member, result: await this.#ask(member, message, to) })),
    );
    const versions = answers.map(({ member, result }) => `${member.name} ${result['protocolVersion']}`);
    const [first] = answers;
    const protocolVersion = first?.result['protocolVersion'];
    if (answers.some(({ result }) => result['protocolVersion'] !== protocolVersion)) {
      const what = `toolstash: the servers speak different revisions of MCP, and can't stand behind one proxy: ${versions.join(', ')}`;
      throw new RpcError({ code: -32000, message: what });
    }
    const merged = capabilities.flatMap((name) => {
      const found = answers.flatMap(({ result }) => recordIn(result, 'capabilities')[name] ?? []);
      return found.length === 0 ? [] : [[name, Object.assign({}, ...found)]];
    });
    const instructions = answers
      .filter(({ result }) => typeof result['instructions'] === 'string')
      .map(({ member, result }) => `${member.name}: ${result['instructions']}`);
    return {
      ...{ protocolVersion, capabilities: Object.fromEntries(merged) },
      serverInfo: { name: 'toolstash-proxy', version: '1' },
      ...(instructions.length > 0 && { instructions: instructions.join('\n\n') }),
    };
  }

  /** All pages of all servers as one. */
  async #list(message: Message, [field, id]: readonly [string, string], to: ToClient): Promise<unknown> {
    const found = await Promise.all(
      this.#members.map(async (member) => ({ member, items: await this.#pages(member, message, field, to) })),
    );
    const isNamed = id === 'name';
    const owners = new Map<string, Member>();
    const items = found.flatMap(({ member, items: own }) =>
      own.map((item) => {
        if (isNamed) return { ...item, name: `${member.name}${separator}${item['name']}` };
        const uri = String(item[id]);
        const other = owners.get(uri);
        if (other !== undefined && other !== member)
          throw new Error(`the servers \`${other.name}\` and \`${member.name}\` both have ${uri}`);
        owners.set(uri, member);
        return item;
      }),
    );
    if (!isNamed) this.#owners.set(field, owners);
    return { [field]: items };
  }

  async #pages(member: Member, message: Message, field: string, to: ToClient): Promise<Value[]> {
    const items: Value[] = [];
    let cursor: unknown;
    for (let page = 0; page < mostPages; page += 1) {
      const { cursor: _, ...params } = recordIn(message.value, 'params');
      const value = { ...message.value, params: cursor === undefined ? params : { ...params, cursor } };
      const result = await this.#ask(member, { text: jsonText(value), value }, to).catch(noneOfIt);
      if (Array.isArray(result[field])) items.push(...(result[field] as Value[]).filter(isRecord));
      cursor = result['nextCursor'];
      if (cursor === undefined) break;
    }
    return items;
  }

  async #everywhere(message: Message, to: ToClient): Promise<void> {
    await Promise.all(this.#members.map((member) => this.#ask(member, message, to).catch(noneOfIt)));
  }

  /** Asks one server in the client's words; its result. */
  #ask(member: Member, { text }: Message, to: ToClient): Promise<Value> {
    return new Promise((resolve, reject) => {
      const answered = (answer: string, answers = 0) => {
        if (answers === 0) return this.#said(member, answer, to);
        const found = parsedMessages(answer);
        if (found === undefined || !('value' in found)) return reject(cancelled);
        const { error, result } = found.value;
        if (error !== undefined) reject(new RpcError(error));
        else resolve(isRecord(result) ? result : {});
      };
      member.session.receive(text, Object.assign(answered, extras(to)));
    });
  }

  /** The one server that a request is for, if it is for one. */
  #ownerOf(message: Message): Member | undefined {
    const named = nameIn(message.value);
    if (named !== undefined) {
      const member = this.#members.find(({ name }) => named.name.startsWith(`${name}${separator}`));
      if (member !== undefined) return member;
      const what = `toolstash: \`${named.name}\` does not begin with the name of a server and \`${separator}\``;
      throw new RpcError({ code: -32602, message: what });
    }
    const { method } = message.value;
    const params = recordIn(message.value, 'params');
    const uri = String(method).startsWith('resources/') ? params['uri'] : recordIn(params, 'ref')['uri'];
    return typeof uri === 'string' ? this.#ownerOfUri(uri) : undefined;
  }

  #ownerOfUri(uri: string): Member {
    const all = [...this.#owners.values()].flatMap((owners) => [...owners]);
    const known = all.find(([listed]) => listed === uri);
    if (known !== undefined) return known[1];
    // By the template that agrees with it for longest before its first variable.
    const literalOf = (template: string) => template.split('{')[0] as string;
    const [best] = all
      .filter(([template]) => template.includes('{') && uri.startsWith(literalOf(template)))
      .sort(([one], [other]) => literalOf(other).length - literalOf(one).length);
    if (best !== undefined) return best[1];
    const message = `toolstash: no server behind this proxy has listed the resource ${uri}`;
    throw new RpcError({ code: -32002, message, data: { uri } });
  }

  #unprefixed({ text, value }: Message): string {
    const named = nameIn(value);
    if (named === undefined) return text;
    const own = named.name.slice(named.name.indexOf(separator) + separator.length);
    return edited(text, [[named.at, jsonText(own)]]);
  }

  /** What takes the messages of one server. */
  #to(member: Member, to: ToClient): ToClient {
    const said = (text: string, answers = 0) =>
      answers > 0 ? to(text, answers) : this.#said(member, text, to);
    return Object.assign(said, extras(to));
  }

  /** A server has said something that is no answer: what it asks gets an id that is no other server's. */
  #said(member: Member, text: string, to: ToClient): void {
    const found = parsedMessages(text);
    const value = found !== undefined && 'value' in found ? found.value : {};
    if (kindOf(value) === 'request') {
      const id = `${member.name}-${++this.#ids}`;
      this.#asked.set(idKey(id), { member, id: value['id'] });
      to(edited(text, [[['id'], jsonText(id)]]));
      return;
    }
    if (value['method'] !== 'notifications/cancelled') {
      to(text);
      return;
    }
    const { requestId } = recordIn(value, 'params');
    const asked = [...this.#asked].find(
      ([, each]) => each.member === member && idKey(each.id) === idKey(requestId),
    );
    if (asked === undefined) return;
    this.#asked.delete(asked[0]);
    to(edited(text, [[['params', 'requestId'], jsonText(asked[0].slice(1))]]));
  }
}

/** The name of the tool or prompt that a request is about, and where that stands. */
function nameIn(value: Value): { readonly name: string; readonly at: readonly string[] } | undefined {
  const params = recordIn(value, 'params');
  const isDirect = value['method'] === 'tools/call' || value['method'] === 'prompts/get';
  const name = isDirect ? params['name'] : recordIn(params, 'ref')['name'];
  if (typeof name !== 'string') return undefined;
  return { name, at: isDirect ? ['params', 'name'] : ['params', 'ref', 'name'] };
}

/** Stands for an answer that never comes. */
const cancelled = new Error('The client has cancelled the request');

type Extras = Pick<ToClient, 'origin' | 'headers' | 'rollout' | 'asStream'>;

function extras({ origin, headers, rollout, asStream }: ToClient): Extras {
  return {
    ...{ rollout, asStream },
    ...(origin !== undefined && { origin }),
    ...(headers !== undefined && { headers }),
  };
}

/** A server that does not know the method has none of it. */
function noneOfIt(error: unknown): Value {
  if (error instanceof RpcError && error.code === methodNotFound) return {};
  throw error === cancelled ? error : error instanceof RpcError ? error : new Error(messageOf(error));
}
