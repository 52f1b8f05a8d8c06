import { randomUUID } from 'node:crypto';

import { type Kysely, sql } from 'kysely';
import { inject } from 'vitest';

import { openDatabase } from '../../db/database.ts';
import type { Database } from '../../db/tables.ts';

export interface TestDatabase {
  db: Kysely<Database>;
  url: string;
  /** Ends the pool and drops the database. */
  drop(): Promise<void>;
}

/** A database of the test's own: a copy of the migrated template, ready in about 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { templateUrl } = inject('servers');
  const template = new URL(templateUrl).pathname.slice(1);
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await onServer(templateUrl, (admin) =>
    sql`create database ${sql.id(name)} template ${sql.id(template)}`.execute(admin),
  );
  const url = Object.assign(new URL(templateUrl), { pathname: `/${name}` }).href;
  const db = openDatabase({ url });
  return {
    db,
    url,
    async drop() {
      await db.destroy();
      await onServer(templateUrl, (admin) =>
        sql`drop database ${sql.id(name)} with (force)`.execute(admin),
      );
    },
  };
}

/** Copies cannot be made while somebody is connected to the template: the server's own database is used. */
async function onServer(
  templateUrl: string,
  run: (admin: Kysely<Database>) => Promise<unknown>,
): Promise<void> {
  const admin = openDatabase({
    url: Object.assign(new URL(templateUrl), { pathname: '/postgres' }).href,
    poolSize: 1,
  });
  try {
    await run(admin);
  } finally {
    await admin.destroy();
  }
}
