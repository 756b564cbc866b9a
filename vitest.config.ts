import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

// One more than there are cores: many tests wait for processes and files of their own.
const maxWorkers = availableParallelism() + 1;
/** The slow ones wait yet more. Vitest lets groups alone differ. */
const waiting = { maxWorkers: maxWorkers + 1, sequence: { groupOrder: 1 } };

/** Left out of `npm test`, which a person waits for; CI runs both. */
const slow = 'test/**/*.slow.test.ts';

/** For hours at which nobody waits: `x.long.test.ts` may be the long form of `x.test.ts`, of which CI runs the short one. */
const long = 'test/**/*.long.test.ts';

const commandLine = 'test/cli/**/*.test.ts';

/** What mocks modules, or looks at what all of a process follows: each of these files has modules of its own. */
export const apart = [
  'test/guard/followed-context.test.ts',
  'test/manager/large-values.test.ts',
  'test/persistence/large-bodies.test.ts',
  'test/persistence/lock/lock-library.test.ts',
  'test/proxy/metrics.test.ts',
  'test/value/codec.test.ts',
];

/** The same of the slow ones, and what weighs a heap of its own. */
export const slowApart = [
  'test/{guard,manager,store,value}/**/*.slow.test.ts',
  'test/persistence/hostile/**/*.slow.test.ts',
  'test/proxy/child-server.slow.test.ts',
];

export default defineConfig({
  resolve: {
    alias: [
      { find: /^toolstash$/, replacement: source('index.ts') },
      { find: /^toolstash\/(.+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    maxWorkers,
    testTimeout: 120_000,
    // Stylesheets are texts here, which Vitest would leave empty.
    css: true,
    hookTimeout: 120_000,
    // Where a whole run of minutes is at stake, a test that the machine upset has a second try; the report names it.
    retry: process.env['CI'] ? 1 : 0,
    // On a busy machine a server, or another process, takes its time.
    expect: { poll: { timeout: 15_000 } },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts'],
          // Libraries that some tests install have tests of their own.
          exclude: [...apart, slow, long, commandLine, '**/node_modules/**'],
          env: { DECORATORS: 'standard' },
          // Begun sooner than processes.
          pool: 'threads',
          // Reading the sources took as long as many a test.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'apart', include: apart, exclude: [slow, long, '**/node_modules/**'], pool: 'threads' },
      },
      {
        extends: true,
        // In a folder of its own each, which is a process's.
        test: {
          name: 'command-line',
          include: [commandLine],
          exclude: [slow, long, '**/node_modules/**'],
          isolate: false,
        },
      },
      {
        extends: true,
        // What takes long by its nature: other processes, servers, and libraries to be installed.
        test: {
          ...waiting,
          name: 'slow',
          include: [slow],
          exclude: [...slowApart, '**/node_modules/**'],
          isolate: false,
        },
      },
      {
        extends: true,
        test: { ...waiting, name: 'slow-apart', include: slowApart, exclude: ['**/node_modules/**'] },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: [long],
          exclude: ['**/node_modules/**'],
          env: { TOOLSTASH_FORM: 'long' },
          // Some draw ten thousand cases, on whatever machine there is.
          testTimeout: 1_800_000,
        },
      },
      {
        extends: true,
        // The same tests of decorators once more, as programs with `experimentalDecorators` compile them.
        esbuild: { tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } },
        test: {
          name: 'legacy-decorators',
          include: ['test/wrap/decorators.test.ts'],
          env: { DECORATORS: 'legacy' },
        },
      },
      {
        extends: true,
        // Once more in a `node:vm` context, as Jest runs everything.
        test: { name: 'vm-threads', pool: 'vmThreads', include: ['test/realm/*.test.ts'] },
      },
    ],
  },
});
