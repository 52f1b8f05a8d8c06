import { randomBytes } from 'node:crypto';

import { beforeEach, expect } from 'vitest';

import { openCredentials, sealCredentials } from '../../db/sealing.ts';
import { findCredentials, insertAccount, replaceCredentials } from '../../db/plants/credentials.ts';
import { findPlant, insertPlants } from '../../db/plants/plants.ts';
import { runTestCommand } from '../../test/support/command-line.ts';
import { database, test } from '../../test/support/test-database.ts';
import { namedKey } from '../../environment/config.ts';
import { rotateKeys } from './rotate-keys.ts';

const [first, second, third] = [1, 2, 3].map(() => randomBytes(32).toString('base64')) as [
  string,
  string,
  string,
];
const secretsOf = (accountId: string) => ({ user: accountId, password: `canary-of-${accountId}` });
const by = { actor: 'cli:tester', requestId: null };

beforeEach(async () => {
  const { db } = database;
  for (const table of [
    'plants',
    'integration_credentials',
    'vendor_accounts',
    'audit_log',
  ] as const)
    await db.deleteFrom(table).execute();
  for (const accountId of ['a', 'b', 'c']) {
    await insertAccount(db, { id: accountId, brand: 'SOLIS', name: accountId });
    const keys = { current: namedKey(first), previous: null };
    await replaceCredentials(db, sealCredentials(keys, accountId, secretsOf(accountId)));
  }
  await insertPlants(db, [
    {
      id: 'meadow',
      name: 'Meadow',
      customer_id: null,
      brand: 'SOLIS',
      vendor_account_id: 'a',
      vendor_plant_id: '1',
      timezone: 'Europe/Amsterdam',
      latitude: null,
      longitude: null,
      installed_capacity_kw: 10,
      poll_interval_s: 600,
      integration_status: 'ACTIVE',
    },
  ]);
});

const run = (current: string, previous?: string, ...more: string[]) =>
  runTestCommand(['keys', 'rotate', ...more], {
    env: {
      DATABASE_URL: database.url,
      MASTER_KEY_CURRENT: current,
      ...(previous === undefined ? {} : { MASTER_KEY_PREVIOUS: previous }),
    },
  });

const rows = () =>
  database.db.selectFrom('integration_credentials').selectAll().orderBy('account_id').execute();

test('every account is sealed with the current key, holds what it held, and nobody is told to look again', async () => {
  const before = await findPlant(database.db, 'meadow');
  const { code, stdout, stderr } = await run(second, first);
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^3 accounts of 3 sealed again/),
  });
  expect(stdout + stderr).not.toMatch(/canary/);
  const keys = { current: namedKey(second), previous: null };
  for (const accountId of ['a', 'b', 'c']) {
    const row = await findCredentials(database.db, accountId);
    if (row === undefined) throw new Error(`${accountId} is gone`);
    expect(row).toMatchObject({ version: 1, keyVersion: keys.current.version });
    expect(openCredentials(keys, row)).toEqual(secretsOf(accountId));
  }
  expect((await findPlant(database.db, 'meadow'))?.revision).toBe(before?.revision);
  const log = await database.db.selectFrom('audit_log').selectAll().orderBy('id').execute();
  expect(log).toHaveLength(3);
  expect(log[0]).toMatchObject({
    actor: expect.stringMatching(/^cli:./),
    action: 'credentials.reseal',
    subject_id: 'a',
    before: { key_version: namedKey(first).version },
    after: { key_version: namedKey(second).version },
  });
});

test('a replacement, which is another thing, still makes every plant of the account look again', async () => {
  const before = await findPlant(database.db, 'meadow');
  const keys = { current: namedKey(first), previous: null };
  await replaceCredentials(database.db, sealCredentials(keys, 'a', { user: 'a', password: 'new' }));
  expect((await findPlant(database.db, 'meadow'))?.revision).toBe((before?.revision ?? 0) + 1);
});

test('run again it changes nothing', async () => {
  await run(second, first);
  const sealed = await rows();
  const again = await run(second, first, '--json');
  expect(JSON.parse(again.stdout)).toEqual({
    key_version: namedKey(second).version,
    accounts: 3,
    resealed: 0,
    failed: [],
    notifications: { resealed: 0, failed: [] },
  });
  expect(await rows()).toEqual(sealed);
});

test('interrupted in the middle, it goes on where it was', async () => {
  const keys = { current: namedKey(second), previous: namedKey(first) };
  const interrupted = rotateKeys({
    db: database.db,
    keys,
    by,
    progress: () => {
      throw new Error('interrupted');
    },
  });
  await expect(interrupted).rejects.toThrow('interrupted');
  const versions = (await rows()).map((row) => row.key_version);
  expect(versions.filter((version) => version === keys.current.version)).toHaveLength(1);
  const rest = await rotateKeys({ db: database.db, keys, by, progress: () => {} });
  expect(rest).toMatchObject({ resealed: 2, failed: [] });
});

test('what neither key opens stays as it was, is named, and does not keep the others', async () => {
  const strangeKeys = { current: namedKey(third), previous: null };
  await replaceCredentials(database.db, sealCredentials(strangeKeys, 'b', secretsOf('b')));
  const [, before] = await rows();
  const { code, stdout } = await run(second, first);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^2 accounts of 3 sealed again/);
  expect(stdout).toMatch(/not done: the credentials of account b were sealed with master key/);
  expect((await rows())[1]).toEqual(before);
});

test('two rotations at once seal each account once', async () => {
  const keys = { current: namedKey(second), previous: namedKey(first) };
  const both = await Promise.all(
    [1, 2].map(() => rotateKeys({ db: database.db, keys, by, progress: () => {} })),
  );
  expect(both.reduce((sum, { resealed }) => sum + resealed, 0)).toBe(3);
  expect(await database.db.selectFrom('audit_log').selectAll().execute()).toHaveLength(3);
});
