import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'kysely';
import { afterAll, describe, expect } from 'vitest';

import { openDatabase } from '../../../db/database.ts';
import {
  grantStatements,
  keepRole,
  listTables,
  type ProcessName,
  rightsOf,
} from '../../../db/roles.ts';
import { node } from '../../setup/prerequisites.ts';
import { cli, test } from '../../../test/support/test-commands.ts';

/** `heliograph setup` on a real database, below a folder of its own instead of /etc. */

const root = mkdtempSync(join(tmpdir(), 'setup-'));
afterAll(() => rmSync(root, { recursive: true }));

const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('says what is there and what is missing, with what to do', async () => {
  const { stdout } = await cli.run(['setup']);
  expect(stdout).toMatch(/ok {7}database: PostgreSQL \d+, migrated to 2026/);
  expect(stdout).toMatch(/ok {7}temporal: Temporal /);
  const away = await cli.run(['setup'], {
    env: { DATABASE_URL: 'postgresql://127.0.0.1:9/none', TEMPORAL_ADDRESS: '127.0.0.1:9' },
  });
  expect(away.code).toBe(1);
  expect(away.stdout).toMatch(/missing {2}database: .*\n *→ start it, or correct DATABASE_URL/);
  expect(away.stdout).toMatch(/missing {2}temporal: /);
});

test('an old Node is missing', () => {
  expect(node('20.1.0')).toMatchObject({ state: 'missing', advice: 'install Node 24 or newer' });
  expect(node('24.0.0')).toMatchObject({ state: 'ok' });
});

test('--dry-run prints every file and statement, no secret, and writes nothing', async () => {
  const { stdout } = await cli.run(['setup', '--systemd', '--dry-run', '--root', root]);
  expect(stdout).toContain('would write, and has written nothing');
  expect(stdout).toContain('MemoryMax=');
  expect(stdout).toContain('Restart=always');
  expect(stdout).toContain('NoNewPrivileges=yes');
  expect(stdout).toContain('grant select, insert on "gateway_readings" to "heliograph_gateways";');
  expect(stdout).not.toContain(cli.fleet.env['MASTER_KEY_CURRENT']);
  expect(stdout).not.toMatch(/password '[^…]/);
  expect(existsSync(join(root, 'etc'))).toBe(false);
});

test('--systemd asks first', async () => {
  const { stderr } = await cli.run(['setup', '--systemd', '--root', root]);
  expect(stderr).toContain('say --yes');
  expect(existsSync(join(root, 'etc'))).toBe(false);
});

test('--systemd writes units, settings and secrets; a second run keeps what people changed, and the passwords', async () => {
  await cli.run(['setup', '--systemd', '--yes', '--root', root]);
  const unit = read('etc/systemd/system/heliograph-gateways.service');
  expect(unit).toContain(
    'LoadCredential=database_url:/etc/heliograph/secrets/database_url_gateways',
  );
  expect(unit).toContain(`ExecStart=${process.execPath} `);
  expect(unit).not.toContain('/opt/heliograph');
  expect(unit).not.toContain('master_key');
  const secret = 'etc/heliograph/secrets/database_url_api';
  expect(statSync(join(root, secret)).mode & 0o777).toBe(0o600);
  expect(statSync(join(root, 'etc/heliograph/secrets')).mode & 0o777).toBe(0o700);
  const before = read(secret);
  writeFileSync(join(root, 'etc/heliograph/worker.env'), 'POLL_COURSE=steps\n');
  await cli.run(['setup', '--systemd', '--yes', '--root', root]);
  expect(read(secret)).toBe(before);
  expect(read('etc/heliograph/worker.env')).toBe('POLL_COURSE=steps\n');
  // The role reaches the database with it.
  const db = openDatabase({ url: before.trim(), poolSize: 1 });
  const { rows } = await sql<{
    who: string;
  }>`select current_user as who from plants limit 0`.execute(db);
  expect(rows).toEqual([]);
  await expect(sql`create table t (a int)`.execute(db)).rejects.toThrow('permission denied');
  await db.destroy();
});

describe('rights', () => {
  test('name every table of the database', async () => {
    const known = new Set([
      ...Object.keys(rightsOf),
      'kysely_migration',
      'kysely_migration_lock',
      'migration_checksums',
    ]);
    expect((await listTables(cli.fleet.db)).filter((name) => !known.has(name))).toEqual([]);
  });

  test.each([
    ['gateways', 'select 1 from integration_credentials'],
    ['gateways', 'select 1 from users'],
    ['gateways', 'select 1 from notification_channels'],
    ['gateways', "delete from gateways where id = 'none'"],
    ['api', 'update gateway_shards set epoch = 0'],
    ['api', "update gateway_readings set outcome = 'OK'"],
    ['worker', 'select 1 from sign_in_links'],
  ] as const)('%s may not: %s', async (process, statement) => {
    await expect(as(process, statement)).rejects.toThrow('permission denied');
  });

  test.each([
    ['gateways', 'update gateway_shards set epoch = epoch where shard = 0'],
    ['gateways', 'select 1 from polling_halts'],
    ['worker', "select make_ledger_part('gateway_readings', 'day', '2031-01-01')"],
    ['worker', 'delete from polling_checks where false'],
    ['api', 'select 1 from polling_checks'],
    ['api', 'select 1 from migration_checksums'],
  ] as const)('%s may: %s', async (process, statement) => {
    await as(process, statement);
  });

  /** Runs a statement as the role of a process, and takes it back. */
  async function as(process: ProcessName, statement: string): Promise<void> {
    const undone = new Error('undone');
    const role = `test_${process}`;
    await cli.fleet.db
      .transaction()
      .execute(async (trx) => {
        await keepRole(trx, { process, role, password: 'x' });
        await sql.raw(`set local role ${role}`).execute(trx);
        await sql.raw(statement).execute(trx);
        throw undone;
      })
      .catch((error: unknown) => {
        if (error !== undone) throw error;
      });
  }

  test('a grant takes all other rights away first', () => {
    expect(grantStatements('api', 'a"b', ['plants'])).toEqual([
      'revoke all on all tables in schema public from "a""b";',
      'grant usage on schema public to "a""b";',
      'grant select, insert, update, delete on "plants" to "a""b";',
    ]);
  });
});
