import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^toolstash$/, replacement: source('index.ts') },
      { find: /^toolstash\/(.+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    // All cores: most tests wait for processes and files of their own.
    maxWorkers: '100%',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        extends: true,
        test: { name: 'all', include: ['test/**/*.test.ts'], env: { DECORATORS: 'standard' } },
      },
      {
        extends: true,
        // The same tests of decorators once more, as programs with `experimentalDecorators` compile them.
        esbuild: { tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } },
        test: {
          name: 'legacy decorators',
          include: ['test/wrap/decorators.test.ts'],
          env: { DECORATORS: 'legacy' },
        },
      },
    ],
  },
});
