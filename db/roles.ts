import { sql } from 'kysely';

import { type Db, query } from './database.ts';

/** Database roles of the processes: each may do with a table what its process does, and nothing else. */

export const processNames = ['worker', 'gateways', 'api'] as const;
export type ProcessName = (typeof processNames)[number];

/** The rights on one table, in letters: s select, i insert, u update, d delete; absent: none. */
type Rights = Partial<Record<ProcessName, string>>;

const all = 'siud';

/**
 * What each process does with each table. The walkers of gateways read no credentials, no people and no channels; partitions
 * follow their table.
 */
export const rightsOf: Readonly<Record<string, Rights>> = {
  plants: { worker: all, gateways: 's', api: all },
  plant_periods: { worker: all, api: 's' },
  poll_logs: { worker: all, api: 'sd' },
  ledger_kept: { worker: 's', api: 's' },
  metric_snapshots: { worker: all, api: 's' },
  snapshot_revisions: { worker: 'si', api: 's' },
  day_gaps: { worker: all, api: 's' },
  brand_incidents: { worker: all, api: 's' },
  vendor_accounts: { worker: 's', api: 'siud' },
  integration_credentials: { worker: 'siu', api: 'siud' },
  demo_outages: { worker: 'sd', api: 's' },
  demo_unfinished: { worker: 'sd', api: 's' },
  alerts: { worker: 'siu', gateways: 'siu', api: 'su' },
  alert_events: { worker: 'si', gateways: 'si', api: 'si' },
  audit_log: { worker: 'si', gateways: 'si', api: 'si' },
  notifications: { worker: all, gateways: 'si', api: 'si' },
  problems: { worker: 'siu', gateways: 'siu', api: 'su' },
  idempotency_keys: { api: all },
  users: { worker: 's', api: all },
  sign_in_links: { api: all },
  login_failures: { api: all },
  notification_channels: { worker: all, api: all },
  notification_routes: { worker: 'su', api: all },
  notification_lines: { worker: all, api: 's' },
  messages: { worker: all, api: 'siu' },
  deliveries: { worker: all, api: 'siu' },
  delivery_attempts: { worker: all, api: 's' },
  gateways: { worker: 's', gateways: 'su', api: 'siu' },
  gateway_maps: { worker: 's', gateways: 's', api: 'si' },
  gateway_units: { worker: 's', gateways: 's', api: all },
  gateway_periods: { worker: 's', gateways: all, api: all },
  gateway_state: { worker: 's', gateways: 'siu', api: 'siu' },
  gateway_readings: { worker: 's', gateways: 'si', api: 's' },
  gateway_readings_kept: { worker: 's', api: 's' },
  notifications_kept: { worker: 's', api: 's' },
  gateway_facts: { worker: 's', gateways: 'siu', api: 's' },
  gateway_learned: { worker: 's', gateways: all, api: 'sd' },
  gateway_layouts: { worker: 's', gateways: all, api: 'sd' },
  gateway_shards: { worker: 's', gateways: 'siu', api: 's' },
  gateway_workers: { worker: 'sd', gateways: all, api: 'sd' },
  gateway_requests: { worker: 'si', gateways: 'siud', api: 'sid' },
  gateway_rollups_15min: { worker: all, gateways: all, api: 's' },
  gateway_rollups_day: { worker: all, gateways: all, api: 's' },
  gateway_rollups_done: { worker: all, gateways: all, api: 's' },
  gateway_rollups_due: { worker: all, gateways: all, api: 's' },
  polling_halts: { worker: 's', gateways: 's', api: 's' },
  polling_checks: { worker: 'sid', api: 's' },
};

const words = { s: 'select', i: 'insert', u: 'update', d: 'delete' } as const;

/** What every process may read: which migrations were applied. */
const migrationTables: ReadonlySet<string> = new Set([
  'kysely_migration',
  'kysely_migration_lock',
  'migration_checksums',
]);

/** The tables of the database, without partitions. */
export async function listTables(db: Db): Promise<string[]> {
  const rows = await query(db)<{ name: string }>`
    select c.relname as name from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`;
  return rows.map(({ name }) => name);
}

/**
 * The statements that give a process's role its rights, and take all others from it. They can be repeated, and must be after a
 * migration that creates tables.
 *
 * @param tables those that the database has.
 */
export function grantStatements(
  process: ProcessName,
  role: string,
  tables: readonly string[],
): string[] {
  const name = quoted(role);
  const grants = tables.flatMap((table) => {
    const letters = migrationTables.has(table) ? 's' : (rightsOf[table]?.[process] ?? '');
    if (letters === '') return [];
    const rights = [...letters].map((letter) => words[letter as keyof typeof words]).join(', ');
    return [`grant ${rights} on ${quoted(table)} to ${name};`];
  });
  return [
    `revoke all on all tables in schema public from ${name};`,
    `grant usage on schema public to ${name};`,
    ...grants,
  ];
}

/** A name as SQL. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Creates the role if it is missing, sets its password, and gives it its rights, in one transaction of the caller. */
export async function keepRole(
  trx: Db,
  { process, role, password }: { process: ProcessName; role: string; password: string },
): Promise<{ isNew: boolean }> {
  const [known] = await query(trx)`select from pg_roles where rolname = ${role}`;
  const verb = known === undefined ? 'create' : 'alter';
  await sql
    .raw(`${verb} role ${quoted(role)} login password '${password.replaceAll("'", "''")}'`)
    .execute(trx);
  for (const statement of grantStatements(process, role, await listTables(trx)))
    await sql.raw(statement).execute(trx);
  return { isNew: known === undefined };
}
