import { defineConfig } from 'vitest/config';

/** `npm run test:compose`: apart from `npm test`, since it builds Temporal's server once and brings up a cluster of its own. */
export default defineConfig({
  test: {
    include: ['test/compose/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 900_000,
    disableConsoleIntercept: true,
  },
});
