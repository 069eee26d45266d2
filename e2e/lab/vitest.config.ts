import { defineConfig } from 'vitest/config';

/** The lab's own tests. They start real parts, so `make test` leaves them out. */
export default defineConfig({
  test: { root: import.meta.dirname, include: ['*.test.ts'], pool: 'forks', maxWorkers: 1, testTimeout: 60_000 },
});
