/** `--redis` with the nodes of a real cluster. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { CacheManager } from '../../src/index.js';
import { redis } from '../../src/redis/index.js';
import { RedisCluster } from '../helper/redis-cluster.js';
import { stopServers } from '../helper/redis-server.js';
import { RedisCertificate } from '../helper/redis-tls.js';
import { buildCommandLine } from './built-command-line.js';
import { type CommandLine, openCommandLine } from './open-command-line.js';

let commandLine: CommandLine;
let built: CommandLine;
let cluster: RedisCluster;
const secret = 'a,b/c';

beforeAll(async () => {
  // A process of its own reads which certificates it trusts.
  built = await buildCommandLine();
  commandLine = await openCommandLine();
  cluster = await RedisCluster.start();
  for (const node of cluster.nodes)
    await node.command('ACL', 'SETUSER', 'me', 'on', `>${secret}`, '~*', '&*', '+@all');
}, 120_000);
afterAll(async () => {
  await commandLine.remove();
  await built.remove();
  await stopServers();
});

/** Two of the nodes, which tell of the third. */
const nodes = () =>
  cluster.nodes
    .slice(0, 2)
    .map(({ port }) => `redis://me:${secret}@127.0.0.1:${port}`)
    .join(',');

async function toolstash(args: readonly string[], input?: string) {
  const run = await commandLine.run([...args, '--redis', nodes()], input);
  expect(run.stdout + run.stderr).not.toContain(secret);
  return run;
}

test('the commands read all nodes, and running caches hear of what they change', async () => {
  const remote = redis({ cluster: cluster.options, remoteTimeout: '5s', heartbeat: 200 });
  const cache = await CacheManager.open({ remote, keepParams: true });
  for (let n = 0; n < 30; n += 1) await cache.set('search', n, `value ${n}`);
  await cache.flush();
  expect(await toolstash(['get', 'search', '7'])).toMatchObject({ exitCode: 0, stdout: '"value 7"\n' });
  const inspected = await toolstash(['inspect', '--json']);
  expect(inspected).toMatchObject({ exitCode: 0, stderr: '' });
  expect(JSON.parse(inspected.stdout)).toMatchObject({ values: 30 });
  const { stdout: exported } = await toolstash(['export']);
  expect(exported.trim().split('\n')).toHaveLength(30);

  expect(await toolstash(['delete', 'search', '7'])).toMatchObject({ exitCode: 0 });
  await expect.poll(() => cache.get('search', 7)).toBeUndefined();
  expect(await toolstash(['get', 'search', '7'])).toMatchObject({ exitCode: 1 });
  const another = ['--redis-prefix', 'another'];
  expect(await toolstash(['import', ...another], exported)).toMatchObject({ exitCode: 0 });
  expect(await toolstash(['get', 'search', '7', ...another])).toMatchObject({ stdout: '"value 7"\n' });
  await cache.close();
});

test('a cluster by TLS, as the environment says', async () => {
  const certificate = new RedisCertificate();
  const secured = await RedisCluster.start({ certificate });
  await secured.closeAllButTls(secret);
  const urls = secured.tlsPorts.map((port) => `rediss://:${secret}@localhost:${port}`).join(',');
  const environment = { REDIS_URL: urls, NODE_EXTRA_CA_CERTS: certificate.path };
  try {
    Object.assign(process.env, environment);
    const run = async (args: readonly string[], input?: string) => {
      const ran = await built.run([...args, '--redis'], input);
      expect(ran.stdout + ran.stderr).not.toContain(secret);
      return ran;
    };
    const lines = ['1', '2'].map((q) =>
      JSON.stringify({ method: 'search', params: { q }, result: `value ${q}` }),
    );
    expect(await run(['import'], lines.join('\n'))).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await run(['get', 'search', '{"q":"2"}'])).toMatchObject({ stdout: '"value 2"\n' });
    // Without the certificate nobody gets in.
    delete process.env['NODE_EXTRA_CA_CERTS'];
    expect(await run(['get', 'search', '{"q":"2"}'])).toMatchObject({ exitCode: 2 });
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    certificate.remove();
  }
});
