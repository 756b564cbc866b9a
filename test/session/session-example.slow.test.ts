/** The guide's example, as it is run by its readers. */

import { afterAll, expect, it } from 'vitest';
import { compilePrograms, root } from '../helper/compiled-programs.js';
import { RedisServer, stopServers } from '../helper/redis-server.js';

afterAll(stopServers);

it('a conversation goes on elsewhere when its node is killed', async () => {
  const file = `${root}/examples/sessions/three-nodes.ts`;
  const server = await RedisServer.start();
  const programs = await compilePrograms([file], { experimentalDecorators: false, formats: ['esm'] });
  process.env['REDIS_URL'] = server.url;
  try {
    const { stdout, stderr } = await programs.run('three-nodes', 'mjs');
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /^node 1: hello\nnode 1: hello, still there\?\nnode 1 was killed\nnode [23]: hello, still there\?, where were we\?\nit goes on elsewhere: true\n$/,
    );
  } finally {
    delete process.env['REDIS_URL'];
    programs.remove();
  }
});
