import type { Kysely } from 'kysely';
import { sql } from 'kysely';

import { codeOf, isServiceError } from '../db/service-error.ts';
import { openDatabase } from '../db/database.ts';
import { findMissingTable } from '../db/migrate.ts';
import type { Database } from '../db/tables.ts';
import {
  CommandError,
  type Config,
  exitCodes,
  requireMasterKeys,
  requireService,
} from './config.ts';

/** Opens the services that a command needs; an error has a sentence and an exit code. */

/**
 * Opens a pool on the database and checks that it answers.
 *
 * @throws CommandError 69 when it is away, 78 when it is not set or has no tables.
 */
export async function connectDatabase(
  config: Config,
  options: { needTables?: boolean } & Omit<Parameters<typeof openDatabase>[0], 'url'> = {},
): Promise<Kysely<Database>> {
  const url = requireService(config, 'DATABASE_URL');
  // Without user and password.
  const { host } = new URL(url);
  const db = openDatabase({ url, ...options });
  try {
    await sql`select 1`.execute(db);
    const missing = options.needTables === false ? null : await findMissingTable(db);
    if (missing !== null) {
      throw new CommandError(
        `the database at ${host} has no table ${missing}: run \`heliograph migrate\``,
        exitCodes.configuration,
      );
    }
    return db;
  } catch (error) {
    await db.destroy();
    if (error instanceof CommandError) throw error;
    const reason = isServiceError(error) ? 'cannot be reached' : 'refuses the connection';
    throw new CommandError(
      `PostgreSQL at ${host} ${reason} (${codeOf(error) ?? (error instanceof Error ? error.name : 'unknown error')}): is it running, and is DATABASE_URL right?`,
      exitCodes.serviceAway,
      { cause: error },
    );
  }
}

/** Calls the function with an open database and closes the database afterwards. @throws CommandError as `connectDatabase`. */
export async function withDatabase<Result>(
  config: Config,
  run: (db: Kysely<Database>) => Promise<Result>,
  options: { needTables?: boolean } = {},
): Promise<Result> {
  const db = await connectDatabase(config, options);
  try {
    return await run(db);
  } finally {
    await db.destroy();
  }
}

/**
 * Checks that the master keys open everything that is sealed.
 *
 * @throws CommandError 78 that names the first row that they do not open.
 */
export async function checkMasterKeys(db: Kysely<Database>, config: Config): Promise<void> {
  const keys = requireMasterKeys(config);
  const versions = [keys.current, keys.previous].flatMap((key) => key?.version ?? []);
  const { rows } = await sql<{ what: string; key_version: string }>`
    select what, key_version from (
      select 1 as place, 'the credentials of account ' || account_id as what, key_version from integration_credentials
      union all select 2, 'the settings of channel ' || id, key_version from notification_channels where removed_at is null
      union all select 3, 'the unsubscribe tokens of route ' || id, key_version from notification_routes where removed_at is null
    ) sealed
    where key_version <> all(${versions}::text[]) order by place, what limit 1`.execute(db);
  const [row] = rows;
  if (row !== undefined) {
    throw new CommandError(
      `the master key is wrong: ${row.what} were sealed with key ${row.key_version}, and MASTER_KEY_CURRENT is ${keys.current.version}. Set the key that sealed them as MASTER_KEY_CURRENT or MASTER_KEY_PREVIOUS.`,
      exitCodes.configuration,
    );
  }
}
