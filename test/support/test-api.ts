import { test as base } from 'vitest';

import { createTestApi, type TestApi } from './api.ts';

/** The test file's own API, from its first `test.beforeAll` or test on; gone after the last. */
export let api: TestApi;

/** For files that ask the API, which runs in the test's process on a database of its own. */
export const test = base.extend('api', { scope: 'file', auto: true }, async ({}, { onCleanup }) => {
  api = await createTestApi();
  onCleanup(() => api.close());
  return api;
});
