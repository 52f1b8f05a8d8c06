import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';

import { query, queryRow } from './database.ts';
import { makeLedgerParts } from './ledger/ledger.ts';
import { type Database, partitionedTables } from './tables.ts';

const migrationsFolder = fileURLToPath(new URL('./migrations/', import.meta.url));

/** Applies the migrations of `db/migrations`. */

/** The file of an applied migration has changed or is gone. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

interface MigrationFile {
  name: string;
  text: string;
  checksum: string;
}

async function readMigrations(folder: string): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (file) => {
      const text = await readFile(new URL(file, `file://${folder}`), 'utf8');
      return {
        name: file.replace(/\.sql$/, ''),
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
      };
    }),
  );
}

async function checkApplied(db: Kysely<Database>, files: MigrationFile[]): Promise<void> {
  await query(
    db,
  )`create table if not exists migration_checksums (name text primary key, checksum text not null)`;
  const known = await query(db)<{ name: string; checksum: string }>`
    select name, checksum from migration_checksums`;
  for (const { name, checksum } of known) {
    const file = files.find((candidate) => candidate.name === name);
    if (file?.checksum !== checksum) {
      throw new MigrationError(
        `migration ${name} was applied to this database with other contents: migrations are never changed, add a new one`,
      );
    }
  }
}

/**
 * Brings the database to the newest schema, forward only; each migration runs in a transaction of all pending ones, under
 * a lock, so that two processes may call it at once. Also makes the next partitions of every ledger.
 *
 * @returns the names of the migrations that were applied now.
 * @throws MigrationError when an applied migration was changed afterwards.
 */
export async function migrateToLatest(
  db: Kysely<Database>,
  folder: string = migrationsFolder,
): Promise<string[]> {
  const files = await readMigrations(folder);
  await checkApplied(db, files);
  const migrations: Record<string, Migration> = {};
  for (const file of files) {
    migrations[file.name] = {
      async up(trx) {
        // An index over a large ledger takes longer than a statement of the loop may.
        await query(trx)`set local statement_timeout = 0`;
        await sql.raw(file.text).execute(trx);
        await query(
          trx,
        )`insert into migration_checksums (name, checksum) values (${file.name}, ${file.checksum})`;
      },
    };
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw error instanceof Error
      ? error
      : new MigrationError('a migration failed', { cause: error });
  }
  for (const table of partitionedTables) await makeLedgerParts(db, table, new Date());
  return (results ?? []).map((result) => result.migrationName);
}

/** The tables that a running system needs; the first missing one, or null. */
export async function findMissingTable(db: Kysely<Database>): Promise<string | null> {
  const [missing] = await query(db)<{ name: string }>`
    select name from unnest('{plants,vendor_accounts,integration_credentials,plant_periods,metric_snapshots,snapshot_revisions,
      day_gaps,alerts,alert_events,notifications,poll_logs,poll_logs_default,ledger_kept}'::text[]) as name
    where to_regclass(name) is null limit 1`;
  return missing?.name ?? null;
}

/** The server's version, and the newest migration that was applied. */
export async function readVersions(
  db: Kysely<Database>,
): Promise<{ postgres: string; migration: string | null }> {
  return queryRow(db)<{ postgres: string; migration: string | null }>`
    select current_setting('server_version') as postgres,
      (select max(name) from migration_checksums) as migration`;
}
