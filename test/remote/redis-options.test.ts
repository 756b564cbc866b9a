import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { resolveRedisOptions } from '../../src/remote/redis-options.js';

const at = (options: object, environment = {}) => resolveRedisOptions(options, environment).client;

describe('the options of redis()', () => {
  it('have defaults', () => {
    expect(resolveRedisOptions({}, {})).toMatchObject({
      client: { socket: { host: 'localhost', port: 6379 }, database: 0 },
      ...{ prefix: 'toolstash', remoteTimeout: 100, waitTimeout: 10_000, leaseTtl: 5_000, heartbeat: 1_000 },
      ...{ bound: 1_500, maxTtl: 30 * 86_400_000, queueLimit: 10_000, awaitWrites: false },
    });
  });

  it.each([
    ['redis://', { socket: { host: 'localhost', port: 6379 } }],
    ['redis://cache:6380/3', { socket: { host: 'cache', port: 6380 }, database: 3 }],
    ['rediss://[::1]:7000', { socket: { host: '::1', port: 7000, tls: true } }],
    ['redis://:p@ss/w:rd#?%@host', { socket: { host: 'host' }, password: 'p@ss/w:rd#?%' }],
    ['redis://me:p%40%2F@host', { username: 'me', password: 'p@/' }],
    ['redis://:100%@host', { password: '100%' }],
    ['unix:///run/redis.sock', { socket: { path: '/run/redis.sock' } }],
  ])('read %s', (url, expected) => {
    expect(at({ url })).toMatchObject(expected);
    expect(at({}, { REDIS_URL: url, REDIS_HOST: 'elsewhere' })).toMatchObject(expected);
  });

  it('read several URLs as nodes of a cluster', () => {
    const [one, other] = ['rediss://me:a,b/c@one:7000', 'rediss://two'];
    const cluster = { rootNodes: [{ url: one }, { url: other }], defaults: { socket: { ca: 'x' } } };
    const more = { clientOptions: { socket: { ca: 'x' } } };
    expect(resolveRedisOptions({ url: `${one},${other}`, ...more }, {})).toMatchObject({ cluster });
    const environment = { REDIS_URL: `${one}, ${other}`, REDIS_DB: '3' };
    expect(resolveRedisOptions(more, environment)).toMatchObject({ cluster, database: 0 });
    // What is given in the program goes before what the environment says.
    for (const given of [{ url: one }, { client: { options: { socket: { host: 'h' } } } }])
      expect(resolveRedisOptions(given, environment).cluster).toBeUndefined();
    expect(at({ url: one })).toMatchObject({ password: 'a,b/c', socket: { host: 'one' } });
  });

  it('read the environment, in which what is empty is not there', () => {
    const environment = {
      REDIS_HOST: 'h',
      REDIS_PORT: '1234',
      REDIS_USERNAME: 'u',
      REDIS_PASSWORD: '%/@',
      REDIS_DB: '2',
    };
    expect(at({}, { ...environment, REDIS_TLS: 'true' })).toMatchObject({
      socket: { host: 'h', port: 1234, tls: true },
      ...{ username: 'u', password: '%/@', database: 2 },
    });
    expect(at({}, { REDIS_HOST: '', REDIS_PORT: '', REDIS_PASSWORD: '' })).not.toHaveProperty('password');
  });

  it('read what Kubernetes sets for a service that is called redis', () => {
    const environment = { REDIS_PORT: 'tcp://10.0.0.7:6380', REDIS_TLS: 'off' };
    expect(at({}, environment)).toMatchObject({ socket: { host: '10.0.0.7', port: 6380 } });
    expect(at({}, environment)).not.toHaveProperty('socket.tls');
    expect(at({}, { ...environment, REDIS_HOST: 'h' })).toMatchObject({ socket: { host: 'h', port: 6380 } });
  });

  it('take those of a client, and further ones', () => {
    const client = { options: { socket: { host: 'h' }, password: 'p' } };
    expect(at({ client, clientOptions: { socket: { ca: 'x' } } })).toMatchObject({
      socket: { host: 'h', ca: 'x' },
      password: 'p',
    });
  });

  it.each([
    [{ url: 'http://x' }, /`url` to be as `redis:\/\/.*does not begin/],
    [{ url: 'redis://:secret@host:port' }, /can not be read/],
    [{ url: 'redis://:secret@host:99999' }, /above 65535/],
    [
      { url: 'redis://x', client: {} },
      /one of `url`, `client`, `cluster` and `sentinel`, got `url` and `client`/,
    ],
    [{ client: {} }, /`client` to be a client of the `redis` package/],
    [
      { bound: 500 },
      /`bound` to be at least `heartbeat` and `remoteTimeout` together \(1100 ms\), got `500`/,
    ],
    [{ prefix: 'a{b}' }, /`prefix` to be a text without braces/],
    [{ maxTtl: 0 }, /`maxTtl` to be a duration above 0/],
    [{ logLength: 5 }, /`logLength` to be an integer of at least 100/],
    [{ sentinel: { name: 'x', sentinelRootNodes: [] } }, /`sentinel.sentinelRootNodes` to be a list/],
    [{ cluster: { rootNodes: [] } }, /`cluster.rootNodes` to be a list of at least one/],
    [{ cluster: { rootNodes: ['redis://:secret@h'] } }, /`cluster.rootNodes` to be .*, got a string/],
    [{ cluster: { rootNodes: [{}], nodeAddressMap: 'x' } }, /`cluster.nodeAddressMap` to be an object, got/],
    [{ host: 'x' }, /Unknown option `host` of redis\(\)/],
  ])('refuse %o', (options, message) => {
    expect(() => at(options)).toThrow(message);
  });

  it('refuse a wrong environment by its name', () => {
    expect(() => at({}, { REDIS_PORT: 'x' })).toThrow(
      /`REDIS_PORT` to be an integer from 0 to 65535, got `'x'`/,
    );
    expect(() => at({}, { REDIS_URL: 'x' })).toThrow(/`REDIS_URL`/);
    expect(() => at({}, { REDIS_URL: 'redis://a,redis://b:x' })).toThrow(
      /`REDIS_URL` to be .* can not be read/,
    );
    expect(() => at({}, { REDIS_TLS: 'maybe' })).toThrow(
      /`REDIS_TLS` to be `true` or `false`, got `'maybe'`/,
    );
  });

  it.each([
    [
      'a URL',
      'redis://:secret@host',
      /`redis\(\)` to be given options, such as `redis\({ url }\)`, got a string/,
    ],
    [
      'clientOptions',
      { clientOptions: 'redis://:secret@host' },
      /`clientOptions` to be an object, got a string/,
    ],
    ['a sentinel', { sentinel: 'redis://:secret@host' }, /`sentinel` to be an object, got a string/],
    [
      'sentinels',
      { sentinel: { name: 'x', sentinelRootNodes: 'redis://:secret@h' } },
      /list of at least one `.*`, got a string/,
    ],
  ])('show no password that was given as %s', (_, options, message) => {
    const failed = () => resolveRedisOptions(options as object, {});
    expect(failed).toThrow(message);
    expect(failed).not.toThrow(/secret/);
  });

  it('show no password', () => {
    const several = [
      'redis://:secret@a,redis://:secret@b:port',
      'redis://:secret@a,b',
      'redis://:secret,redis://a',
    ];
    for (const url of [
      'redis://:secret@host:port',
      'xredis://:secret@host',
      'redis://:secret@[',
      ...several,
    ]) {
      const failed = () => at({ url });
      try {
        failed();
      } catch (error) {
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
      }
      expect(failed).toThrow();
    }
  });
});
