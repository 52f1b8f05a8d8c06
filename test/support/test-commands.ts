import { test as base } from 'vitest';

import { type CommandFleet, createCommandFleet } from './command-fleet.ts';

/** Commands on the test file's own fleet, from its first `test.beforeAll` or test on; gone after the last. */
export let cli: CommandFleet;

/** For files that run commands of the terminal on a fleet. */
export const test = base.extend('cli', { scope: 'file', auto: true }, async ({}, { onCleanup }) => {
  cli = await createCommandFleet();
  onCleanup(() => cli.fleet.close());
  return cli;
});
