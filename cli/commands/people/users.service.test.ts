import { afterAll, expect } from 'vitest';

import { findUserByEmail } from '../../../db/people/users.ts';
import { insertAccount } from '../../../db/plants/credentials.ts';
import { insertPlants } from '../../../db/plants/plants.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { runTestCommand, type TestTerminal } from '../../../test/support/command-line.ts';
import { database, test } from '../../../test/support/test-database.ts';

let api: TestApi;
test.beforeAll(async () => {
  api = await createTestApi({ db: database.db });
});
afterAll(() => api.close());

const run = (args: readonly string[], terminal: TestTerminal = {}) =>
  runTestCommand(args, {
    ...terminal,
    env: { DATABASE_URL: database.url, PUBLIC_URL: 'https://solar.example.org' },
  });

async function statusOfLogin(email: string, password: string): Promise<number> {
  const answer = await api.ask(null, 'POST', '/api/v1/auth/login', { email, password });
  return answer.status;
}

async function actions(email: string): Promise<string[]> {
  const rows = await database.db
    .selectFrom('audit_log')
    .select(['action', 'actor'])
    .where('subject_id', '=', email)
    .orderBy('id')
    .execute();
  for (const row of rows) expect(row.actor).toMatch(/^cli:./);
  return rows.map((row) => row.action);
}

test('a user is added, reset, linked and removed, each with its row in the audit log', async () => {
  const email = 'olga@example.org';
  const added = await run(['users', 'add', 'Olga@Example.org', '--role', 'OPERATOR', '--json']);
  expect(added).toMatchObject({ code: 0, stderr: '' });
  const { password } = JSON.parse(added.stdout) as { password: string };
  expect(await statusOfLogin(email, password)).toBe(200);
  expect(await findUserByEmail(database.db, email)).toMatchObject({ must_change_password: true });

  const reset = await run(['users', 'reset', email]);
  expect(await statusOfLogin(email, password)).toBe(401);
  const newer = /sign-in: (\S+)/.exec(reset.stdout)?.[1] ?? '';
  expect(await statusOfLogin(email, newer)).toBe(200);

  const link = await run(['users', 'link', email]);
  expect(link.stdout).toMatch(/^https:\/\/solar\.example\.org\/sign-in\?token=[\w-]{43}\n$/);

  expect((await run(['users', 'list'])).stdout).toMatch(/olga@example\.org +OPERATOR/);
  expect(await run(['users', 'remove', email])).toMatchObject({ code: 0 });
  expect(await statusOfLogin(email, newer)).toBe(401);
  expect(await run(['users', 'remove', email])).toMatchObject({ code: 1 });
  expect(await run(['users', 'link', email])).toMatchObject({ code: 1 });
  expect((await run(['users', 'list'])).stdout).toContain('removed');

  expect(await run(['users', 'reset', email])).toMatchObject({ code: 0 });
  expect((await findUserByEmail(database.db, email))?.disabled_at).toBeNull();
  expect(await actions(email)).toEqual([
    'ADD_USER',
    'RESET_PASSWORD',
    'MAKE_SIGN_IN_LINK',
    'REMOVE_USER',
    'RESET_PASSWORD',
  ]);
});

test('a password from standard input is used, and shown nowhere', async () => {
  const input = 'a password from a file\n';
  const args = ['users', 'add', 'piet@example.org', '--role', 'ADMIN', '--password-stdin'];
  const added = await run(args, { input });
  expect(added).toEqual({ code: 0, stdout: 'piet@example.org added as ADMIN\n', stderr: '' });
  expect(await statusOfLogin('piet@example.org', input.trim())).toBe(200);
  const short = await run(args, { input: 'hunter2\n' });
  expect(short.code).toBe(2);
  expect(short.stdout + short.stderr).not.toContain('hunter2');
  expect((await run(args, { typed: input })).code).toBe(2);
});

test.each([
  ['no role', ['users', 'add', 'x@example.org'], 2],
  ['a role that is none', ['users', 'add', 'x@example.org', '--role', 'BOSS'], 2],
  ['a customer without whose plants', ['users', 'add', 'x@example.org', '--role', 'CUSTOMER'], 2],
  [
    'an operator with whose plants',
    ['users', 'add', 'x@y.org', '--role', 'OPERATOR', '--customer', 'c'],
    2,
  ],
  ['no address', ['users', 'add', 'nobody', '--role', 'ADMIN'], 2],
  ['an unknown user', ['users', 'reset', 'x@example.org'], 1],
])('refuses %s', async (_, args, code) => {
  expect((await run(args)).code).toBe(code);
});

test('refuses an address that is taken, whatever its letters', async () => {
  await run(['users', 'add', 'rita@example.org', '--role', 'CUSTOMER', '--customer', 'noord']);
  expect(await run(['users', 'add', 'RITA@example.org', '--role', 'ADMIN'])).toMatchObject({
    code: 1,
  });
  expect(await findUserByEmail(database.db, 'rita@example.org')).toMatchObject({
    role: 'CUSTOMER',
    customer_id: 'noord',
  });
});

test('names the customers there are when a person is added for another one', async () => {
  const plant = { brand: 'SOLIS', timezone: 'Europe/Amsterdam' } as const;
  await insertAccount(database.db, { id: 'acc', brand: 'SOLIS', name: 'acc' });
  await insertPlants(
    database.db,
    ['noord', 'zuid'].map((customer_id) => ({
      ...plant,
      id: `of-${customer_id}`,
      name: customer_id,
      customer_id,
      vendor_account_id: 'acc',
      vendor_plant_id: customer_id,
      latitude: null,
      longitude: null,
      installed_capacity_kw: null,
      poll_interval_s: 600,
      integration_status: 'PENDING_DOCS',
    })),
  );
  const add = (email: string, customer: string) =>
    run(['users', 'add', email, '--role', 'CUSTOMER', '--customer', customer]);
  const added = await add('typo@example.org', 'nord');
  expect(added.code).toBe(0);
  expect(added.stderr).toBe(
    'warning: no plant has the customer nord: this person sees nothing until one has; customers with plants are noord, zuid\n',
  );
  expect((await add('right@example.org', 'noord')).stderr).toBe('');
});

test('changes the role and the customer of a person, who stays signed in', async () => {
  const email = 'vera@example.org';
  await run(['users', 'add', email, '--role', 'OPERATOR']);
  const { session_version: before } = (await findUserByEmail(database.db, email)) ?? {};
  const becomes = (...flags: string[]) => run(['users', 'set', email, ...flags]);
  expect((await becomes('--role', 'CUSTOMER')).code).toBe(2);
  expect((await becomes('--customer', 'noord')).code).toBe(2);
  expect((await becomes()).code).toBe(2);
  const set = await becomes('--role', 'CUSTOMER', '--customer', 'noord');
  expect(set).toMatchObject({ code: 0, stdout: `${email} is CUSTOMER of customer noord\n` });
  expect((await becomes('--customer', 'nord')).stderr).toContain('no plant has the customer nord');
  expect((await becomes('--role', 'ADMIN')).stdout).toBe(`${email} is ADMIN\n`);
  expect(await findUserByEmail(database.db, email)).toMatchObject({
    role: 'ADMIN',
    customer_id: null,
    session_version: before,
  });
  expect(await actions(email)).toEqual(['ADD_USER', 'CHANGE_USER', 'CHANGE_USER', 'CHANGE_USER']);
  expect((await run(['users', 'set', 'nobody@example.org', '--role', 'ADMIN'])).code).toBe(1);
});
