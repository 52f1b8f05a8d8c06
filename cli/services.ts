import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';

import { isServiceError } from '../activities/failure.ts';
import { openDatabase } from '../db/database.ts';
import { findMissingTable } from '../db/migrate.ts';
import type { Database } from '../db/tables.ts';
import { CommandError, type Config, exitCodes, requireMasterKeys, requireService } from './config.ts';

/** Opens the services that a command needs, each with a sentence and an exit code when it is away. */

/** host:port of a URL, without user and password. */
function hostOf(url: string): string {
  return new URL(url).host;
}

/**
 * A pool on the database, seen to answer.
 *
 * @throws CommandError 69 when it is away, 78 when it is not set or has no tables.
 */
export async function connectDatabase(
  config: Config,
  options: { needTables?: boolean; poolSize?: number; onError?: (error: Error) => void } = {},
): Promise<Kysely<Database>> {
  const url = requireService(config, 'DATABASE_URL');
  const db = openDatabase({ url, ...options });
  try {
    await sql`select 1`.execute(db);
    const missing = options.needTables === false ? null : await findMissingTable(db);
    if (missing !== null) {
      throw new CommandError(`the database at ${hostOf(url)} has no table ${missing}: run \`heliograph migrate\``, exitCodes.configuration);
    }
    return db;
  } catch (error) {
    await db.destroy();
    if (error instanceof CommandError) throw error;
    const reason = isServiceError(error) ? 'cannot be reached' : 'refuses the connection';
    throw new CommandError(
      `PostgreSQL at ${hostOf(url)} ${reason} (${codeOf(error)}): is it running, and is DATABASE_URL right?`,
      exitCodes.serviceAway,
      { cause: error },
    );
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown error';
}

const temporalConnectTimeout = '5s';

/** Temporal did not answer, as the person at the terminal is told. */
export function temporalAway(config: Config, cause: unknown): CommandError {
  return new CommandError(
    `Temporal at ${config.TEMPORAL_ADDRESS ?? ''} cannot be reached: is it running, and is TEMPORAL_ADDRESS right?`,
    exitCodes.serviceAway,
    { cause },
  );
}

/**
 * A client for commands. Temporal's own TLS and key variables are read by their own names.
 *
 * @throws CommandError 69 when Temporal is away, 78 when it is not set.
 */
export async function connectTemporal(config: Config): Promise<Client> {
  const address = requireService(config, 'TEMPORAL_ADDRESS');
  // Takes a quarter of a second to load, and most commands ask the database only.
  const { Client, Connection } = await import('@temporalio/client');
  try {
    const connection = await Connection.connect({ ...temporalSecurity(), address, connectTimeout: temporalConnectTimeout });
    return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  } catch (cause) {
    throw temporalAway(config, cause);
  }
}

/** TEMPORAL_API_KEY, TEMPORAL_TLS and the certificate variables, by Temporal's own names. */
export function temporalSecurity(): { apiKey?: string; tls?: boolean | TemporalTls } {
  const env = process.env;
  const apiKey = env['TEMPORAL_API_KEY'];
  const cert = env['TEMPORAL_TLS_CLIENT_CERT_DATA'];
  const key = env['TEMPORAL_TLS_CLIENT_KEY_DATA'];
  const ca = env['TEMPORAL_TLS_SERVER_CA_CERT_DATA'];
  const serverName = env['TEMPORAL_TLS_SERVER_NAME'];
  const tls: TemporalTls = {
    ...(serverName ? { serverNameOverride: serverName } : {}),
    ...(ca ? { serverRootCACertificate: Buffer.from(ca) } : {}),
    ...(cert && key ? { clientCertPair: { crt: Buffer.from(cert), key: Buffer.from(key) } } : {}),
  };
  const wanted = env['TEMPORAL_TLS'] === 'true' || Object.keys(tls).length > 0 || Boolean(apiKey);
  return { ...(apiKey ? { apiKey } : {}), ...(wanted ? { tls: Object.keys(tls).length > 0 ? tls : true } : {}) };
}

interface TemporalTls {
  serverNameOverride?: string;
  serverRootCACertificate?: Buffer;
  clientCertPair?: { crt: Buffer; key: Buffer };
}

/**
 * Whether the master keys open what is stored.
 *
 * @throws CommandError 78 naming the first account that they do not.
 */
export async function checkMasterKeys(db: Kysely<Database>, config: Config): Promise<void> {
  const keys = requireMasterKeys(config);
  const versions = [keys.current.version, ...(keys.previous === null ? [] : [keys.previous.version])];
  const row = await db.selectFrom('integration_credentials').select(['account_id', 'key_version'])
    .where('key_version', 'not in', versions).orderBy('account_id').limit(1).executeTakeFirst();
  if (row !== undefined) {
    throw new CommandError(
      `the master key is wrong: the credentials of account ${row.account_id} were sealed with key ${row.key_version}, and MASTER_KEY_CURRENT is ${keys.current.version}. Set the key that sealed them as MASTER_KEY_CURRENT or MASTER_KEY_PREVIOUS.`,
      exitCodes.configuration,
    );
  }
}
