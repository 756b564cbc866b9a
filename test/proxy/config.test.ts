/** The config of a proxy: what is refused, and with which words. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig, resolveConfig } from '../../src/proxy/index.js';

const server = { command: 'npx', args: ['x'] };
const withServer = (more: object) => ({ servers: { docs: { ...server, ...more } } });

const variable = (name: string) => ['$', `{${name}}`].join('');

const wrong: readonly (readonly [string, object, RegExp])[] = [
  ['no server', {}, /`servers` to be an object of servers by name/],
  [
    'a misspelt field',
    { server: {} },
    /Unknown field `server` of the config of a proxy: did you mean `servers`\?/,
  ],
  [
    'one of a server',
    withServer({ tool: {} }),
    /Unknown field `tool` of `servers.docs`: did you mean `tools`\?/,
  ],
  ['one of a rule', withServer({ tools: { a: { tll: 1 } } }), /`servers.docs.tools`: .*did you mean `ttl`\?/],
  ['no program', { servers: { docs: {} } }, /`servers.docs.command` to be a path/],
  ['other arguments', withServer({ args: 'x' }), /`servers.docs.args` to be a list of strings/],
  [
    'an identity without principal',
    withServer({ identity: 'docs' }),
    /`servers.docs.principal` with `identity`/,
  ],
  [
    'a principal without identity',
    withServer({ principal: null }),
    /`servers.docs.identity` with `principal`/,
  ],
  ['a principal without a name', withServer({ identity: 'docs', principal: '' }), /`principal`/],
  ['stored errors', withServer({ tools: { a: { cacheErrors: true } } }), /a proxy stores no errors/],
  [
    'stored errors of all',
    { ...withServer({}), cache: { cacheErrors: true } },
    /`cache.cacheErrors` can't be set/,
  ],
  [
    'an effect of none',
    withServer({ tools: { a: { effect: {} } } }),
    /`servers.docs.tools`: .*`a.effect` to name a resource/,
  ],
  [
    'options of a tool that writes',
    withServer({ tools: { a: { effect: { writes: ['x'] }, ttl: '5m' } } }),
    /`ttl` of the rule `a` does nothing/,
  ],
  [
    'a renewal of what depends on what was done',
    withServer({ tools: { a: { effect: { reads: ['x'] }, staleWhileRevalidate: '5m' } } }),
    /`staleWhileRevalidate` of the rule `a` does nothing/,
  ],
  ['a scope of no kind', withServer({ tools: { a: { scope: 'acme' } } }), /`a.scope` to be 'global', 'task'/],
  ['no sample', withServer({ tools: { a: { samples: 0 } } }), /`a.samples`/],
  [
    'all tools as pure beside effects',
    withServer({ tools: { a: { samples: 2 }, '*': {} } }),
    /`effects\['\*'\]`/,
  ],
  ['rollouts of which nothing depends', { ...withServer({}), rollouts: {} }, /`rollouts` does nothing/],
  [
    'a header that is none',
    { ...withServer({ tools: { a: { samples: 2 } } }), rollouts: { task: { header: 'a b' } } },
    /`rollouts.task.header` to be the name of a header/,
  ],
  [
    'a misspelt source of a name',
    { ...withServer({ tools: { a: { samples: 2 } } }), rollouts: { id: { mata: 'x' } } },
    /Unknown field `mata` of `rollouts.id`: did you mean `meta`\?/,
  ],
  [
    'a variable that is not there',
    withServer({ args: [variable('NO_SUCH')] }),
    /`servers.docs.args\[0\]` needs/,
  ],
];

const http = { url: 'https://docs.example/mcp' };
const withHttp = (more: object, listen = {}) => ({
  servers: { docs: { ...http, ...more } },
  listen: { port: 0, ...listen },
});
const wrongHttp: readonly (readonly [string, object, RegExp])[] = [
  [
    'a password in a URL',
    withHttp({ url: 'http://user:hunter2@docs.example' }),
    /^(?!.*hunter2).*`servers.docs.url` can't hold a name/,
  ],
  [
    'a header of two lines',
    withHttp({ headers: { 'X-Key': 'hunter2\nhunter2' } }),
    /^(?!.*hunter2).*`servers.docs.headers.X-Key` to be what a header can say/,
  ],
  [
    'a header that is set and sent on',
    withHttp({ headers: { Authorization: 'Bearer x' }, forwardHeaders: ['authorization'] }),
    /`servers.docs.headers` sets it/,
  ],
  [
    'its own token to be sent on',
    withHttp({ forwardHeaders: ['Authorization'] }, { token: 'a token of some length' }),
    /can't hold `authorization` with `listen.token`/,
  ],
];

describe('the config', () => {
  it.each(wrongHttp)('refuses %s', (_, config, message) => {
    expect(() => resolveConfig(config as never)).toThrow(message);
  });

  it.each(wrong)('refuses %s', (_, config, message) => {
    expect(() => resolveConfig(config as never)).toThrow(message);
  });

  it('takes variables from the environment, and a folder from where the file is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toolstash-proxy-'));
    const path = join(folder, 'proxy.json');
    process.env['PROXY_TEST_KEY'] = 'key';
    await writeFile(
      path,
      JSON.stringify(withServer({ cwd: 'docs', env: { A: `${variable('PROXY_TEST_KEY')}!` } })),
    );
    const { servers } = await readConfig(path);
    expect(servers[0]?.place).toMatchObject({ cwd: join(folder, 'docs'), env: { A: 'key!' } });
    await writeFile(path, '{');
    await expect(readConfig(path)).rejects.toThrow(`Can't use the config \`${path}\`: `);
    delete process.env['PROXY_TEST_KEY'];
    await rm(folder, { recursive: true });
  });

  it('has a schema that knows its fields, and an example that it takes', async () => {
    const read = (path: string) =>
      JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
    const schema = read('src/proxy/proxy.schema.json');
    const known = (config: object) => {
      try {
        resolveConfig(config as never);
        return '';
      } catch (error) {
        return String(error);
      }
    };
    for (const field of Object.keys(schema.$defs.server.properties))
      expect(known(withServer({ [field]: 7 }))).not.toContain('Unknown');
    for (const field of Object.keys(schema.$defs.rule.properties))
      expect(known(withServer({ tools: { a: { [field]: [] } } }))).not.toContain('Unknown');
    expect(known(withServer({ x: 1 }))).toContain(
      `Known: ${Object.keys(schema.$defs.server.properties).join(', ')}`,
    );
    const tracked = withServer({ tools: { a: { samples: 2 } } });
    for (const field of Object.keys(schema.properties.rollouts.properties))
      expect(known({ ...tracked, rollouts: { [field]: 7 } })).not.toContain('Unknown');
    for (const field of Object.keys(schema.properties))
      expect(known({ [field]: 7 })).not.toContain('Unknown');
    const example = resolveConfig(read('examples/mcp-proxy/proxy.json'));
    expect(example.servers[0]?.rules).toHaveProperty('read_*');
  });
});
