import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { commands } from './index.ts';

/** Prints the URLs of all modules that a command's file loads. */
const loadingScript = `
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
  await import(process.argv[1]);
  process.stdout.write(loaded.join('\\n'));
`;

function modulesOf(file: string): string {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', loadingScript, path],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe('the commands', () => {
  test.each(commands.map((entry) => [entry.name, entry] as const))(
    '%s is the command that its file holds',
    async (name, entry) => {
      expect((await entry.load()).name).toBe(name);
    },
  );

  test('that read the database load no more than it takes', () => {
    const loaded = modulesOf('./plants/plants-list.ts');
    expect(loaded).toContain('/node_modules/kysely/');
    for (const heavy of [
      '@temporalio/client',
      '@temporalio/worker',
      'ioredis',
      '/adapters/',
      '/stack/',
    ])
      expect(loaded).not.toContain(heavy);
  });

  test('that ask a loop load no database, worker or adapter', () => {
    const loaded = modulesOf('./plants/plants-poll.ts');
    expect(loaded).toContain('@temporalio/client');
    for (const heavy of [
      '@temporalio/worker',
      '/node_modules/kysely/',
      '/node_modules/pg/',
      'ioredis',
      '/adapters/',
      '/stack/',
    ])
      expect(loaded).not.toContain(heavy);
  });
});
