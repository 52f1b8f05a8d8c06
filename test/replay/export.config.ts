import { defineConfig } from 'vitest/config';

/** For `export.ts` alone, which is no test: see there. */
export default defineConfig({
  test: {
    include: ['test/replay/export.ts'],
    pool: 'forks',
    globalSetup: ['test/support/servers.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
  },
});
