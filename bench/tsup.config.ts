import { defineConfig } from 'tsup';

/** Builds the benches with the library's own settings, so that what is timed is what is published. */
export default defineConfig({
  entry: {
    throughput: 'bench/throughput/main.ts',
    'store-child': 'bench/throughput/store-child.ts',
    guards: 'bench/guards/main.ts',
    persistence: 'bench/persistence/main.ts',
    'persistence-child': 'bench/persistence/child.ts',
    'persistence-sync': 'bench/persistence/sync.ts',
  },
  outDir: 'bench/dist',
  format: ['esm'],
  target: 'node20',
  splitting: true,
  treeshake: true,
  clean: true,
  dts: false,
  skipNodeModulesBundle: true,
  silent: true,
});
