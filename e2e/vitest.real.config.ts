import { defineConfig } from 'vitest/config';

/** Stories and the table of kinds on real parts: one file at a time, since they share one cloud. */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['e2e/stories/**/*.test.ts', 'e2e/real/**/*.test.ts', 'e2e/lab/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
});
