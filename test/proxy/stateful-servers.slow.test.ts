/** Public servers that keep state: random programs of reads and writes come to the same with and without the proxy. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type BuiltCommandLine, buildCommandLine } from '../cli/built-command-line.js';
import { closeAll, type Server, servers, stdio1 } from '../mcp/stdio.js';

let commandLine: BuiltCommandLine;
let folder: string;
beforeAll(async () => {
  commandLine = await buildCommandLine();
});
afterAll(() => commandLine.remove());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
});
afterEach(async () => {
  await closeAll();
  await rm(folder, { recursive: true });
});

const steps = 400;
const seed = Date.now() % 2 ** 31;

/** A call of a tool, in a place of its own. */
type Call = (place: string) => { readonly name: string; readonly arguments: object };

/** The answers of a server, straight and through the proxy, and how many were stored. */
async function compared(make: (place: string) => Server, tools: object, calls: readonly Call[]) {
  const config = join(folder, 'proxy.json');
  const answersOf = async (place: string, isProxied: boolean) => {
    await mkdir(place);
    const env = { MEMORY_FILE_PATH: join(place, 'memory.jsonl') };
    const args = make(place);
    const files = { command: process.execPath, args, tools, identity: 'x', principal: null };
    await writeFile(config, JSON.stringify({ servers: { files } }));
    const server: Server = isProxied ? [commandLine.script, 'proxy', '--config', config] : args;
    const { client } = await stdio1.open(server, { env, hasRoots: false });
    const found: string[] = [];
    for (const call of calls) {
      const answer = await client.callTool(call(place) as never).catch(String);
      found.push(JSON.stringify(answer).replaceAll(place, '<place>'));
    }
    return found;
  };
  const direct = await answersOf(join(folder, 'direct'), false);
  const proxied = await answersOf(join(folder, 'proxied'), true);
  let hits = 0;
  for (const [at, text] of proxied.entries()) {
    const { _meta, ...answer } = JSON.parse(text);
    if (_meta?.['toolstash/answer']?.source === 'memory') hits += 1;
    expect(answer, `seed ${seed}, step ${at}: ${JSON.stringify(calls[at]?.('<place>'))}`).toEqual(
      JSON.parse(direct[at] as string),
    );
  }
  return hits;
}

const drawn = (call: fc.Arbitrary<Call>) => fc.sample(call, { numRuns: steps, seed });
const file = fc.constantFrom('a', 'b', 'c/a', 'c/./a', 'A');

it(`server-filesystem (seed ${seed})`, async () => {
  const of = (name: string, more: object = {}) =>
    file.map(
      (path): Call =>
        (place) => ({ name, arguments: { path: join(place, path), ...more } }),
    );
  const fixed = (name: string, args: (place: string) => object): fc.Arbitrary<Call> =>
    fc.constant((place) => ({ name, arguments: args(place) }));
  const hits = await compared(
    (place) => servers.filesystem(place),
    {
      'read_*': { effect: { reads: ['fs:{path}'] } },
      read_multiple_files: { effect: { reads: ['fs:**'] } },
      list_directory: { effect: { reads: ['fs:{path}'] } },
      search_files: { effect: { reads: ['fs:{path}'] } },
      'write_*': { effect: { writes: ['fs:{path}'] } },
      edit_file: { effect: { reads: ['fs:{path}'], writes: ['fs:{path}'] } },
      move_file: { effect: { writes: ['fs:{source}', 'fs:{destination}'] } },
      list_allowed_directories: {},
    },
    drawn(
      fc.oneof(
        { weight: 8, arbitrary: of('read_text_file') },
        { weight: 3, arbitrary: fixed('list_directory', (path) => ({ path })) },
        { weight: 2, arbitrary: fixed('search_files', (path) => ({ path, pattern: '**/a' })) },
        {
          weight: 2,
          arbitrary: fixed('read_multiple_files', (place) => ({
            paths: [join(place, 'a'), join(place, 'b')],
          })),
        },
        { weight: 1, arbitrary: fixed('list_allowed_directories', () => ({})) },
        { weight: 1, arbitrary: fixed('create_directory', (place) => ({ path: join(place, 'c') })) },
        {
          weight: 2,
          arbitrary: fc.nat(3).chain((content) => of('write_file', { content: `text ${content}` })),
        },
        { weight: 1, arbitrary: of('edit_file', { edits: [{ oldText: 'text', newText: 'new text' }] }) },
        {
          weight: 1,
          arbitrary: fixed('move_file', (place) => ({
            source: join(place, 'a'),
            destination: join(place, 'b'),
          })),
        },
      ),
    ),
  );
  expect(hits).toBeGreaterThan(50);
});

it(`server-memory (seed ${seed})`, async () => {
  const name = fc.constantFrom('ada', 'bob', 'Ada');
  const of = (tool: string, args: (name: string) => object) =>
    name.map(
      (each): Call =>
        () => ({ name: tool, arguments: args(each) }),
    );
  const hits = await compared(
    () => servers.memory,
    {
      read_graph: { effect: { reads: ['graph'] } },
      search_nodes: { effect: { reads: ['graph'] } },
      open_nodes: { effect: { reads: ['graph'] } },
      'create_*': { effect: { writes: ['graph'] } },
      'add_*': { effect: { writes: ['graph'] } },
    },
    drawn(
      fc.oneof(
        { weight: 3, arbitrary: of('read_graph', () => ({})) },
        { weight: 6, arbitrary: of('search_nodes', (query) => ({ query })) },
        { weight: 3, arbitrary: of('open_nodes', (each) => ({ names: [each] })) },
        {
          weight: 1,
          arbitrary: of('create_entities', (each) => ({
            entities: [{ name: each, entityType: 'person', observations: [] }],
          })),
        },
        {
          weight: 1,
          arbitrary: of('add_observations', (entityName) => ({
            observations: [{ entityName, contents: ['wrote'] }],
          })),
        },
        { weight: 1, arbitrary: of('delete_entities', (each) => ({ entityNames: [each] })) },
      ),
    ),
  );
  expect(hits).toBeGreaterThan(50);
});
