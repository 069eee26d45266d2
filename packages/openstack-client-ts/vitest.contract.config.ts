import { defineConfig } from 'vitest/config';

// Runs against the OpenStack that OS_CLOUD and OS_CLIENT_CONFIG_FILE name; see the README.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['test/contract/*.contract.ts'],
    pool: 'forks',
    // The files share one project's quotas and lists.
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
