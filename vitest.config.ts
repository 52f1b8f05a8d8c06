import { defineConfig } from 'vitest/config';

/** Tests that need PostgreSQL, Redis or Temporal say so by their name; the servers are brought up once for all of them. */
const serviceTests = ['**/*.service.test.ts'];
const systemTests = ['test/system/**/*.test.ts', 'test/simulation/**/*.test.ts'];
const browserTests = ['test/browser/**/*.test.ts'];
const elsewhere = ['**/node_modules/**', '.data/**'];
const servers = { globalSetup: ['test/support/servers.ts'] };

export default defineConfig({
  test: {
    // The native bridge of Temporal's SDK does not survive worker threads.
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [
            ...elsewhere,
            ...serviceTests,
            ...systemTests,
            ...browserTests,
            'stack/**',
            'test/replay/**',
            // Every service of the compose file: npm run test:compose.
            'test/compose/**',
            // Minutes: npm run simulate:mutations.
            'simulate/mutations.test.ts',
          ],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Each of these brings up servers of its own.
        test: {
          name: 'stack',
          include: ['stack/**/*.test.ts'],
          exclude: elsewhere,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'replay',
          include: ['test/replay/**/*.test.ts'],
          exclude: elsewhere,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: serviceTests,
          exclude: elsewhere,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 3 },
          ...servers,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: systemTests,
          exclude: elsewhere,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // They kill processes and wait for clocks: a machine that is busy with something else may cost one its slot.
          retry: 2,
          // One at a time: they measure and kill.
          fileParallelism: false,
          sequence: { groupOrder: 4 },
          ...servers,
        },
      },
      {
        extends: true,
        // The whole product as `npm start` runs it, and a real Chromium; the tests of a file follow one another.
        test: {
          name: 'browser',
          include: browserTests,
          exclude: elsewhere,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});
