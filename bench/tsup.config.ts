import { defineConfig } from 'tsup';
import { shared } from '../tsup.config.js';
import { quickBuiltins } from '../tsup.quick-import.js';

/** Builds the benches with the library's own settings, so that what is timed is what is published. */
export default defineConfig({
  ...shared,
  sourcemap: false,
  plugins: [quickBuiltins()],
  entry: {
    throughput: 'bench/throughput/main.ts',
    'store-child': 'bench/throughput/store-child.ts',
    guards: 'bench/guards/main.ts',
    redis: 'bench/redis/main.ts',
    arena: 'bench/arena/main.ts',
    'arena-churn': 'bench/arena/churn.ts',
    'arena-thread': 'bench/arena/thread.ts',
    persistence: 'bench/persistence/main.ts',
    'persistence-child': 'bench/persistence/child.ts',
    'persistence-sync': 'bench/persistence/sync.ts',
    'persistence-flights': 'bench/persistence/flights.ts',
  },
  outDir: 'bench/dist',
  format: ['esm'],
  clean: true,
  dts: false,
  skipNodeModulesBundle: true,
});
