import { defineConfig } from 'vitest/config';

/** `npm run simulate:mutations`: some minutes, and therefore not among the tests of every change. */
export default defineConfig({
  test: { include: ['simulate/mutations.test.ts'], fileParallelism: false },
});
