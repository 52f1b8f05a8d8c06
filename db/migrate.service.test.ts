import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { insertTestPlant } from '../test/support/activities.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { makeLedgerParts } from './ledger/ledger.ts';
import { migrateToLatest, MigrationError } from './migrate.ts';
import { plantLedger } from './plants/ledger.ts';

describe('migrations', () => {
  let database: TestDatabase;
  let folder: string;
  beforeEach(async () => {
    database = await createTestDatabase();
    folder = `${mkdtempSync(join(tmpdir(), 'heliograph-migrations-'))}/`;
    cpSync(fileURLToPath(new URL('./migrations/', import.meta.url)), folder, { recursive: true });
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true });
    await database.drop();
  });

  test('that were applied are not applied again', async () => {
    expect(await migrateToLatest(database.db, folder)).toEqual([]);
  });

  test('a new one is applied once, also by two processes at once', async () => {
    writeFileSync(
      join(folder, '29990101T000000-add-thing.sql'),
      'create table thing (id integer);',
    );
    const applied = await Promise.all([
      migrateToLatest(database.db, folder),
      migrateToLatest(database.db, folder),
    ]);
    expect(applied.flat()).toEqual(['29990101T000000-add-thing']);
  });

  test('one may take longer than a statement of the loop', async () => {
    writeFileSync(
      join(folder, '29990101T000000-note-limit.sql'),
      "create table noted as select current_setting('statement_timeout') as limit_ms;",
    );
    await migrateToLatest(database.db, folder);
    const noted = await sql<{ limit_ms: string }>`select limit_ms from noted`.execute(database.db);
    expect(noted.rows).toEqual([{ limit_ms: '0' }]);
    const after = await sql<{ statement_timeout: string }>`show statement_timeout`.execute(
      database.db,
    );
    expect(after.rows).toEqual([{ statement_timeout: '15s' }]);
  });

  test('one that was changed after it was applied is refused by name, and nothing else is applied', async () => {
    const name = '20261122T160100-partition-poll-logs';
    writeFileSync(join(folder, `${name}.sql`), 'select 1;');
    writeFileSync(
      join(folder, '29990101T000000-add-thing.sql'),
      'create table thing (id integer);',
    );
    const migrating = migrateToLatest(database.db, folder);
    await expect(migrating).rejects.toThrow(MigrationError);
    await expect(migrating).rejects.toThrow(name);
    expect(
      (
        await sql<{ at: string | null }>`select to_regclass('thing')::text as at`.execute(
          database.db,
        )
      ).rows,
    ).toEqual([{ at: null }]);
  });

  test('one whose file is gone is refused by name', async () => {
    rmSync(join(folder, '20261122T160100-partition-poll-logs.sql'));
    await expect(migrateToLatest(database.db, folder)).rejects.toThrow(
      '20261122T160100-partition-poll-logs',
    );
  });

  test('subjects: rows of the outbox and keys of requests are carried over', async () => {
    const { db } = database;
    const later = readdirSync(folder).filter((name) => name >= '20261130T110000');
    for (const name of later) renameSync(join(folder, name), join(folder, `${name}.later`));
    await sql`drop schema public cascade; create schema public`.execute(db);
    await migrateToLatest(db, folder);
    await insertTestPlant(db, { id: 'meadow' });
    await sql`
      insert into alerts (plant_id, type, severity, state, message, started_at, last_seen_at)
        values ('meadow', 'OFFLINE', 'RED', 'NEW', 'away', now(), now());
      insert into notifications (alert_id, plant_id, kind, severity, created_at, not_before)
        select id, plant_id, 'RAISED', 'RED', now(), now() from alerts;
      insert into users (email, password_hash, role) values ('ana@example.org', 'x', 'ADMIN');
      insert into idempotency_keys (user_id, key, request_hash, status, body)
        select id, 'poll-1', sha256('poll'), 200, '{"outcome": "OK"}' from users`.execute(db);
    for (const name of later) renameSync(join(folder, `${name}.later`), join(folder, name));
    expect(await migrateToLatest(db, folder)).toHaveLength(later.length);
    const alert = await db.selectFrom('alerts').select('id').executeTakeFirstOrThrow();
    expect(await db.selectFrom('notifications').selectAll().execute()).toMatchObject([
      { subject_kind: 'PLANT', subject_id: 'meadow', alert_id: alert.id, kind: 'RAISED' },
    ]);
    const user = await db.selectFrom('users').select('id').executeTakeFirstOrThrow();
    expect(await db.selectFrom('idempotency_keys').selectAll().execute()).toMatchObject([
      { scope: `user:${user.id}`, key: 'poll-1', status: 200, body: { outcome: 'OK' } },
    ]);
    await db.deleteFrom('plants').execute();
    expect(await db.selectFrom('notifications').selectAll().execute()).toEqual([]);
  });

  test('one that fails leaves nothing behind', async () => {
    writeFileSync(
      join(folder, '29990101T000000-half.sql'),
      'create table half (id integer); select no_such_function();',
    );
    await expect(migrateToLatest(database.db, folder)).rejects.toThrow();
    expect(
      (
        await sql<{ at: string | null }>`select to_regclass('half')::text as at`.execute(
          database.db,
        )
      ).rows,
    ).toEqual([{ at: null }]);
  });
});

test('partitions of a month and the two after it are made, across the end of a year', async () => {
  const database = await createTestDatabase();
  expect(await makeLedgerParts(database.db, plantLedger, new Date('2040-11-30T23:59:59Z'))).toEqual(
    ['2040-11', '2040-12', '2041-01'],
  );
  expect(await makeLedgerParts(database.db, plantLedger, new Date('2040-12-01T00:00:00Z'))).toEqual(
    ['2041-02'],
  );
  await database.drop();
});
