import { existsSync } from 'node:fs';

import { sql } from 'kysely';

import { openDatabase } from '../../db/database.ts';
import { askRedis } from '../../db/lock.ts';
import { readVersions } from '../../db/migrate.ts';
import type { Config } from '../../environment/config.ts';
import { withTemporal } from '../../environment/temporal.ts';
import { productVersion } from '../../operations/version.ts';

/** What an installation needs before it can run, asked of the machine and of the services. */

export interface Prerequisite {
  name: string;
  state: 'ok' | 'missing';
  /** What was found. */
  message: string;
  /** What to do; null: nothing. */
  advice: string | null;
}

const nodeMajorMin = 24;
const postgresMajorMin = 15;

const ok = (name: string, message: string): Prerequisite => ({
  name,
  state: 'ok',
  message,
  advice: null,
});
const missing = (name: string, message: string, advice: string): Prerequisite => ({
  name,
  state: 'missing',
  message,
  advice,
});

/** Checks everything; a service that is away is a result and no error. */
export async function checkPrerequisites(config: Config): Promise<Prerequisite[]> {
  return [
    node(process.versions.node),
    await postgres(config),
    await redis(config),
    await temporal(config),
    config.masterKeys === null
      ? missing(
          'master key',
          'MASTER_KEY_CURRENT is not set',
          'create one: openssl rand -base64 32',
        )
      : ok('master key', 'MASTER_KEY_CURRENT is set'),
    existsSync('/run/systemd/system')
      ? ok('systemd', 'systemd runs this machine')
      : missing('systemd', 'systemd does not run this machine', 'use temporal-compose.yml instead'),
  ];
}

export function node(version: string): Prerequisite {
  const found = `Node ${version}`;
  return Number.parseInt(version, 10) >= nodeMajorMin
    ? ok('node', found)
    : missing('node', found, `install Node ${nodeMajorMin} or newer`);
}

async function postgres({ DATABASE_URL: url }: Config): Promise<Prerequisite> {
  const name = 'database';
  if (url === undefined)
    return missing(
      name,
      'DATABASE_URL is not set',
      'set it to a PostgreSQL that the program may own',
    );
  const db = openDatabase({ url, poolSize: 1 });
  try {
    const { rows } = await sql<{ version: number }>`
      select current_setting('server_version_num')::int / 10000 as version`.execute(db);
    const version = rows[0]?.version ?? 0;
    if (version < postgresMajorMin)
      return missing(
        name,
        `PostgreSQL ${version}`,
        `install PostgreSQL ${postgresMajorMin} or newer`,
      );
    const { rows: tables } = await sql<{ there: boolean }>`
      select to_regclass('plants') is not null as there`.execute(db);
    if (tables[0]?.there !== true)
      return missing(
        name,
        `PostgreSQL ${version} has no tables of Heliograph`,
        'run `heliograph migrate`',
      );
    const { migration } = await readVersions(db);
    return ok(name, `PostgreSQL ${version}, migrated to ${migration ?? 'nothing'}`);
  } catch (error) {
    const { code } = error as { code?: unknown };
    const { host } = new URL(url);
    return missing(
      name,
      `PostgreSQL at ${host} does not answer (${typeof code === 'string' ? code : 'unknown error'})`,
      'start it, or correct DATABASE_URL',
    );
  } finally {
    await db.destroy();
  }
}

async function redis({ REDIS_URL: url }: Config): Promise<Prerequisite> {
  if (url === undefined)
    return ok('redis', 'no Redis is configured; PostgreSQL alone keeps polls apart');
  try {
    const { evictionPolicy } = await askRedis(url);
    return evictionPolicy === null || evictionPolicy === 'noeviction'
      ? ok('redis', 'Redis answers and does not evict')
      : missing(
          'redis',
          `Redis may evict keys (${evictionPolicy})`,
          'set maxmemory-policy to noeviction',
        );
  } catch {
    return missing(
      'redis',
      `Redis at ${new URL(url).host} does not answer`,
      'start it, or correct REDIS_URL',
    );
  }
}

async function temporal(config: Config): Promise<Prerequisite> {
  const name = 'temporal';
  if (config.TEMPORAL_ADDRESS === undefined)
    return missing(
      name,
      'TEMPORAL_ADDRESS is not set',
      'set it to host:port of a Temporal frontend',
    );
  try {
    const version = await withTemporal(
      config,
      async (client) => (await client.workflowService.getSystemInfo({})).serverVersion,
    );
    return ok(
      name,
      `Temporal ${version ?? 'of an unknown version'} for Heliograph ${productVersion()}`,
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : 'Temporal does not answer';
    return missing(name, message, 'start it, or correct TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE');
  }
}
