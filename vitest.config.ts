import { defineConfig } from 'vitest/config';

import { LastLines } from './test/support/last-lines.ts';
import { LongestFirst } from './test/support/longest-first.ts';

/** Tests that need PostgreSQL, Redis or Temporal say so by their name; the servers are brought up once for all of them. */
const serviceTests = ['**/*.service.test.ts'];
const systemTests = ['test/system/**/*.test.ts', 'test/simulation/**/*.test.ts'];
/** Measures how soon the product recovers, so nothing else may run beside it. */
const chaosTests = ['test/system/chaos-run.test.ts'];
const browserTests = ['test/browser/**/*.test.ts'];
const elsewhere = ['**/node_modules/**', '.data/**'];
const servers = { globalSetup: ['test/support/servers.ts'] };
/** What takes longer hangs. On two processors that are busy with something else, the longest takes half of it. */
const limits = { testTimeout: 180_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    // The native bridge of Temporal's SDK does not survive worker threads.
    pool: 'forks',
    // Most files wait for clocks and servers more than they compute: two processors bear twice as many.
    maxWorkers: 4,
    // One that was singled out would hide that the others did not run.
    allowOnly: false,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', new LastLines(process.env['HELIOGRAPH_LAST_LINES'])],
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
          // Half of the time went into loading the same modules for each file.
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        // Each of these brings up servers of its own.
        test: {
          name: 'stack',
          include: ['stack/**/*.test.ts'],
          exclude: elsewhere,
          ...limits,
        },
      },
      {
        extends: true,
        test: {
          name: 'replay',
          include: ['test/replay/**/*.test.ts'],
          exclude: elsewhere,
          ...limits,
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: serviceTests,
          exclude: elsewhere,
          ...limits,
          ...servers,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: systemTests,
          exclude: [...elsewhere, ...chaosTests],
          // Those that wait for time-outs run side by side, but no more of them than two processors bear.
          maxConcurrency: 3,
          ...limits,
          ...servers,
        },
      },
      {
        extends: true,
        test: {
          name: 'chaos',
          include: chaosTests,
          exclude: elsewhere,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        // The whole product as `npm start` runs it, and a real Chromium; the tests of a file follow one another.
        test: {
          name: 'browser',
          include: browserTests,
          exclude: elsewhere,
          ...limits,
        },
      },
    ],
  },
});
